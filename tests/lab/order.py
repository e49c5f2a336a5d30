"""Order statistics without noise: the bin that holds DuckDB's own answer, from the exact rows per bin."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor

from policies.terms import AggregateName
from sandbox.boundary import Moment, Plan, RankSide
from sandbox.privacy.ranks import candidates_of
from sandbox.worker.execute import ExactAggregates

_BETWEEN_ROWS = (AggregateName.MEDIAN, AggregateName.QUANTILE_CONT)


def without_noise(plan: Plan, exact: ExactAggregates) -> tuple[tuple[int, ...], ...]:
    """Return the exact totals, and for each rank the bin of the value that DuckDB would give."""
    between = {
        index
        for aggregate in plan.aggregates
        if aggregate.name in _BETWEEN_ROWS
        for index in aggregate.moments
    }
    return tuple(
        _bins(moment, totals, index in between) if moment.rank is not None else totals
        for index, (moment, totals) in enumerate(
            zip(plan.measurement.moments, exact.moments, strict=True)
        )
    )


def rows_in_groups(plan: Plan, exact: ExactAggregates) -> tuple[tuple[int, ...], ...]:
    """Return the totals of each group, and for each rank how many rows of it count."""
    return tuple(
        tuple(sum(group) for group in _groups(moment, totals)) if moment.rank else totals
        for moment, totals in zip(plan.measurement.moments, exact.moments, strict=True)
    )


def _groups(moment: Moment, totals: Sequence[int]) -> list[Sequence[int]]:
    bins = candidates_of(moment)
    return [totals[start : start + bins] for start in range(0, len(totals), bins)]


def _bins(moment: Moment, totals: Sequence[int], between: bool) -> tuple[int, ...]:
    rank = moment.rank
    assert rank is not None
    if rank.side is RankSide.MOST:
        return tuple(_most(group) for group in _groups(moment, totals))
    fraction = Fraction(rank.numerator, rank.denominator)
    return tuple(_bin(group, fraction, between) for group in _groups(moment, totals))


def _most(counts: Sequence[int]) -> int:
    """Return the first of the values that most rows have."""
    return counts.index(max(counts))


def _bin(counts: Sequence[int], fraction: Fraction, between: bool) -> int:
    upto = list(accumulate(counts))
    rows = upto[-1]
    if rows == 0:
        return 0
    if not between:
        return bisect_right(upto, max(1, ceil(fraction * rows)) - 1)
    place = (rows - 1) * fraction
    low, high = bisect_right(upto, floor(place)), bisect_right(upto, ceil(place))
    return round(low + (place - floor(place)) * (high - low))
