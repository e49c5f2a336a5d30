"""Add the noise: the only way from exact totals to anything that can leave.

Statement   For every plan that `accept` accepted, the noisy vectors together cost at most the plan's loss.
Reason      docs/proofs/noise.md: each moment is one draw of one vector measurement whose privacy map is checked again
            here, and losses add.
"""

from sandbox.boundary import Measurement, Pick
from sandbox.boundary import NoisyAggregates as NoisyAggregates
from sandbox.privacy import measurements
from sandbox.worker.execute import ExactAggregates


def add_noise(measurement: Measurement, exact: ExactAggregates) -> NoisyAggregates:
    """Return the totals with fresh noise, one draw per moment, or raise NotProved before any draw."""
    claims = measurement.moments
    if len(claims) != len(exact.moments):
        raise measurements.NotProved("a moment has no claim")
    for claim in claims:
        measurements.prove(
            claim.loss.accountant,
            claim.sensitivity_l1,
            claim.sensitivity_l2_squared,
            claim.scale,
            claim.loss,
        )
    return NoisyAggregates(
        exact.keys,
        tuple(
            measurements.draw(claim.loss.accountant, claim.scale, totals)
            for claim, totals in zip(claims, exact.moments, strict=True)
        ),
        exact.sizes,
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
