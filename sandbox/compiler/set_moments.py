"""Which grouping sets are measured, and with what share of the loss.

Every set that no other contains is measured. A coarser sum may also be left to follow from its parts: with few parts the
noise of a share of the loss is worse than that of the parts together. Tried in turn is the set whose measurement helps most;
what helps is a smaller product of the deviations of all sets asked for. Sizes are declared, so nothing about data decides.
"""

from dataclasses import dataclass
from math import log

from policies.refusals import Refused, Stage
from policies.terms import Accountant, PrivacyLoss
from sandbox.boundary import GroupingSet, GroupKey, MomentKind
from sandbox.compiler.amounts import amount
from sandbox.compiler.bound import BoundedMoment, BoundedQuery
from sandbox.compiler.private_keys import declared
from sandbox.privacy import contribution
from sandbox.privacy.composition import shares as shares_of
from sandbox.privacy.composition import split
from sandbox.privacy.consistency import Keys
from sandbox.privacy.grouping import reach_of, values_at_most
from sandbox.privacy.ranks import weight
from sandbox.privacy.spread import Noisy, variances


@dataclass(frozen=True, slots=True)
class Share:
    """One moment over one grouping set, and the loss it may cost."""

    moment: BoundedMoment
    loss: PrivacyLoss


@dataclass(frozen=True, slots=True)
class SetMoments:
    """The moments of a measurement with their losses, its grouping sets, and the order in which the answer shows them."""

    shares: tuple[Share, ...]
    sets: tuple[GroupingSet, ...]
    shown: tuple[int, ...]


def share_out(bounded: BoundedQuery, loss: PrivacyLoss) -> SetMoments:
    """Share the loss over the moments by their weights, and each moment's share equally over the sets it is measured in.

    Refuses: a loss too small to split.
    """
    listed = bounded.permitted.query.sets
    if listed:
        _check_kinds(bounded)
    everything = tuple(range(len(bounded.keys)))
    sets = tuple(sorted(dict.fromkeys(listed), key=len, reverse=True)) or (everything,)
    measured = [_measured_in(moment, sets, bounded, loss.accountant) for moment in bounded.moments]
    weights = tuple(weight(moment.spec.rank) for moment in bounded.moments)
    try:
        losses = [
            split(share, len(each))[0]
            for share, each in zip(shares_of(loss, weights), measured, strict=True)
        ]
    except ValueError:
        count = sum(map(len, measured))
        raise Refused("loss_too_small", Stage.PLAN, asked=amount(loss), moments=count) from None
    shares: list[Share] = []
    groupings = []
    for keys in sets:
        places: list[int | None] = []
        for moment, share, each in zip(bounded.moments, losses, measured, strict=True):
            places.append(len(shares) if keys in each else None)
            if keys in each:
                shares.append(Share(_over(moment, keys, bounded), share))
        groupings.append(GroupingSet(keys, tuple(places)))
    shown = tuple(sets.index(each) for each in listed)
    return SetMoments(
        tuple(shares),
        tuple(groupings) if len(sets) > 1 else (),
        () if shown == tuple(range(len(sets))) else shown,
    )


def _check_kinds(bounded: BoundedQuery) -> None:
    """Refuse an aggregate whose moments are no sums, presences or distinct values: its answer does not follow set by set."""
    known = (MomentKind.SUM, MomentKind.PRESENCE, MomentKind.DISTINCT)
    for resolved, made in zip(bounded.permitted.query.aggregates, bounded.aggregates, strict=True):
        if any(bounded.moments[index].spec.kind not in known for index in made.moments):
            raise Refused(
                "sql_feature_refused",
                Stage.PLAN,
                at=resolved.at,
                what=f"{resolved.words} over several grouping sets",
                cure="ask for it in one query for each grouping",
            )


def _over(moment: BoundedMoment, keys: Keys, bounded: BoundedQuery) -> BoundedMoment:
    if len(keys) == len(bounded.keys):
        return moment
    reach = reach_of(declared(bounded.keys), bounded.groups_per_unit_max, keys)
    moved = contribution.set_sensitivity(
        moment.spec.kind, moment.partial_lower, moment.partial_upper, reach
    )
    return BoundedMoment(moment.spec, moment.partial_lower, moment.partial_upper, moved)


def _measured_in(
    moment: BoundedMoment, sets: tuple[Keys, ...], bounded: BoundedQuery, accountant: Accountant
) -> tuple[Keys, ...]:
    """Return the sets in which a moment is measured; presences do not add up, so theirs are all."""
    if moment.spec.kind is not MomentKind.SUM or len(sets) == 1:
        return sets
    chosen = [each for each in sets if not any(set(each) < set(other) for other in sets)]
    asked = _Asked(declared(bounded.keys), bounded.groups_per_unit_max, sets, accountant)
    best = asked.cost(chosen)
    while len(chosen) < len(sets):
        tried = [(asked.cost([*chosen, each]), each) for each in sets if each not in chosen]
        cost, each = min(tried)
        if cost >= best:
            break
        best = cost
        chosen.append(each)
    return sets if asked.cost(list(sets)) < best else tuple(k for k in sets if k in chosen)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every choice of measured sets is compared for."""

    keys: tuple[GroupKey, ...]
    groups_per_unit_max: int
    sets: tuple[Keys, ...]
    accountant: Accountant

    def cost(self, measured: list[Keys]) -> float:
        """Return the logarithm of the product of all sets' deviations; the size of a partial drops out."""
        sizes = {index: values_at_most(key) for index, key in enumerate(self.keys)}
        noise = tuple(Noisy(keys, 1.0, self._variance(keys, len(measured))) for keys in measured)
        return sum(log(found) for found in variances(sizes, noise, self.sets))

    def _variance(self, keys: Keys, shares: int) -> float:
        """Return the noise of a set at a loss of 1, for a clip of 1."""
        moved = contribution.set_sensitivity(
            MomentKind.SUM, 0, 1, reach_of(self.keys, self.groups_per_unit_max, keys)
        )
        if self.accountant is Accountant.PURE_EPS:
            return 2.0 * (moved.l1 * shares) ** 2
        return moved.l2_squared * shares / 2.0
