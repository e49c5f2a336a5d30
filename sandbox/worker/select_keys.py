"""Choose which undeclared groups are shown: by noisy counts of their units against the plan's threshold.

Statement   Which groups are returned costs at most the selection's loss, and of any other group nothing is left.
Reason      docs/proofs/partition_selection.md: the threshold's mathematics is checked again here, before the draw. Dropping
            the surplus looks at the chosen groups and a keyed hash of each alone, so it is post-processing.
Not promised  Which groups were left out, or how many: neither is counted, returned, billed or waited for.
"""

from policies.terms import Accountant
from sandbox.boundary import Selection
from sandbox.privacy import measurements
from sandbox.privacy.partition_selection import delta_of
from sandbox.worker.present_keys import Present


def select_keys(
    selection: Selection, groups_per_unit_max: int, present: Present
) -> tuple[int, ...]:
    """Return the positions of the chosen groups, in order, or raise NotProved before any draw."""
    if len(present.units) != len(present.places):
        raise measurements.NotProved("each group has its number of units and its place")
    prove_selection(selection, groups_per_unit_max)
    if any(units < selection.units_least for units in present.units):
        raise measurements.NotProved("a group has fewer units than one that is looked at")
    noisy = measurements.draw(Accountant.APPROX_ZCDP, selection.scale, present.units)
    chosen = [place for place, units in enumerate(noisy) if units >= selection.threshold]
    # INVARIANT: the surplus falls by a hash of each key. Dropped by count, or before the noise, it would tell of the rest.
    first = sorted(chosen, key=lambda place: present.places[place])[: selection.keys_max]
    return tuple(sorted(first))


def prove_selection(selection: Selection, groups_per_unit_max: int) -> None:
    """Check that noise and threshold cost at most the selection's loss, or raise NotProved."""
    most = groups_per_unit_max
    measurements.prove(Accountant.APPROX_ZCDP, most, most, selection.scale, selection.loss)
    distance = selection.threshold - selection.units_least
    if selection.units_least < 1 or distance < 1:
        raise measurements.NotProved("the threshold lies above the least number of units")
    if delta_of(selection.scale, most, distance) > selection.loss.delta:
        raise measurements.NotProved("a group of one unit shows too often")
