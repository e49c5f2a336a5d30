"""What the ledger is asked and what it answers."""

import re
from dataclasses import dataclass
from datetime import datetime

from audit.charge import PRIVACY_UNITS, Charge, Unit
from audit.log.fields import AMOUNT_MAX
from audit.money.metering import Usage
from audit.money.rating import Quote
from audit.store.cells import Kept
from audit.store.operations import State, StoredRelease

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
KEY_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what a query was accepted: facts of text, policy and ledger, never of data.

    policies, plan, agreement   `sha256:` digests of the documents that decided
    snapshots                   hiding commitments of the snapshots in use
    shape                       keyed tag of the query's shape (audit.log.commitment.shape_tag)
    """

    purpose: str
    family: str
    policies: tuple[str, ...]
    plan: str
    agreement: str
    snapshots: tuple[str, ...]
    shape: str
    usage: Usage
    quote: Quote

    def fields(self) -> dict[str, object]:
        """Write the terms as a leaf does."""
        return {
            "purpose": self.purpose,
            "family": self.family,
            "policies": list(self.policies),
            "plan": self.plan,
            "agreement": self.agreement,
            "snapshots": list(self.snapshots),
            "shape": self.shape,
            "usage": self.usage.fields(),
            "quote": self.quote.fields(),
        }


@dataclass(frozen=True, slots=True)
class Request:
    """One reservation. `request_digest` covers all the client sent, so that a key cannot be used for two questions."""

    operation_id: str
    client_id: str
    idempotency_key: str
    request_digest: str
    charges: tuple[Charge, ...]
    deadline: datetime
    terms: Terms

    def charge_fields(self) -> list[dict[str, str]]:
        """Write the charges as a leaf does."""
        return [
            {"account": c.account_id, "unit": c.unit.value, "amount": str(c.amount)}
            for c in self.charges
        ]


@dataclass(frozen=True, slots=True)
class Posting:
    """An answer on its way into the ledger, with the right to settle its operation.

    `kept` are the noisy totals it was made from: as durable as the answer, as the loss, as the leaf.
    """

    operation_id: str
    fence: str
    content: bytes
    cell_digest: str
    kept: Kept | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. `index` is the leaf a receipt is made for; `release` is there once there is an answer."""

    operation_id: str
    state: State
    index: int
    reason: str | None
    touched: bool | None
    release: StoredRelease | None


@dataclass(frozen=True, slots=True)
class Reserved:
    """The charges are held. `fence` is the right to start and to settle; keep it inside the gateway."""

    fence: str
    index: int


@dataclass(frozen=True, slots=True)
class Insufficient:
    """Nothing was held, because this account cannot bear its charge."""

    account_id: str
    asked: int
    available: int
    cap: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same request was made before; this is what became of it. It may still be open."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key or the operation id was used for another request."""

    operation_id: str


@dataclass(frozen=True, slots=True)
class NotStored:
    """Nobody has asked this question of this snapshot yet."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The release is durable. `index` is its leaf, `usage_index` that of its usage record."""

    index: int
    usage_index: int


@dataclass(frozen=True, slots=True)
class Reused:
    """The stored release, or one made from stored totals, under a leaf of its own."""

    index: int
    release: StoredRelease


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many open operations were voided (never started) and failed (may have read rows)."""

    voided: int
    failed: int


def check_request(request: Request) -> None:
    """Refuse a reservation that no correct gateway makes."""
    _check_common(request)
    if not any(charge.unit in PRIVACY_UNITS for charge in request.charges):
        raise ValueError("a query of private data charges at least one privacy account")
    if not any((request.terms.usage.epsilon_nano, request.terms.usage.rho_nano)):
        raise ValueError("a usage record of a new release has its loss")


def check_reuse(request: Request) -> None:
    """Refuse a reuse that charges a loss: the noise was drawn and paid for once."""
    _check_common(request)
    if any(charge.unit is not Unit.MICRO_YUAN for charge in request.charges):
        raise ValueError("a stored answer charges money only")
    if any((request.terms.usage.epsilon_nano, request.terms.usage.rho_nano)):
        raise ValueError("a usage record of a stored answer has no loss")


def _check_common(request: Request) -> None:
    if not 0 < len(request.idempotency_key) <= KEY_CHARACTERS_MAX:
        raise ValueError(f"an idempotency key has 1 to {KEY_CHARACTERS_MAX} characters")
    if _DIGEST.fullmatch(request.request_digest) is None:
        raise ValueError("a request digest is `sha256:` and 64 hexadecimal digits")
    names = [charge.account_id for charge in request.charges]
    if len(set(names)) != len(names):
        raise ValueError("charges name each account once; add them up")
    for charge in request.charges:
        _check_charge(charge, request.terms.quote)


def _check_charge(charge: Charge, quote: Quote) -> None:
    if not 0 <= charge.amount <= AMOUNT_MAX:
        raise ValueError(f"charge of `{charge.account_id}` is outside 0 to 2**63 - 1")
    if charge.unit is Unit.MICRO_YUAN and charge.amount != quote.due_uy:
        raise ValueError(
            f"charge of `{charge.account_id}` differs from the quote; quote = hold = bill"
        )
    if charge.unit is Unit.FAILURES and charge.amount != 1:
        raise ValueError(f"charge of `{charge.account_id}` is not one failure")
    # Delta may be 0 under zCDP without threshold; a primary loss of 0 would be an answer for free.
    if charge.unit in (Unit.EPS_NANO, Unit.RHO_NANO) and charge.amount == 0:
        raise ValueError(f"charge of `{charge.account_id}` is a loss of nothing")
