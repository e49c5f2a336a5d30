"""How far one privacy unit can move one moment: the only source of sensitivity.

Statement   With every partial of a unit clipped to [partial_lower, partial_upper] and at most groups_max partials kept,
            adding or removing the unit moves the vector of totals by at most `l1` in the L1 norm and by at most the
            square root of `l2_squared` in the L2 norm.
Reason      docs/proofs/bounded_aggregation.md, theorem 1.
Source      Wilson et al., Differentially Private SQL with Bounded User Contribution, 2020, section 3.
"""

from dataclasses import dataclass

from sandbox.boundary import STEPS_MAX, TOTAL_MAX, MomentKind, Rank


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How far one unit moves a moment. Units: steps, and steps squared."""

    l1: int
    l2_squared: int


def bound_partials(
    kind: MomentKind, row_lower: int, row_upper: int, rows_per_group_max: int
) -> tuple[int, int]:
    """Return the interval that a unit's partial in one group is clipped to.

    The interval holds 0: a unit without rows is at 0, so a clip above 0 would let an absent unit move a total.
    Units: steps. Refuses rows beyond STEPS_MAX and partials beyond TOTAL_MAX (ValueError).
    """
    if rows_per_group_max < 1:
        raise ValueError("rows per group must be at least 1")
    if not -STEPS_MAX <= row_lower <= row_upper <= STEPS_MAX:
        raise ValueError("row bounds must be ordered and within the largest step")
    if kind is MomentKind.PRESENCE:
        return 0, 1
    if kind is MomentKind.DISTINCT and (row_lower, row_upper) != (0, 1):
        raise ValueError("a row brings one value or none")
    if kind is MomentKind.RANK:
        return 0, rows_per_group_max
    lower = min(0, rows_per_group_max * row_lower)
    upper = max(0, rows_per_group_max * row_upper)
    if max(-lower, upper) > TOTAL_MAX:
        raise ValueError("partial bounds must stay within the largest total")
    return lower, upper


def rank_sensitivity(rank: Rank, rows_per_group_max: int, groups_max: int) -> Sensitivity:
    """Return how far one unit moves the scores of a rank's candidates: `l1` and `l2_squared` over groups of the largest
    move of any one score in the group.

    One row moves a score by at most max(numerator, denominator - numerator): docs/proofs/quantiles.md, lemma 3. The value
    of most rows is claimed as 0 of 1, and one row moves its scores by at most 1: lemma 4.
    Refuses (ValueError) a fraction outside [0, 1] and a sensitivity beyond TOTAL_MAX.
    """
    if not 0 <= rank.numerator <= rank.denominator or rank.denominator < 1:
        raise ValueError("a fraction lies between 0 and 1")
    reach = rows_per_group_max * max(rank.numerator, rank.denominator - rank.numerator)
    return sensitivity(0, reach, groups_max)


def sensitivity(partial_lower: int, partial_upper: int, groups_max: int) -> Sensitivity:
    """Return how far one unit moves the vector of clipped partials over all groups.

    A moment that can only be 0 counts as 1 step: noise of scale 0 is no noise, and claiming more is always sound.
    Refuses an interval without 0 and a sensitivity beyond TOTAL_MAX (ValueError).
    """
    if groups_max < 1:
        raise ValueError("groups per unit must be at least 1")
    reach = _largest(partial_lower, partial_upper)
    return _held(groups_max * reach, groups_max * reach * reach)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where one unit's kept groups may lie in one grouping set.

    `kept` groups of all keys at most, of which at most `together` fall into one group of the set; `groups` of the set at most.
    """

    kept: int
    together: int
    groups: int


def set_sensitivity(
    kind: MomentKind, partial_lower: int, partial_upper: int, reach: Reach
) -> Sensitivity:
    """Return how far one unit moves the vector over the groups of a grouping set.

    A sum adds up the unit's kept partials; a presence is 1 in each group of the set that one of them falls into;
    distinct values of several groups are at most as many as in all of them together, so the bound of a sum holds.
    Reason: docs/proofs/grouping_sets.md, theorem 1, and distinct_values.md.
    Refuses (ValueError) as `sensitivity` does, a reach below 1, and every other kind of moment.
    """
    if kind not in (MomentKind.SUM, MomentKind.PRESENCE, MomentKind.DISTINCT):
        raise ValueError("sums, presences and distinct values are taken over grouping sets")
    if min(reach.kept, reach.together, reach.groups) < 1:
        raise ValueError("a unit reaches at least one group")
    largest = _largest(partial_lower, partial_upper)
    if kind is MomentKind.PRESENCE:
        present = min(reach.kept, reach.groups)
        return _held(present * largest, present * largest**2)
    together = min(reach.together, reach.kept)
    full, rest = divmod(reach.kept, together)
    return _held(reach.kept * largest, (full * together**2 + rest**2) * largest**2)


def _largest(partial_lower: int, partial_upper: int) -> int:
    """Return the largest magnitude of a clipped partial, at least 1."""
    if not partial_lower <= 0 <= partial_upper:
        raise ValueError("partial bounds must hold 0")
    return max(1, -partial_lower, partial_upper)


def _held(l1: int, l2_squared: int) -> Sensitivity:
    if l1 > TOTAL_MAX:
        raise ValueError("sensitivity must stay within the largest total")
    return Sensitivity(l1=l1, l2_squared=l2_squared)
