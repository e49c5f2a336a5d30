"""Add the noise: the only way from exact totals to anything that can leave.

Statement   For every plan that `accept` accepted, the noisy vectors together cost at most the plan's loss.
Reason      docs/proofs/noise.md: each moment is one draw of one vector measurement whose privacy map is checked again
            here, and losses add.
"""

from dataclasses import dataclass

from policies.terms import Scalar
from sandbox.boundary import Measurement
from sandbox.privacy import measurements
from sandbox.worker.execute import ExactAggregates


@dataclass(frozen=True, slots=True)
class NoisyAggregates:
    """Noisy totals, one vector per moment, aligned with `keys`. Everything computed from them alone is free.

    With grouping sets keys and vectors go set after set, as in `ExactAggregates`; `sizes` are public.
    """

    keys: tuple[tuple[Scalar, ...], ...]
    moments: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...] = ()


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
