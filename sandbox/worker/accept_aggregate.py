"""Derive again what an aggregate is made of: the kinds and steps of its moments, and its type.

An aggregate is post-processing and cannot cost more than its moments. What is checked here is that it means what it is
called, and that its ending cannot leave the number range.
"""

from collections.abc import Mapping
from types import MappingProxyType

from policies.terms import AggregateName
from sandbox.boundary import STEPS_MAX, Moment, MomentKind, NoisyAggregate, StepBase
from sandbox.privacy.aggregates import AGGREGATES, CHOSEN
from sandbox.worker.accept_rank import check_order

_SUM, _PRESENCE, _DISTINCT = MomentKind.SUM, MomentKind.PRESENCE, MomentKind.DISTINCT


def _sums(count: int) -> tuple[tuple[MomentKind, ...], ...]:
    return ((_SUM,) * count,)


_SPREAD = _sums(3)
_RANK = MomentKind.RANK
_EXTREME = ((_RANK, _SUM),)
_ORDER = ((_RANK, _RANK, _RANK, _SUM), *_EXTREME)

# The kinds of moments an aggregate may be made of, in their order.
_KINDS: Mapping[AggregateName, tuple[tuple[MomentKind, ...], ...]] = MappingProxyType(
    {
        AggregateName.COUNT: ((_SUM,),),
        AggregateName.COUNT_DISTINCT: ((_PRESENCE,), (_DISTINCT,)),
        AggregateName.SUM: ((_SUM,), (_SUM, _SUM)),
        AggregateName.AVG: ((_SUM, _SUM),),
        AggregateName.VAR_POP: _SPREAD,
        AggregateName.VAR_SAMP: _SPREAD,
        AggregateName.STDDEV_POP: _SPREAD,
        AggregateName.STDDEV_SAMP: _SPREAD,
        AggregateName.MEDIAN: _ORDER,
        AggregateName.QUANTILE_CONT: _ORDER,
        AggregateName.QUANTILE_DISC: _ORDER,
        AggregateName.MIN: _EXTREME,
        AggregateName.MAX: _EXTREME,
        AggregateName.MODE: _EXTREME,
        AggregateName.COVAR_POP: _sums(4),
        AggregateName.COVAR_SAMP: _sums(4),
        AggregateName.CORR: _sums(6),
        AggregateName.REGR_SLOPE: _sums(5),
        AggregateName.REGR_INTERCEPT: _sums(5),
        AggregateName.REGR_R2: _sums(6),
        AggregateName.REGR_COUNT: _sums(1),
        AggregateName.REGR_AVGX: _sums(2),
        AggregateName.REGR_AVGY: _sums(2),
        AggregateName.REGR_SXX: _SPREAD,
        AggregateName.REGR_SYY: _SPREAD,
        AggregateName.REGR_SXY: _sums(4),
        AggregateName.BOOL_AND: ((_PRESENCE,),),
        AggregateName.BOOL_OR: ((_PRESENCE,),),
    }
)
_COUNT_AT: Mapping[AggregateName, int] = MappingProxyType(
    {
        AggregateName.COUNT: 0,
        AggregateName.COUNT_DISTINCT: 0,
        AggregateName.REGR_COUNT: 0,
        AggregateName.BOOL_AND: 0,
        AggregateName.BOOL_OR: 0,
    }
)
_SECOND = 1  # where the count of everything else stands


class NotAccepted(ValueError):
    """A claim of the plan differs from what follows here."""


def check_aggregate(aggregate: NoisyAggregate, moments: tuple[Moment, ...]) -> None:
    """Check one aggregate against the moments of its plan, or raise NotAccepted."""
    if any(not 0 <= index < len(moments) for index in aggregate.moments):
        raise NotAccepted("an aggregate names a moment that is not there")
    used = tuple(moments[index] for index in aggregate.moments)
    if tuple(moment.kind for moment in used) not in _KINDS[aggregate.name]:
        raise NotAccepted("an aggregate has moments of other kinds")
    _check_offsets(aggregate)
    if aggregate.name in CHOSEN:
        check_order(aggregate, used)
    last = len(used) - 1
    count = last if aggregate.name in CHOSEN else _COUNT_AT.get(aggregate.name, _SECOND)
    if count < len(used) and not _counts_rows(used[count], aggregate.offsets[count]):
        raise NotAccepted("a count is in whole rows")
    if aggregate.type != AGGREGATES[aggregate.name].result_type(used[0].value.type):
        raise NotAccepted("an aggregate has another type")
    if aggregate.value_lower > aggregate.value_upper:
        raise NotAccepted("an interval ends before it begins")


def _counts_rows(moment: Moment, offset: int) -> bool:
    return (moment.step_base, moment.step_exponent, offset) == (StepBase.TEN, 0, 0)


def _check_offsets(aggregate: NoisyAggregate) -> None:
    if len(aggregate.offsets) != len(aggregate.moments):
        raise NotAccepted("each moment has an offset")
    # An offset times a noisy count stays within 128 bits.
    if any(abs(offset) > STEPS_MAX for offset in aggregate.offsets):
        raise NotAccepted("an offset lies within the largest step")
    single = len(aggregate.moments) == 1
    if single and aggregate.offsets != (0,):
        raise NotAccepted("what rows lost comes back by their count")
