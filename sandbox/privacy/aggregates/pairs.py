"""COVAR, CORR and REGR from shared centred moments of two values, over the rows where both are there.

Statement   One unit moves each moment as theorem 1 of docs/proofs/bounded_aggregation.md says; losses add.
Reason      The covariance does not change when constants are taken off, and mean((y-b)(x-a)) - mean(y-b)*mean(x-a) is it. The
            factors of a product are held to their intervals one by one, so that one wild value does not drown the other.
Source      Sums of products as in Sheffet, Differentially Private Ordinary Least Squares, 2017 (sufficient statistics);
            ratios of noisy numbers are post-processing (Dwork and Roth 2014, Proposition 2.1).
Not promised  Unbiased ratios: where the noisy variance of a value is small or negative a slope means nothing, and it is NULL
            where that variance is not positive. NULL and NaN in either value leave the row out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import MomentKind
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    UNIT_STEPS,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    counted,
    row_moment,
)
from sandbox.privacy.aggregates.avg import AVG
from sandbox.privacy.aggregates.centred import (
    centred_moment,
    deviation,
    product_moment,
    reach,
    square_moment,
)
from sandbox.privacy.aggregates.reals import (
    at_least,
    if_more,
    if_positive,
    mean,
    mean_lost,
    minus,
    over,
    real,
    root,
    times,
    within,
)

Finish = Callable[[Ending], Expr]
Moments = Callable[[Argument], tuple[MomentSpec, ...]]


@dataclass(frozen=True, slots=True)
class Pair(Argument):
    """Two values of a row: this one, and `other`. Their own conditions are the same."""

    other: Argument = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class _Both:
    """The two arguments, on the rows where both values are there."""

    first: Argument
    other: Argument
    rows: Argument


def _both(argument: Argument) -> _Both:
    if not isinstance(argument, Pair):
        raise ValueError("two values are needed")
    tests: list[Expr] = [] if argument.condition is None else [argument.condition]
    # in one order, whichever comes first: the aggregates of (y, x) and of (x, y) are over the same rows
    for part in sorted((argument, argument.other), key=lambda each: repr(each.value)):
        tests += _present(part)
    both = Call(Op.AND, tuple(tests), BOOLEAN)
    first = Argument(argument.value, both, argument.steps, argument.row_lower, argument.row_upper)
    rows = Argument(None, both, UNIT_STEPS, 0, 1)
    return _Both(first, replace(argument.other, condition=both), rows)


def _present(argument: Argument) -> list[Expr]:
    if argument.value is None:
        raise ValueError("two values are needed")
    tests = [Call(Op.IS_NULL, (argument.value,), BOOLEAN)]
    if argument.value.type.kind is TypeKind.DOUBLE:
        tests.append(Call(Op.IS_NAN, (argument.value,), BOOLEAN))
    return [Call(Op.NOT, (test,), BOOLEAN) for test in tests]


def _count(both: _Both) -> MomentSpec:
    return row_moment(MomentKind.SUM, counted(both.rows, nan_counts=True))


def _product(both: _Both) -> MomentSpec:
    parts = [_held(part) for part in (both.first, both.other)]
    return product_moment(both.rows, parts[0], parts[1], reach(both.first) * reach(both.other))


def _held(argument: Argument) -> Expr:
    """Return the deviation from the middle, held to its interval. It is no NaN where both values are there."""
    away, most = deviation(argument), float(reach(argument))
    low, high = Literal(DOUBLE, -most), Literal(DOUBLE, most)
    below, above = (Call(op, (away, end), BOOLEAN) for op, end in ((Op.LT, low), (Op.GT, high)))
    return Call(Op.CASE, (below, low, above, high, away), DOUBLE)


def _of_rows(argument: Argument) -> tuple[MomentSpec, ...]:
    return (_count(_both(argument)),)


def _of_first(argument: Argument) -> tuple[MomentSpec, ...]:
    both = _both(argument)
    return (centred_moment(both.first), _count(both))


def _of_squares(argument: Argument) -> tuple[MomentSpec, ...]:
    return (*_of_first(argument), square_moment(_both(argument).first))


def _of_product(argument: Argument) -> tuple[MomentSpec, ...]:
    both = _both(argument)
    return (*_of_first(argument), centred_moment(both.other), _product(both))


def _of_line(argument: Argument) -> tuple[MomentSpec, ...]:
    return (*_of_product(argument), square_moment(_both(argument).other))


def _of_all(argument: Argument) -> tuple[MomentSpec, ...]:
    return (*_of_line(argument), square_moment(_both(argument).first))


_FIRST, _COUNT, _OTHER, _PRODUCT, _OTHER_SQUARE, _FIRST_SQUARE = range(6)


def _covariance(ending: Ending) -> Expr:
    count = ending.moments[_COUNT]
    means = (mean_lost(ending, index, count) for index in (_FIRST, _OTHER))
    return minus(mean_lost(ending, _PRODUCT, count), times(*means))


def _spread(ending: Ending, value: int, square: int) -> Expr:
    count = ending.moments[_COUNT]
    away = mean_lost(ending, value, count)
    return minus(mean(ending, square, count), times(away, away))


def _of_other(ending: Ending) -> Expr:
    return _spread(ending, _OTHER, _OTHER_SQUARE)


def _sample(ending: Ending) -> Expr:
    count = _rows(ending)
    return times(_covariance(ending), over(count, minus(count, real(1.0))))


def _slope(ending: Ending) -> Expr:
    return if_positive(_of_other(ending), over(_covariance(ending), _of_other(ending)))


def _intercept(ending: Ending) -> Expr:
    count = ending.moments[_COUNT]
    first, other = (mean(ending, index, count) for index in (_FIRST, _OTHER))
    slope = over(_covariance(ending), _of_other(ending))
    return if_positive(_of_other(ending), minus(first, times(slope, other)))


def _correlation(ending: Ending) -> Expr:
    own, other = _spread(ending, _FIRST, _FIRST_SQUARE), _of_other(ending)
    ratio = over(_covariance(ending), times(root(own), root(other)))
    return if_positive(own, if_positive(other, within(-1.0, ratio, 1.0)))


def _determination(ending: Ending) -> Expr:
    own, other = _spread(ending, _FIRST, _FIRST_SQUARE), _of_other(ending)
    square = times(_covariance(ending), _covariance(ending))
    ratio = over(square, times(own, other))
    return if_positive(own, if_positive(other, within(0.0, ratio, 1.0)))


def _squares(ending: Ending) -> Expr:
    return times(_rows(ending), at_least(0.0, _spread(ending, _FIRST, 2)))


def _products(ending: Ending) -> Expr:
    return times(_rows(ending), _covariance(ending))


def _rows(ending: Ending) -> Expr:
    return Call(Op.CAST, (ending.moments[_COUNT],), DOUBLE)


def _paired(name: AggregateName, moments: Moments, above: int, finish: Finish) -> Aggregate:
    return Aggregate(
        name,
        moments,
        _double,
        lambda ending: if_more(ending.moments[_COUNT], above, finish(ending)),
    )


def _double(_: SqlType | None) -> SqlType:
    return DOUBLE


COVAR_POP = _paired(AggregateName.COVAR_POP, _of_product, 0, _covariance)
COVAR_SAMP = _paired(AggregateName.COVAR_SAMP, _of_product, 1, _sample)
CORR = _paired(AggregateName.CORR, _of_all, 0, _correlation)
REGR_SLOPE = _paired(AggregateName.REGR_SLOPE, _of_line, 0, _slope)
REGR_INTERCEPT = _paired(AggregateName.REGR_INTERCEPT, _of_line, 0, _intercept)
REGR_R2 = _paired(AggregateName.REGR_R2, _of_all, 0, _determination)
REGR_SXX = _paired(AggregateName.REGR_SXX, _of_squares, 0, _squares)
REGR_SYY = _paired(AggregateName.REGR_SYY, _of_squares, 0, _squares)
REGR_SXY = _paired(AggregateName.REGR_SXY, _of_product, 0, _products)
REGR_AVGX = Aggregate(AggregateName.REGR_AVGX, _of_first, _double, AVG.finish)
REGR_AVGY = Aggregate(AggregateName.REGR_AVGY, _of_first, _double, AVG.finish)
REGR_COUNT = Aggregate(
    AggregateName.REGR_COUNT,
    _of_rows,
    lambda _: BIGINT,
    lambda ending: Call(Op.CAST, (ending.moments[0],), BIGINT),
)

# An aggregate of two values is about the second where its name says so.
OF_SECOND = frozenset({AggregateName.REGR_AVGX, AggregateName.REGR_SXX})
PAIRED: dict[AggregateName, Aggregate] = {
    each.name: each
    for each in (
        COVAR_POP,
        COVAR_SAMP,
        CORR,
        REGR_SLOPE,
        REGR_INTERCEPT,
        REGR_R2,
        REGR_COUNT,
        REGR_AVGX,
        REGR_AVGY,
        REGR_SXX,
        REGR_SYY,
        REGR_SXY,
    )
}
