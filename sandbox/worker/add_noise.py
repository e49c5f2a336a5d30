"""Add the noise: the only way from exact totals to anything that can leave.

Statement   For every plan that `accept` accepted, the noisy vectors together cost at most the plan's loss.
Reason      docs/proofs/noise.md: each moment is one draw of one vector measurement whose privacy map is checked again
            here, and losses add. Groups that nobody declared are chosen first, at a loss of their own; a rank is one choice
            in each group (docs/proofs/quantiles.md).
"""

from policies.terms import Scalar
from sandbox.boundary import Measurement, Moment, MomentKind, Pick
from sandbox.boundary import NoisyAggregates as NoisyAggregates
from sandbox.privacy import measurements, ranks
from sandbox.worker.execute import ExactAggregates
from sandbox.worker.select_keys import select_keys


def add_noise(measurement: Measurement, exact: ExactAggregates) -> NoisyAggregates:
    """Return the totals with fresh noise, one draw per moment, or raise NotProved before any draw."""
    claims = measurement.moments
    if len(claims) != len(exact.moments):
        raise measurements.NotProved("a moment has no claim")
    for claim in claims:
        _prove(claim, measurement.groups_per_unit_max)
    keys, totals = _chosen(measurement, exact)
    return NoisyAggregates(
        keys,
        tuple(
            _draw(claim, vector, len(keys)) for claim, vector in zip(claims, totals, strict=True)
        ),
        exact.sizes,
    )


def _chosen(
    measurement: Measurement, exact: ExactAggregates
) -> tuple[tuple[tuple[Scalar, ...], ...], tuple[tuple[int, ...], ...]]:
    """Return keys and totals of the groups that are shown: all declared ones, or those that are chosen."""
    if (measurement.selection is None) is not (exact.present is None):
        raise measurements.NotProved("groups that rows decide are not released as they are")
    if measurement.selection is None or exact.present is None:
        return exact.keys, exact.moments
    if len(exact.keys) != len(exact.present.units):
        raise measurements.NotProved("each group has its number of units")
    places = select_keys(measurement.selection, measurement.groups_per_unit_max, exact.present)
    return (
        tuple(exact.keys[place] for place in places),
        tuple(tuple(vector[place] for place in places) for vector in exact.moments),
    )


def put_together(
    measurement: Measurement, sources: tuple[NoisyAggregates, ...], picks: tuple[Pick, ...]
) -> NoisyAggregates:
    """Return the picked vectors of stored totals as totals of their own: noise was added to all of them before.

    Refuses (ValueError) totals over different keys, and picks of what is not there.
    """
    if len(picks) != len(measurement.moments):
        raise ValueError("each moment has its stored vector")
    used = [sources[pick.source] for pick in picks if 0 <= pick.source < len(sources)]
    if (
        len(used) != len(picks)
        or not used
        or any((one.keys, one.sizes) != (used[0].keys, used[0].sizes) for one in used)
    ):
        raise ValueError("stored totals are put together over the same keys only")
    vectors = tuple(
        one.moments[pick.moment]
        for one, pick in zip(used, picks, strict=True)
        if 0 <= pick.moment < len(one.moments)
    )
    lengths = {len(vector) for vector in vectors}
    # Over grouping sets each vector is as long as its own set.
    if len(vectors) != len(picks) or (not measurement.sets and lengths != {len(used[0].keys)}):
        raise ValueError("a stored vector has one total for each key")
    return NoisyAggregates(used[0].keys, vectors, used[0].sizes)


def _prove(claim: Moment, groups_max: int) -> None:
    if claim.kind is MomentKind.RANK:
        reach = claim.sensitivity_l1 // groups_max
        measurements.prove_choice(claim.loss.accountant, reach, groups_max, claim.scale, claim.loss)
        return
    measurements.prove(
        claim.loss.accountant,
        claim.sensitivity_l1,
        claim.sensitivity_l2_squared,
        claim.scale,
        claim.loss,
    )


def _draw(claim: Moment, totals: tuple[int, ...], groups: int) -> tuple[int, ...]:
    if claim.rank is None:
        return measurements.draw(claim.loss.accountant, claim.scale, totals)
    bins, shifted = ranks.candidates_of(claim), ranks.shift(claim)
    if len(totals) != groups * bins:
        raise measurements.NotProved("a group has no rows per bin")
    return tuple(
        measurements.choose(
            claim.loss.accountant,
            claim.scale,
            ranks.scores(totals[start : start + bins], claim.rank, shifted),
        )
        for start in range(0, len(totals), bins)
    )
