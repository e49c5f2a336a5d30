"""A privacy loss in words for people."""

from decimal import Decimal

from policies.terms import DELTA_UNIT, NANO, Accountant, PrivacyLoss


def amount(loss: PrivacyLoss) -> str:
    """Return `epsilon 0.5` or `rho 0.02`, exactly."""
    name = "epsilon" if loss.accountant is Accountant.PURE_EPS else "rho"
    value = Decimal(loss.primary) / NANO
    return f"{name} {value.normalize():f}"


def delta_amount(delta: int) -> str:
    """Return `delta 0.000000001`, exactly."""
    return f"delta {(Decimal(delta) / DELTA_UNIT).normalize():f}"
