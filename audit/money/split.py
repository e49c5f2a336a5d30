"""Share a whole number of fen by weights so that the shares add up to it exactly.

Method      Each claim gets floor(amount * weight / total); the fen left over go to the largest remainders, ties to the
            smaller party id. Every share is within one fen of its exact value, and all shares together are the amount.
            Negative amounts are split on their absolute value, so that a credit is the exact opposite of its charge.
Source      Largest-remainder (Hamilton) method.
"""

from dataclasses import dataclass
from math import lcm

from policies.pricing import BASIS_POINTS, SplitAgreement

# The stage name under which a platform's fixed part is shown.
PLATFORM_FIRST = "platform_first"


@dataclass(frozen=True, slots=True)
class Claim:
    """A party's part in one stage, as a whole weight comparable with every other claim of the agreement."""

    stage: str
    party: str
    weight: int


@dataclass(frozen=True, slots=True)
class Share:
    """What a party gets for one stage."""

    stage: str
    party: str
    amount_fen: int


def claims(agreement: SplitAgreement) -> tuple[Claim, ...]:
    """Bring weights inside stages, weights of stages and the platform's part to one common scale."""
    # Bringing all to one scale first means rounding once; rounding per stage would lose a fen per stage.
    scale = lcm(*(sum(share.weight for share in stage.shares) for stage in agreement.stages))
    first = agreement.platform_first
    rest = BASIS_POINTS - first.basis_points if first else 1
    found = [
        Claim(
            stage.name,
            share.party,
            rest
            * stage.weight
            * share.weight
            * (scale // sum(other.weight for other in stage.shares)),
        )
        for stage in agreement.stages
        for share in stage.shares
    ]
    if first:
        stages = sum(stage.weight for stage in agreement.stages) * scale
        found.append(Claim(PLATFORM_FIRST, first.party, first.basis_points * stages))
    return tuple(found)


def split(amount_fen: int, agreement: SplitAgreement) -> tuple[Share, ...]:
    """Return every claim's share of `amount_fen`, in the order of the agreement."""
    asked = claims(agreement)
    total = sum(claim.weight for claim in asked)
    magnitude, sign = abs(amount_fen), 1 if amount_fen >= 0 else -1
    floors = [magnitude * claim.weight // total for claim in asked]
    remainders = [magnitude * claim.weight % total for claim in asked]
    left = magnitude - sum(floors)
    order = sorted(
        range(len(asked)), key=lambda i: (-remainders[i], asked[i].party, asked[i].stage)
    )
    for i in order[:left]:
        floors[i] += 1
    return tuple(
        Share(claim.stage, claim.party, sign * fen)
        for claim, fen in zip(asked, floors, strict=True)
    )
