"""VAR and STDDEV from a noisy count, a noisy sum and a noisy sum of squares, the last two around public middles.

Statement   One unit moves each of the three moments as theorem 1 of docs/proofs/bounded_aggregation.md says; losses add.
Reason      The variance does not change when a constant is taken off every value, and mean((x-c)**2) - mean(x-c)**2 is it.
Source      Wilson et al., Differentially Private SQL with Bounded User Contribution, 2020 (bounded variance); the bound
            var <= (upper - lower)**2 / 4 is Popoviciu's inequality, 1935.
Not promised  An unbiased answer: the noise of the mean enters squared, and the answer is held between 0 and the largest
            variance that the interval allows. NULL where the noisy count is below what the variance needs (1, or 2 for
            the sample's). NaN counts as NULL.
"""

from collections.abc import Callable

from policies.terms import AggregateName, SqlType
from sandbox.algebra import Call, Expr, Op
from sandbox.privacy.aggregates.aggregate import (
    DOUBLE,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    measured_number,
    present_count,
    step_value,
)
from sandbox.privacy.aggregates.centred import centred_moment, square_moment
from sandbox.privacy.aggregates.reals import (
    if_more,
    mean,
    mean_lost,
    minus,
    over,
    real,
    root,
    times,
    within,
)


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    return (centred_moment(argument), present_count(argument), square_moment(argument))


def _result_type(argument: SqlType | None) -> SqlType:
    measured_number(argument)
    return DOUBLE


def _variance(ending: Ending) -> Expr:
    count = ending.moments[1]
    # Sum and squares are around the same middle.
    away = mean_lost(ending, 0, count)
    widest = (ending.value_upper - ending.value_lower) / 2 * step_value(ending.steps[0])
    return within(0.0, minus(mean(ending, 2, count), times(away, away)), widest * widest)


def _sample(ending: Ending) -> Expr:
    count = Call(Op.CAST, (ending.moments[1],), DOUBLE)
    return times(_variance(ending), over(count, minus(count, real(1.0))))


def _ends(needs_more_than: int, finish: Callable[[Ending], Expr]) -> Callable[[Ending], Expr]:
    return lambda ending: if_more(ending.moments[1], needs_more_than, finish(ending))


def _named(name: AggregateName, finish: Callable[[Ending], Expr]) -> Aggregate:
    return Aggregate(name, _moments, _result_type, finish)


VAR_POP = _named(AggregateName.VAR_POP, _ends(0, _variance))
VAR_SAMP = _named(AggregateName.VAR_SAMP, _ends(1, _sample))
STDDEV_POP = _named(AggregateName.STDDEV_POP, _ends(0, lambda e: root(_variance(e))))
STDDEV_SAMP = _named(AggregateName.STDDEV_SAMP, _ends(1, lambda e: root(_sample(e))))
