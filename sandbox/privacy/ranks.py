"""Order statistics as a choice among bins: how many candidates, how they are scored, and how far the choice may be off.

Statement   A candidate's score is the distance, in rows times the denominator, between the ranks that its bin holds and
            the rank looked for. Adding or removing one row moves every score by at most max(numerator, denominator -
            numerator). Where the value of most rows is looked for, the score is how many rows fewer a candidate has than the
            one with most; one row moves it by at most 1.
Reason      docs/proofs/quantiles.md, lemmas 2, 3 and 4.
Source      Smith, Privacy-preserving Statistical Estimation with Optimal Convergence Rates, STOC 2011 (the exponential
            mechanism on ranks); McKenna and Sheldon, Permute-and-Flip, NeurIPS 2020, as OpenDP's noisy max.
Units       rows; the scale of a choice is in rows times the denominator.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sandbox.boundary import TOTAL_MAX, Moment, Rank, RankSide
from sandbox.privacy.measurements import read_scale

# Each candidate of each group costs a draw of some 5 microseconds, so these bound the time a release takes.
BINS_MAX = 2**16  # of one group
CANDIDATES_MAX = 2**18  # of all groups and ranks of one release
BINS_LEAST = 32  # fewer, and the answer is too coarse to be one
DENOMINATOR_MAX = 10**6
# Each row looks its value up among so many, one after the other.
CHOICES_MAX = 2**10

# A unit spends this much of an aggregate's loss on the answer for each unit on an end of its interval or on a count.
_WEIGHT = {RankSide.POINT: 3, RankSide.LOWER: 1, RankSide.UPPER: 1, RankSide.MOST: 3}
# Where rows are evenly dense, one end errs inward past the truth with probability exp(-shift/scale)/2: 2 % at ln 25.
_ENDS_APART = math.log(25.0)
# All bins beyond the outermost row together are chosen with probability e**-3 at most.
_OUTSIDE = 3.0
SPREAD_PARTS = 2**20
_ALPHA = 0.05
_SPREAD_MAX = 8  # times the way to an end: its chance is below 1e-10


def weight(rank: Rank | None) -> int:
    """Return the weight of a moment when a loss is split."""
    return 1 if rank is None else _WEIGHT[rank.side]


def is_extreme(rank: Rank) -> bool:
    """Tell whether the smallest or the largest value is looked for."""
    return rank.side is not RankSide.MOST and rank.numerator in (0, rank.denominator)


def bins_of(rank: Rank, row_lower: int, row_upper: int) -> int:
    """Return how many candidates a group has. Refuses (ValueError) bins without width and too many of them."""
    if rank.bin_steps < 1 or row_upper < row_lower:
        raise ValueError("a bin has at least one step")
    found = (row_upper - row_lower) // rank.bin_steps + 1
    if found > BINS_MAX:
        raise ValueError("there are too many bins")
    return found


def candidates_of(moment: Moment) -> int:
    """Return how many candidates a group of this moment has."""
    if moment.rank is None:
        raise ValueError("only a rank has candidates")
    return bins_of(moment.rank, moment.row_lower, moment.row_upper)


def outside(moment: Moment) -> float:
    """Return how many rows must lie beyond the rank looked for, so that no bin beyond all rows is likely to be chosen."""
    return _rows(moment) * (math.log(candidates_of(moment)) + _OUTSIDE)


def shift(moment: Moment) -> int:
    """Return how many rows the rank looked for lies above the fraction itself: public, as the scale is.

    The ends of an interval are looked for so far apart that they rarely err past the truth. The smallest and the largest
    value are looked for inside the rows: beyond them all bins look alike.
    """
    rank = moment.rank
    if rank is None:
        raise ValueError("only a rank is shifted")
    if rank.side is RankSide.MOST:
        return 0
    if rank.side is not RankSide.POINT:
        apart = math.ceil(_rows(moment) * _ENDS_APART)
        return -apart if rank.side is RankSide.LOWER else apart
    if not is_extreme(rank):
        return 0
    inward = math.ceil(outside(moment))
    return inward if rank.numerator == 0 else -inward


def relative_deviation(point: Moment, end: Moment) -> float:
    """Return the answer's standard deviation as a part of the distance between it and an end of its interval."""
    return math.sqrt(2.0) * _rows(point) / abs(shift(end))


def scores(counts: Sequence[int], rank: Rank, shifted: int) -> tuple[int, ...]:
    """Return the score of each bin of a group from its rows per bin: 0 where the bin holds what is looked for."""
    if rank.side is RankSide.MOST:
        most = max(counts, default=0)
        return tuple(min(TOTAL_MAX, most - count) for count in counts)
    upto = list(accumulate(counts))
    # numerator/denominator * rows + shifted, times the denominator
    wanted = rank.numerator * (upto[-1] if upto else 0) + rank.denominator * shifted
    return tuple(
        min(
            TOTAL_MAX,
            max(0, rank.denominator * (end - count) - wanted, wanted - rank.denominator * end),
        )
        for count, end in zip(counts, upto, strict=True)
    )


@dataclass(frozen=True, slots=True)
class RankLaw:
    """The error of a choice, in SPREAD_PARTS of the way from the answer to an end of its interval: it falls off
    exponentially on both sides.
    """

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return SPREAD_PARTS * math.sqrt(2.0) / math.log(1.0 / _ALPHA)

    def quantile(self, p: float) -> int:
        """Return the point that the error stays below with probability p; at 2.5 % and 97.5 % it is at an end."""
        way = min(_SPREAD_MAX, math.log(2.0 * min(p, 1.0 - p)) / math.log(_ALPHA))
        return round(math.copysign(way, p - 0.5) * SPREAD_PARTS)

    def half_width(self, alpha: float) -> int:
        """Return how far the error stays from 0 with probability 1 - alpha."""
        return self.quantile(1.0 - alpha / 2.0)


def _rows(moment: Moment) -> float:
    """Return the scale of a choice in rows."""
    if moment.rank is None:
        raise ValueError("only a rank has a scale in rows")
    return read_scale(moment.scale) / moment.rank.denominator
