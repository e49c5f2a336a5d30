"""Derive the claims of a rank again: its candidates, how far one unit moves their scores, and the noise that this needs.

Statement   An accepted rank costs at most its loss, and the aggregate that names it is the one it says it is.
Reason      docs/proofs/quantiles.md, theorem 1. The width of a bin is free to choose: it moves no score.
"""

from math import gcd

from policies.terms import Accountant, AggregateName
from sandbox.boundary import (
    Measurement,
    Moment,
    MomentKind,
    NoisyAggregate,
    Rank,
    RankSide,
    StepBase,
)
from sandbox.privacy import contribution, measurements
from sandbox.privacy.aggregates.mode import most_of
from sandbox.privacy.aggregates.quantile import FRACTIONS, sides_of
from sandbox.privacy.ranks import CHOICES_MAX, DENOMINATOR_MAX, candidates_of
from sandbox.worker.steps import fits


class NotThatRank(ValueError):
    """A claim about a rank differs from what follows here."""


def check_rank(moment: Moment, measurement: Measurement, accountant: Accountant) -> None:
    """Check the bins, the fraction, the sensitivity and the scale of a rank, or raise NotThatRank."""
    rank, groups_max = moment.rank, measurement.groups_per_unit_max
    if rank is None:
        raise NotThatRank("a rank says which one")
    if rank.side is RankSide.MOST:
        _check_choices(rank, moment)
    elif rank.choices or not fits(moment.value.type, moment):
        raise NotThatRank("a rank is of values in steps")
    if measurement.sets:
        # The groups of a coarse set hold several of a unit's, and so more of its rows.
        raise NotThatRank("a rank is of one grouping set")
    if measurement.selection is not None:
        # How many candidates there are would depend on how many groups there are.
        raise NotThatRank("a rank is of declared groups")
    candidates_of(moment)
    if not 1 <= rank.denominator <= DENOMINATOR_MAX or gcd(rank.numerator, rank.denominator) != 1:
        raise NotThatRank("a fraction is in lowest terms")
    derived = contribution.bound_partials(
        moment.kind, moment.row_lower, moment.row_upper, moment.partial_upper
    )
    if derived != (moment.partial_lower, moment.partial_upper):
        raise NotThatRank("a unit has from 0 rows on in a group")
    moved = contribution.rank_sensitivity(rank, moment.partial_upper, groups_max)
    if (moved.l1, moved.l2_squared) != (moment.sensitivity_l1, moment.sensitivity_l2_squared):
        raise NotThatRank("the sensitivity is not the one that follows")
    reach = moved.l1 // groups_max
    if moment.scale != measurements.calibrate_choice(accountant, reach, groups_max, moment.loss):
        raise NotThatRank("the scale is not the one that follows")


def _check_choices(rank: Rank, moment: Moment) -> None:
    """Check that the value of most rows is looked for among distinct values, one bin each.

    Which values they are moves no score: a captured compiler that named others would get another question answered.
    """
    if not 1 <= len(rank.choices) <= CHOICES_MAX or rank != most_of(rank.choices):
        raise NotThatRank("what most rows have is one of the choices, and no fraction of them")
    if None in rank.choices or len(set(rank.choices)) != len(rank.choices):
        raise NotThatRank("each choice is a value, and is there once")
    steps = (moment.step_base, moment.step_exponent, moment.row_lower, moment.row_upper)
    if steps != (StepBase.TEN, 0, 0, len(rank.choices) - 1):
        raise NotThatRank("a choice is counted by its place")


def check_order(aggregate: NoisyAggregate, used: tuple[Moment, ...]) -> None:
    """Check that an order statistic is made of the choices of one rank and of a count, or raise NotThatRank."""
    *ranks, count = used
    first = ranks[0].rank if ranks else None
    if first is None or count.kind is not MomentKind.SUM:
        raise NotThatRank("an order statistic has ranks and a count")
    if (aggregate.name is AggregateName.MODE) is not (first.side is RankSide.MOST):
        raise NotThatRank("a mode is what most rows have, and nothing else is")
    if first.side is RankSide.MOST:
        return
    fraction = FRACTIONS.get(aggregate.name, (first.numerator, first.denominator))
    wanted = tuple(Rank(*fraction, side, first.bin_steps) for side in sides_of(first))
    if first.side is not RankSide.POINT or tuple(m.rank for m in ranks) != wanted:
        raise NotThatRank("the rank is not the one the aggregate names")
    if any(_candidates(moment) != _candidates(ranks[0]) for moment in ranks):
        raise NotThatRank("the ends of an interval are of the same values as the answer")


def _candidates(moment: Moment) -> tuple[object, ...]:
    steps = (moment.step_base, moment.step_exponent, moment.row_lower, moment.row_upper)
    return (moment.value, *steps, moment.partial_upper)
