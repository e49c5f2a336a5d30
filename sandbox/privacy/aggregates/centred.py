"""Sums around the middle of the declared interval: half the interval is all that one row can weigh.

Statement   For a value x in [lower, upper] and the public middle c, a row of a centred moment is x - c in
            [lower - c, upper - c]; a row of a square is (x - c)**2 - h in [-h, h] up to a step, h half of its largest value.
Reason      c and h follow from the declared interval and its steps alone, so the moment is one more function of the row
            and lemma 1 of docs/proofs/bounded_aggregation.md covers it. What was taken off comes back as `offset` times
            the noisy count, which is post-processing.
Units       steps. A square has steps of its own: powers of two, so coarse that 2**31 rows stay within the largest total.
"""

from decimal import Decimal
from fractions import Fraction
from math import ceil, ldexp

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import MomentKind, StepBase
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    Argument,
    MomentSpec,
    Steps,
    step_value,
    sum_moment,
)

PRODUCT_STEPS_MAX = 2**32
_EXPONENT_MAX = 40
_DIGITS_MAX = 38
_WHOLE_DIGITS = {TypeKind.INTEGER: 10, TypeKind.BIGINT: 19}
# A larger whole number is taken for this one: it is far outside every bound, and the difference cannot overflow.
_HUGE = 10**37
# The same for a decimal that fills its type, in its own last digits: beyond every bound, and short enough to take one off.
_FAR = 10**20
_FAR_DIGITS = 21


def centre(argument: Argument) -> int:
    """Return the public middle of the declared interval, in its steps; 0 where the type has no room for differences."""
    middle = (argument.row_lower + argument.row_upper) // 2
    return middle if middle and _shifted(argument, middle) is not None else 0


def centred_moment(argument: Argument) -> MomentSpec:
    """Return the clipped sum of value - middle; the plain sum where the middle is 0."""
    plain = sum_moment(argument)
    middle = centre(argument)
    value = _shifted(argument, middle) if middle else None
    if value is None:
        return plain
    return MomentSpec(
        MomentKind.SUM,
        kept(argument, value),
        plain.step_base,
        plain.step_exponent,
        argument.row_lower - middle,
        argument.row_upper - middle,
        middle,
    )


def square_moment(argument: Argument) -> MomentSpec:
    """Return the clipped sum of (value - middle)**2, less half of the most it can be."""
    away, most = deviation(argument), reach(argument) ** 2
    steps, largest = _product_steps(most)
    half = largest // 2
    lost = Literal(DOUBLE, ldexp(half, -steps.exponent))
    value = Call(Op.SUB, (Call(Op.MUL, (away, away), DOUBLE), lost), DOUBLE)
    kind, kept_value = MomentKind.SUM, kept(argument, value)
    return MomentSpec(kind, kept_value, steps.base, steps.exponent, -half, largest - half, half)


def product_moment(rows: Argument, left: Expr, right: Expr, most: Fraction) -> MomentSpec:
    """Return the clipped sum of the product of two deviations, at most `most` in magnitude, over the argument's rows."""
    steps, largest = _product_steps(most)
    value = kept(rows, Call(Op.MUL, (left, right), DOUBLE))
    return MomentSpec(MomentKind.SUM, value, steps.base, steps.exponent, -largest, largest, 0)


def deviation(argument: Argument) -> Expr:
    """Return value - middle as DOUBLE."""
    value = _value(argument)
    if value.type != DOUBLE:
        value = Call(Op.CAST, (value,), DOUBLE)
    return _double_shifted(value, centre(argument) * step_value(argument.steps))


def reach(argument: Argument) -> Fraction:
    """Return how far a value within its interval lies from the middle at most."""
    middle = centre(argument)
    most = max(argument.row_upper - middle, middle - argument.row_lower)
    base = 10 if argument.steps.base is StepBase.TEN else 2
    return most / Fraction(base) ** argument.steps.exponent


def kept(argument: Argument, value: Expr) -> Expr:
    """Return the value on the rows that the argument's condition keeps, NULL elsewhere."""
    if argument.condition is None:
        return value
    return Call(Op.CASE, (argument.condition, value), value.type)


def _product_steps(most: Fraction) -> tuple[Steps, int]:
    """Return steps for values up to `most`, and `most` in these steps, rounded up."""
    exponent = _EXPONENT_MAX
    while ceil(most * Fraction(2) ** exponent) > PRODUCT_STEPS_MAX:
        exponent -= 1
    return Steps(StepBase.TWO, exponent), ceil(most * Fraction(2) ** exponent)


def _shifted(argument: Argument, middle: int) -> Expr | None:
    """Return value - middle in a type that holds every difference, or None if there is none."""
    value = _value(argument)
    if value.type == DOUBLE:
        return _double_shifted(value, middle * step_value(argument.steps))
    if value.type.kind is TypeKind.DECIMAL or argument.steps.exponent > 0:
        return _shifted_decimal(value, Decimal(middle).scaleb(-argument.steps.exponent))
    if value.type.kind is TypeKind.INTEGER:
        return Call(Op.SUB, (value, Literal(BIGINT, middle)), BIGINT)
    if value.type == HUGEINT:
        value = _within_huge(value)
    return Call(Op.SUB, (value, Literal(HUGEINT, middle)), HUGEINT)


def _shifted_decimal(value: Expr, middle: Decimal) -> Expr | None:
    if value.type.kind is TypeKind.DECIMAL and value.type.precision > _DIGITS_MAX - 2:
        value = _narrowed(value)
    scale = max(value.type.scale, -int(middle.as_tuple().exponent), 0)
    digits = _WHOLE_DIGITS.get(value.type.kind, value.type.precision - value.type.scale)
    exact = middle.quantize(Decimal(1).scaleb(-scale))
    own = max(scale, len(exact.as_tuple().digits), 1)
    result = max(digits, own - scale) + scale + 1
    if result > _DIGITS_MAX or value.type == HUGEINT:
        return None
    type_ = SqlType(TypeKind.DECIMAL, result, scale)
    return Call(Op.SUB, (value, Literal(SqlType(TypeKind.DECIMAL, own, scale), exact)), type_)


def _within_huge(value: Expr) -> Expr:
    return _between(value, Literal(HUGEINT, -_HUGE), Literal(HUGEINT, _HUGE))


def _narrowed(value: Expr) -> Expr:
    """Return a decimal of 38 digits, as every exact sum is, in a type that has room for a difference."""
    scale = value.type.scale
    far = Decimal(_FAR).scaleb(-scale)
    held = _between(value, Literal(value.type, -far), Literal(value.type, far))
    return Call(Op.CAST, (held,), SqlType(TypeKind.DECIMAL, max(_FAR_DIGITS, scale), scale))


def _between(value: Expr, low: Expr, high: Expr) -> Expr:
    # not least and greatest: they skip NULL
    below, above = Call(Op.LT, (value, low), BOOLEAN), Call(Op.GT, (value, high), BOOLEAN)
    return Call(Op.CASE, (below, low, above, high, value), value.type)


def _double_shifted(value: Expr, middle: float) -> Expr:
    return Call(Op.SUB, (value, Literal(DOUBLE, middle)), DOUBLE) if middle else value


def _value(argument: Argument) -> Expr:
    if argument.value is None:
        raise ValueError("what is centred has a value")
    return argument.value
