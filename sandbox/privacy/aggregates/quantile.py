"""MEDIAN, QUANTILE, MIN and MAX as choices among the bins of the declared interval.

Statement   One unit moves the score of each bin by at most its rows per group times max(numerator, denominator -
            numerator), in at most its declared groups.
Reason      docs/proofs/quantiles.md, theorem 1.
Source      Smith 2011; McKenna and Sheldon 2020. The interval: two more choices, of ranks so far apart that they rarely
            err past the truth (decision 0016).
Not promised  A value finer than one bin. MIN and MAX are the values that a few rows lie beyond, not the outermost row:
            that would be one person's. The answer is NULL exactly when the noisy count is not positive. NaN counts as
            NULL.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op, TimeUnit
from sandbox.boundary import MomentKind, Rank, RankSide, StepBase
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    Ranked,
    measured_number,
    present_count,
    step_value,
    sum_moment,
)
from sandbox.privacy.ranks import is_extreme

DATE = SqlType(TypeKind.DATE)
TIMESTAMP = SqlType(TypeKind.TIMESTAMP)
INSTANTS = {DATE: TimeUnit.DAY, TIMESTAMP: TimeUnit.SECOND}  # what one step of their values is
_TOTAL_DIGITS = 19  # of an i64


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    if argument.rank is None:
        raise ValueError("an order statistic looks for a rank")
    value = sum_moment(argument)
    sides = sides_of(argument.rank)
    ranks = tuple(
        replace(value, kind=MomentKind.RANK, rank=replace(argument.rank, side=side))
        for side in sides
    )
    return (*ranks, present_count(argument))


def sides_of(rank: Rank) -> tuple[RankSide, ...]:
    """Return what is measured for a rank: beyond the smallest and the largest value lies the declared bound, for free."""
    if is_extreme(rank):
        return (RankSide.POINT,)
    return (RankSide.POINT, RankSide.LOWER, RankSide.UPPER)


def _of_a_row(argument: SqlType | None) -> SqlType:
    return argument if argument in INSTANTS else measured_number(argument)


def _between_rows(argument: SqlType | None) -> SqlType:
    found = _of_a_row(argument)
    if found in INSTANTS:
        return TIMESTAMP
    return found if found.kind is TypeKind.DECIMAL else DOUBLE


def _finish(ending: Ending) -> Expr:
    if ending.ranked is None:
        raise ValueError("an order statistic ends in a bin")
    middle = (ending.ranked.rank.bin_steps - 1) // 2
    value = value_at(ending.moments[0], middle, ending)
    positive = Call(Op.GT, (ending.moments[-1], Literal(BIGINT, 0)), BOOLEAN)
    return Call(Op.CASE, (positive, value), ending.type)


def value_at(index: Expr, place: int, ending: Ending) -> Expr:
    """Return the value that lies `place` steps inside a bin, never beyond the declared interval."""
    ranked = ending.ranked
    if ranked is None:
        raise ValueError("only a rank has bins")
    begin = Call(Op.MUL, (index, Literal(HUGEINT, ranked.rank.bin_steps)), HUGEINT)
    inside = Call(Op.ADD, (begin, Literal(HUGEINT, ranked.row_lower + place)), HUGEINT)
    steps = Call(Op.LEAST, (inside, Literal(HUGEINT, ranked.row_upper)), HUGEINT)
    return _as(_from_steps(steps, ending, ranked), ending.type)


def _from_steps(steps: Expr, ending: Ending, ranked: Ranked) -> Expr:
    if ranked.type in INSTANTS:
        return Call(Op.FROM_EPOCH, (steps,), ranked.type, INSTANTS[ranked.type])
    unit = ending.steps[0]
    exponent = unit.exponent
    if unit.base is StepBase.TWO:
        step = Literal(DOUBLE, step_value(unit))
        return Call(Op.MUL, (Call(Op.CAST, (steps,), DOUBLE), step), DOUBLE)
    if exponent <= 0:
        return Call(Op.MUL, (steps, Literal(HUGEINT, 10**-exponent)), HUGEINT)
    step = Literal(SqlType(TypeKind.DECIMAL, exponent, exponent), Decimal(1).scaleb(-exponent))
    whole = Call(Op.CAST, (steps,), SqlType(TypeKind.DECIMAL, _TOTAL_DIGITS, 0))
    product = SqlType(TypeKind.DECIMAL, _TOTAL_DIGITS + exponent, exponent)
    return Call(Op.MUL, (whole, step), product)


def _as(expr: Expr, type_: SqlType) -> Expr:
    return expr if expr.type == type_ else Call(Op.CAST, (expr,), type_)


def _order(name: AggregateName, result_type: Callable[[SqlType | None], SqlType]) -> Aggregate:
    return Aggregate(name, _moments, result_type, _finish)


MEDIAN = _order(AggregateName.MEDIAN, _between_rows)
QUANTILE_CONT = _order(AggregateName.QUANTILE_CONT, _between_rows)
QUANTILE_DISC = _order(AggregateName.QUANTILE_DISC, _of_a_row)
MIN = _order(AggregateName.MIN, _of_a_row)
MAX = _order(AggregateName.MAX, _of_a_row)

# The fraction that a name stands for; the others are told theirs.
FRACTIONS = {
    AggregateName.MEDIAN: (1, 2),
    AggregateName.MIN: (0, 1),
    AggregateName.MAX: (1, 1),
}
ORDERED = (
    AggregateName.MEDIAN,
    AggregateName.QUANTILE_CONT,
    AggregateName.QUANTILE_DISC,
    AggregateName.MIN,
    AggregateName.MAX,
)
