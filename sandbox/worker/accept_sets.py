"""Check a plan's grouping sets: which moment measures what, and how far one unit moves each of them.

A captured compiler gains from a coarse set that claims the sensitivity of the finest one: all kept groups of a unit may fall
into one coarse group, and the noise would be short by the root of their number. So every reach is derived here again.
"""

from dataclasses import replace

from sandbox.boundary import (
    SET_KEYS_MAX,
    SETS_MAX,
    GroupingSet,
    GroupKey,
    Measurement,
    Moment,
    MomentKind,
    PostProcess,
)
from sandbox.privacy import contribution
from sandbox.privacy.contribution import Sensitivity
from sandbox.privacy.grouping import reach_of


class WrongSets(ValueError):
    """The grouping sets do not say what each moment is, or cannot be answered from what is measured."""


def check_sets(measurement: Measurement, post: PostProcess) -> None:
    """Check keys and moments of every set, or raise WrongSets."""
    sets = measurement.sets
    if any(not 0 <= shown < max(1, len(sets)) for shown in post.sets) or len(post.sets) > SETS_MAX:
        raise WrongSets("an answer shows sets of the plan, and few of them")
    if measurement.selection is not None and (sets or post.sets):
        # Their sizes are nobody's to know, so an answer could not be cut into sets: it would fail after the noise was drawn.
        raise WrongSets("groups that nobody declared are of one set, shown once")
    if not sets:
        return
    if len(_declared(measurement)) != len(measurement.keys):  # also where nothing chooses them
        raise WrongSets("groups that nobody declared are of one set")
    if not 2 <= len(sets) <= SETS_MAX or len(measurement.keys) > SET_KEYS_MAX:
        raise WrongSets("there are several sets, and few of them; one alone has no name")
    if len({each.keys for each in sets}) != len(sets):
        raise WrongSets("a set is measured once")
    known = set(range(len(measurement.keys)))
    if {key for each in sets for key in each.keys} != known:
        raise WrongSets("the sets together are of all keys")
    if any(each.keys != tuple(sorted(set(each.keys))) for each in sets):
        raise WrongSets("the keys of a set are in order, each once")
    _check_moments(measurement)


def sensitivities(measurement: Measurement) -> tuple[Sensitivity, ...]:
    """Return how far one unit moves each moment, derived anew. `check_sets` has passed."""
    if not measurement.sets:
        return tuple(_over_all_keys(measurement, moment) for moment in measurement.moments)
    found: dict[int, Sensitivity] = {}
    for each in measurement.sets:
        reach = reach_of(_declared(measurement), measurement.groups_per_unit_max, each.keys)
        for place in each.moments:
            if place is not None:
                moment = measurement.moments[place]
                found[place] = contribution.set_sensitivity(
                    moment.kind, moment.partial_lower, moment.partial_upper, reach
                )
    return tuple(found[place] for place in range(len(measurement.moments)))


def _declared(measurement: Measurement) -> tuple[GroupKey, ...]:
    return tuple(key for key in measurement.keys if isinstance(key, GroupKey))


def _over_all_keys(measurement: Measurement, moment: Moment) -> Sensitivity:
    return contribution.sensitivity(
        moment.partial_lower, moment.partial_upper, measurement.groups_per_unit_max
    )


def _check_moments(measurement: Measurement) -> None:
    first = measurement.sets[0].moments
    if first != tuple(range(len(first))):
        raise WrongSets("the first set is of the first moments")
    places = [place for each in measurement.sets for place in each.moments if place is not None]
    # INVARIANT: a vector of two sets would be drawn once and paid for once.
    if sorted(places) != list(range(len(measurement.moments))):
        raise WrongSets("each moment is of one set")
    for each in measurement.sets:
        if len(each.moments) != len(first):
            raise WrongSets("a set says of each moment whether it is measured")
        for index, place in enumerate(each.moments):
            if place is None:
                _check_follows(measurement, each, index)
            elif not _alike(measurement.moments[place], measurement.moments[index]):
                raise WrongSets("a moment is the same over every set")


def _check_follows(measurement: Measurement, each: GroupingSet, index: int) -> None:
    """Only sums add up, and only over finer sets that were measured."""
    if measurement.moments[index].kind is not MomentKind.SUM:
        raise WrongSets("presences do not add up over groups")
    if not any(
        finer.moments[index] is not None and set(each.keys) <= set(finer.keys)
        for finer in measurement.sets
    ):
        raise WrongSets("a total has no parts that were measured")


def _alike(moment: Moment, other: Moment) -> bool:
    """Tell whether two moments are one over two sets: the same but for reach, loss and noise."""
    moved = replace(
        moment,
        sensitivity_l1=other.sensitivity_l1,
        sensitivity_l2_squared=other.sensitivity_l2_squared,
        loss=other.loss,
        scale=other.scale,
    )
    return moved == other
