"""Which groups one unit can reach in a grouping set: from the declared keys alone, the same on both sides of the boundary."""

from math import prod

from sandbox.boundary import GroupingSet, GroupKey, Measurement, Moment
from sandbox.privacy.contribution import Reach
from sandbox.privacy.domain_size import domain_size


def values_at_most(key: GroupKey) -> int:
    """Return a number of values that a declared key never exceeds, NULL included.

    Reason: constants as they are listed; else an expression has at most one value for each combination of its columns'
    declared values, each of which may also be NULL.
    """
    if key.outcomes:
        return len(key.outcomes) + key.with_null
    return prod(domain_size(source.values) + 1 for source in key.sources) + key.with_null


def reach_of(
    keys: tuple[GroupKey, ...], groups_per_unit_max: int, chosen: tuple[int, ...]
) -> Reach:
    """Return where one unit's kept groups of all keys may lie in the grouping set of the `chosen` keys."""
    groups = prod(values_at_most(keys[index]) for index in chosen)
    beneath = prod(values_at_most(key) for index, key in enumerate(keys) if index not in chosen)
    kept = min(groups_per_unit_max, groups * beneath)
    return Reach(kept, min(kept, beneath), groups)


def sets_of(measurement: Measurement) -> tuple[GroupingSet, ...]:
    """Return the grouping sets of a measurement; without any, the one of all keys and all moments."""
    if measurement.sets:
        return measurement.sets
    everything = tuple(range(len(measurement.keys))), tuple(range(len(measurement.moments)))
    return (GroupingSet(*everything),)


def finest_moments(measurement: Measurement) -> tuple[Moment, ...]:
    """Return the moments as they are taken over all keys: those of the first set. The others repeat them, coarser."""
    return measurement.moments[: len(sets_of(measurement)[0].moments)]
