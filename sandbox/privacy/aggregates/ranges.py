"""Between which numbers an aggregate lies by its declared bounds alone: what can be said where a noisy count says too little."""

from dataclasses import dataclass

from policies.terms import AggregateName
from sandbox.privacy.aggregates.aggregate import Ending, step_value

_MEANS = (AggregateName.AVG, AggregateName.REGR_AVGX, AggregateName.REGR_AVGY)


@dataclass(frozen=True, slots=True)
class ResultRange:
    """The ends of the range, which moment is the count, and above which count the aggregate has a value."""

    lower: float
    upper: float
    count: int
    above: int


def result_range(name: AggregateName, ending: Ending) -> ResultRange | None:
    """Return the range of a ratio over a noisy count, None for aggregates without one."""
    step = step_value(ending.steps[0])
    lower, upper = ending.value_lower * step, ending.value_upper * step
    widest = ((upper - lower) / 2) ** 2
    if name in _MEANS:
        return ResultRange(lower, upper, 1, 0)
    if name is AggregateName.VAR_POP:
        return ResultRange(0.0, widest, 1, 0)
    if name is AggregateName.VAR_SAMP:  # n / (n - 1) is 2 at most
        return ResultRange(0.0, 2 * widest, 1, 1)
    if name is AggregateName.STDDEV_POP:
        return ResultRange(0.0, widest**0.5, 1, 0)
    if name is AggregateName.STDDEV_SAMP:
        return ResultRange(0.0, (2 * widest) ** 0.5, 1, 1)
    if name is AggregateName.CORR:
        return ResultRange(-1.0, 1.0, 1, 0)
    if name is AggregateName.REGR_R2:
        return ResultRange(0.0, 1.0, 1, 0)
    return None
