"""Find out of which stored noisy totals a plan could be answered, so that nothing needs to be measured again.

Statement   Two vectors of one name are draws of one law but for the scale of their noise.
Reason      The name is a digest of everything else that fixes the law: the snapshot, the bounded relation, the keys, the
            moment, and where a unit may have to choose among its groups, the moments that take part in the choice
            (docs/proofs/reasking.md).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from policies.terms import PrivacyLoss
from sandbox import wire
from sandbox.algebra import Literal
from sandbox.boundary import Moment, MomentKind, Pick, Plan, Reuse, StepBase
from sandbox.privacy.composition import total

_NO_SCALE = (1.0).hex()


@dataclass(frozen=True, slots=True)
class Offer:
    """A stored vector: the `moment`-th of an operation's totals, with the noise it received. `age` grows with time."""

    operation: str
    age: int
    moment: int
    scale: str
    loss: PrivacyLoss


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plan whose moments claim the stored noise, and for each of them the stored vector to take."""

    plan: Plan
    offers: tuple[Offer, ...]

    @property
    def operations(self) -> tuple[str, ...]:
        """Return the operations whose totals are needed, each once."""
        return tuple(dict.fromkeys(offer.operation for offer in self.offers))


def names(plan: Plan, groups: int) -> tuple[str, ...]:
    """Name each vector that a plan measures. `groups` is how many keys it declares (the twin's count)."""
    laws = tuple(_law(plan, moment) for moment in plan.measurement.moments)
    measured = plan.measurement
    # Where groups are private, or shown in sets, their number is not that of the groups a unit may be in.
    unsure = measured.selection is not None or bool(plan.post.sets)
    company = _company(plan, laws) if unsure or groups > measured.groups_per_unit_max else ()
    if measured.sets:
        # Which moment is over which set is said by their numbers: whole measurements only are alike.
        return tuple(_digest((str(place), *laws)) for place in range(len(laws)))
    return tuple(_digest((law, *company)) for law in laws)


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _law(plan: Plan, moment: Moment) -> str:
    """Return the digest of one moment over the plan's relation, as if it were measured alone and for nothing."""
    alone = replace(
        plan.measurement,
        # Which columns are read is the sum of what the expressions read; a moment that is not asked takes no part.
        scans=tuple(replace(scan, columns=()) for scan in plan.measurement.scans),
        moments=(replace(moment, loss=_nothing(moment.loss), scale=_NO_SCALE),),
    )
    facts = (str(plan.format), plan.dataset, plan.snapshot, plan.accountant.value)
    return _digest((*facts, wire.digest(alone)))


def _company(plan: Plan, laws: tuple[str, ...]) -> tuple[str, ...]:
    """Name what decides among which groups a unit chooses: those where any moment of the plan is not 0.

    A moment that counts every row is 0 in none of the unit's groups, so beside it the others decide nothing; where nobody
    declared the groups, each unit's presence is such a moment.
    """
    if plan.measurement.selection is not None or any(
        _counts_every_row(moment) for moment in plan.measurement.moments
    ):
        return ("every row",)
    return tuple(sorted(laws))


def _counts_every_row(moment: Moment) -> bool:
    value = moment.value
    ones = isinstance(value, Literal) and type(value.value) is int and value.value == 1
    whole = (moment.step_base, moment.step_exponent) == (StepBase.TEN, 0)
    return ones and whole and min(moment.row_upper, moment.partial_upper) >= 1


def choose(plan: Plan, offers: tuple[tuple[Offer, ...], ...]) -> Chosen | None:
    """Choose for each moment the stored vector with the least noise, the oldest of equals; None if one lacks.

    A vector may stand for a moment if its noise is not wider than the asked loss would buy. The choice depends on
    scales and ages, which are public, and on no total.
    """
    moments = plan.measurement.moments
    fine = tuple(
        tuple(o for o in found if float.fromhex(o.scale) <= float.fromhex(moment.scale))
        for moment, found in zip(moments, offers, strict=True)
    )
    picked = _best_of_one(fine) if _is_whole(plan) else _best(fine)
    if picked is None:
        return None
    claimed = tuple(
        replace(moment, loss=offer.loss, scale=offer.scale)
        for moment, offer in zip(moments, picked, strict=True)
    )
    chosen = plan.measurement.selection
    spent = total((*(o.loss for o in picked), *((chosen.loss,) if chosen else ())))
    measurement = replace(plan.measurement, moments=claimed)
    return Chosen(replace(plan, measurement=measurement, loss=spent), picked)


def _is_whole(plan: Plan) -> bool:
    """Tell whether the vectors of two releases do not go together.

    Groups that nobody declared were chosen anew in each; a choice among bins and the ends of its interval were made for
    one another.
    """
    ranks = any(moment.kind is MomentKind.RANK for moment in plan.measurement.moments)
    return ranks or plan.measurement.selection is not None


def _best(fine: tuple[tuple[Offer, ...], ...]) -> tuple[Offer, ...] | None:
    return tuple(min(found, key=_noise) for found in fine) if all(fine) else None


def _best_of_one(fine: tuple[tuple[Offer, ...], ...]) -> tuple[Offer, ...] | None:
    whole = [
        tuple(min((o for o in found if o.operation == name), key=_noise) for found in fine)
        for name in dict.fromkeys(o.operation for found in fine for o in found)
        if all(any(o.operation == name for o in found) for found in fine)
    ]
    return min(whole, key=lambda picked: [_noise(o) for o in picked]) if whole else None


def _noise(offer: Offer) -> tuple[float, int, int]:
    return float.fromhex(offer.scale), offer.age, offer.moment


def reuse(chosen: Chosen, stored: Mapping[str, bytes]) -> Reuse | None:
    """Put the request to a finishing worker together from stored bytes; None if the totals are over different keys."""
    sources = tuple(wire.decode_noisy(stored[operation]) for operation in chosen.operations)
    if any((s.keys, s.sizes) != (sources[0].keys, sources[0].sizes) for s in sources):
        return None
    order = {operation: index for index, operation in enumerate(chosen.operations)}
    picks = tuple(Pick(order[offer.operation], offer.moment) for offer in chosen.offers)
    return Reuse(chosen.plan, sources, picks)


def _nothing(loss: PrivacyLoss) -> PrivacyLoss:
    return PrivacyLoss(loss.accountant, 1, 0)
