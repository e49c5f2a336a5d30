"""AVG as a noisy clipped sum around the middle of the interval over a noisy clipped count.

Statement   One unit moves the centred sum as SUM's statement says of values within half the interval, and the count as
            COUNT's; the two losses add.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md, once per moment, and `centred.py`.
Source      Wilson et al., Differentially Private SQL with Bounded User Contribution, 2020; the ratio is post-processing
            (Dwork and Roth 2014, Proposition 2.1).
Not promised  The ratio is biased when the noisy count is small. It is NULL exactly when the noisy count is not
            positive, and is held inside the declared interval of one value. NaN counts as NULL.
"""

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
from sandbox.privacy.aggregates.centred import centred_moment
from sandbox.privacy.aggregates.reals import if_more, over, real, times, whole_total, within


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    return (centred_moment(argument), present_count(argument))


def _result_type(argument: SqlType | None) -> SqlType:
    measured_number(argument)
    return DOUBLE


def _finish(ending: Ending) -> Expr:
    count = ending.moments[1]
    step = step_value(ending.steps[0])
    # whole steps up to here: the mean of whole numbers and decimals is rounded once
    total = Call(Op.CAST, (whole_total(ending, 0, count),), DOUBLE)
    ratio = times(over(total, Call(Op.CAST, (count,), DOUBLE)), real(step))
    # The ratio is never NULL or NaN where the count is positive.
    held = within(ending.value_lower * step, ratio, ending.value_upper * step)
    return if_more(count, 0, held)


AVG = Aggregate(AggregateName.AVG, _moments, _result_type, _finish)
