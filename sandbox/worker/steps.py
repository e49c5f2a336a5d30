"""From a row's value to whole fixed-point steps within declared bounds, before anything is added up.

Statement   The result is NULL, or a whole number in [row_lower, row_upper]; it depends on this row alone and never raises.
            Inside the bounds it is the value divided by one step, rounded to nearest, ties away from 0.
Reason      docs/proofs/bounded_aggregation.md, lemma 1. The value is clamped in its own type first, so neither the cast
            nor the multiplication can leave its range. NULL and NaN are settled before the clamp: DuckDB's least and
            greatest skip NULL and sort NaN highest, which would turn both into the upper bound.
"""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, ldexp

from policies.terms import SqlType, TypeKind
from sandbox.boundary import Moment, MomentKind, StepBase
from sandbox.privacy.aggregates.quantile import INSTANTS
from sandbox.worker.scalars import Rendering
from sandbox.worker.scalars.dates import within_years
from sandbox.worker.sql_types import (
    BIGINT,
    DOUBLE,
    HUGEINT,
    NotRenderable,
    is_integer,
    listed,
    name_of,
)

EXPONENT_MAX = {StepBase.TEN: 18, StepBase.TWO: 60}
_WIDE_DIGITS = 19  # from here on DuckDB multiplies decimals in 128 bits
_NARROW_DIGITS_MAX = 18


def row_steps(value: str, moment: Moment, rendering: Rendering) -> str:
    """Return the steps of one row as BIGINT; `value` is the name of a column that holds the moment's value."""
    type_ = moment.value.type
    if not fits(type_, moment):
        raise NotRenderable("a moment of this type has no such steps")
    if type_.kind is TypeKind.DOUBLE:
        counted = f"{value} IS NOT NULL AND NOT isnan({value})"
        steps = _from_double(value, moment, rendering)
    elif type_ in INSTANTS:
        counted = within_years(value, type_)  # NULL is not within
        steps = f"date_diff('{INSTANTS[type_].value}', {type_} '1970-01-01', {value})"
    else:
        counted = f"{value} IS NOT NULL"
        decimal = type_.kind is TypeKind.DECIMAL
        steps = (_from_decimal if decimal else _from_whole)(value, moment, rendering)
    held = f"least(greatest({steps}, {moment.row_lower}), {moment.row_upper})"
    return f"(CASE WHEN {counted} THEN CAST({held} AS BIGINT) END)"


def choice_steps(value: str, moment: Moment, rendering: Rendering) -> str:
    """Return the place of one row's value among the declared choices as BIGINT, and NULL for any other value."""
    type_ = moment.value.type
    if moment.rank is None or not moment.rank.choices:
        raise NotRenderable("only a choice has a place")
    parameter = f"p{len(rendering.parameters)}"
    rendering.parameters[parameter] = listed(moment.rank.choices, type_)
    place = f"list_position(CAST(${parameter} AS {name_of(type_)}[]), {value})"
    return f"(CASE WHEN {value} IS NOT NULL AND {place} > 0 THEN CAST({place} - 1 AS BIGINT) END)"


def fits(type_: SqlType, moment: Moment) -> bool:
    """Tell whether values of the type can be counted in the moment's steps."""
    if abs(moment.step_exponent) > EXPONENT_MAX[moment.step_base]:
        return False
    if type_ in INSTANTS:
        whole = (moment.step_base, moment.step_exponent) == (StepBase.TEN, 0)
        return moment.kind is MomentKind.RANK and whole
    if moment.step_base is StepBase.TWO:
        return type_.kind is TypeKind.DOUBLE
    return is_integer(type_) or type_.kind is TypeKind.DECIMAL


def _from_double(value: str, moment: Moment, rendering: Rendering) -> str:
    # Powers of two: both bounds and the product are exact, infinities end at the bounds.
    lower = rendering.constant(ldexp(moment.row_lower, -moment.step_exponent), DOUBLE)
    upper = rendering.constant(ldexp(moment.row_upper, -moment.step_exponent), DOUBLE)
    per_unit = rendering.constant(ldexp(1.0, moment.step_exponent), DOUBLE)
    return f"CAST(round(least(greatest({value}, {lower}), {upper}) * {per_unit}) AS BIGINT)"


def _from_whole(value: str, moment: Moment, rendering: Rendering) -> str:
    if moment.step_exponent == 0 and moment.value.type != HUGEINT:
        # Row bounds lie within 2**40, so 64 bits do, at a fifth of the time of 128.
        low, high = (rendering.constant(b, BIGINT) for b in (moment.row_lower, moment.row_upper))
        return f"least(greatest(CAST({value} AS BIGINT), {low}), {high})"
    step = Fraction(10) ** -moment.step_exponent
    lower = rendering.constant(floor(moment.row_lower * step), HUGEINT)
    upper = rendering.constant(ceil(moment.row_upper * step), HUGEINT)
    clamped = f"least(greatest(CAST({value} AS HUGEINT), {lower}), {upper})"
    if moment.step_exponent >= 0:
        return f"({clamped} * {rendering.constant(10**moment.step_exponent, HUGEINT)})"
    return _nearest(clamped, 10**-moment.step_exponent, rendering)


def _from_decimal(value: str, moment: Moment, rendering: Rendering) -> str:
    exponent = moment.step_exponent
    clamped = _clamped_decimal(value, moment, rendering)
    if exponent < 0:
        return _nearest(f"CAST(trunc({clamped}) AS HUGEINT)", 10**-exponent, rendering)
    type_ = moment.value.type
    if exponent >= type_.scale and type_.precision + exponent + 1 <= _NARROW_DIGITS_MAX:
        # The product's digits fit the 18 of a 64-bit decimal, so DuckDB's own check of them cannot raise.
        factor = rendering.constant(10**exponent, SqlType(TypeKind.DECIMAL, exponent + 1, 0))
        return f"CAST({clamped} * {factor} AS BIGINT)"
    # At most 2**40 + 10**18 steps are left, which 19 digits hold; 19 + 19 digits are a decimal's 38.
    narrowed = f"CAST({clamped} AS DECIMAL({_WIDE_DIGITS},{exponent}))"
    per_unit = SqlType(TypeKind.DECIMAL, exponent + 1, 0)
    return f"CAST({narrowed} * {rendering.constant(10**exponent, per_unit)} AS BIGINT)"


def _clamped_decimal(value: str, moment: Moment, rendering: Rendering) -> str:
    type_ = moment.value.type
    # Bounds outward to the digits of the type and inside its range: one type, so no hidden cast.
    step = Fraction(10) ** (type_.scale - moment.step_exponent)
    most = 10**type_.precision - 1
    lower = max(-most, min(most, floor(moment.row_lower * step)))
    upper = max(-most, min(most, ceil(moment.row_upper * step)))
    low, high = (
        rendering.constant(Decimal(f"{bound}E-{type_.scale}"), type_) for bound in (lower, upper)
    )
    return f"least(greatest({value}, {low}), {high})"


def _nearest(whole: str, step: int, rendering: Rendering) -> str:
    half, divisor = rendering.constant(step // 2, HUGEINT), rendering.constant(step, HUGEINT)
    return f"(({whole} + CASE WHEN {whole} < 0 THEN -{half} ELSE {half} END) // {divisor})"
