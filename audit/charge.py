"""Units of account and the one rule that says what an ending does to a hold.

The ledger applies the rule when it settles, the fold when it replays the log, so that both tell one story.
"""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What an account counts; fixed when it is opened, never converted."""

    EPS_NANO = "eps_nano"
    RHO_NANO = "rho_nano"
    DELTA_E18 = "delta_e18"
    MICRO_YUAN = "micro_yuan"
    FAILURES = "failures"


PRIVACY_UNITS = frozenset({Unit.EPS_NANO, Unit.RHO_NANO, Unit.DELTA_E18})


class Ending(StrEnum):
    """How an accepted query ended."""

    RELEASED = "released"
    FAILED_TOUCHED = "failed_touched"
    FAILED_UNTOUCHED = "failed_untouched"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one query takes from one account."""

    account_id: str
    unit: Unit
    amount: int


def added_up(*charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """Return one charge for each account, in the order in which they first come."""
    found: dict[tuple[str, Unit], int] = {}
    for charge in (charge for several in charges for charge in several):
        key = (charge.account_id, charge.unit)
        found[key] = found.get(key, 0) + charge.amount
    return tuple(Charge(name, unit, amount) for (name, unit), amount in found.items())


@dataclass(frozen=True, slots=True)
class Balance:
    """Where one account stands. `available` may be below zero after a cap was lowered."""

    account_id: str
    unit: Unit
    cap: int
    posted: int
    held: int

    @property
    def available(self) -> int:
        return self.cap - self.posted - self.held


# Why a worker that was started may still be known to have read nothing. Every other reason spends.
UNTOUCHED_REASONS = frozenset({"runtime_unavailable", "plan_rejected"})


def is_spent(unit: Unit, ending: Ending) -> bool:
    """Return whether a hold of `unit` is posted (True) or given back (False) by `ending`.

    Reason      Once rows were touched the failure itself may be a signal, so the loss is spent. Nobody pays for no
                answer. A failure is counted only when it may have revealed its one bit.
    """
    if unit in PRIVACY_UNITS:
        return ending in (Ending.RELEASED, Ending.FAILED_TOUCHED)
    if unit is Unit.MICRO_YUAN:
        return ending is Ending.RELEASED
    return ending is Ending.FAILED_TOUCHED
