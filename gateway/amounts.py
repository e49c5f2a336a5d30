"""Privacy losses, money and times between whole numbers and the words of the interface.

Units  losses as decimal strings (epsilon or rho), money as whole micro-yuan and fen, times in RFC 3339.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

from audit.charge import Unit
from policies.refusals import Refused, Stage
from policies.terms import DELTA_UNIT, NANO, Accountant, PrivacyLoss

LOSS_FIELD = {Accountant.PURE_EPS: "epsilon", Accountant.APPROX_ZCDP: "rho"}
LOSS_UNIT = {Accountant.PURE_EPS: Unit.EPS_NANO, Accountant.APPROX_ZCDP: Unit.RHO_NANO}
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?")
_DIGITS = {NANO: 9, DELTA_UNIT: 18}
_LOSS_UNITS = {
    Unit.EPS_NANO: ("epsilon", NANO),
    Unit.RHO_NANO: ("rho", NANO),
    Unit.DELTA_E18: ("delta", DELTA_UNIT),
}


def read_loss(
    accountant: Accountant, epsilon: str | None, rho: str | None, delta: str | None
) -> PrivacyLoss:
    """Return the loss an asker wrote, exactly. Without a delta it is 0: the policy may then say what private keys cost.

    Refuses  no loss, a loss under another accountant (epsilon is never taken for rho, and has no delta), one that is not
             above 0, and one with more decimals than are kept (nine, of a delta eighteen).
    """
    field = LOSS_FIELD[accountant]
    text = epsilon if accountant is Accountant.PURE_EPS else rho
    other = rho if accountant is Accountant.PURE_EPS else epsilon
    if text is None or other is not None:
        raise Refused("loss_missing", Stage.DOOR, field=field)
    return PrivacyLoss(accountant, _positive(field, text, NANO), read_delta(accountant, delta))


def read_delta(accountant: Accountant, delta: str | None) -> int:
    """Return the delta an asker wrote in units of 10**-18, 0 for none.

    Refuses  a delta under pure epsilon, one that is not above 0, and one with more than eighteen decimals.
    """
    if delta is None:
        return 0
    if accountant is Accountant.PURE_EPS:
        problem = "does not exist under pure epsilon; leave it out"
        raise Refused("request_invalid", Stage.DOOR, pointer="/delta", problem=problem)
    return _positive("delta", delta, DELTA_UNIT)


def _positive(field: str, text: str, units: int) -> int:
    shown = text[:40]
    if _DECIMAL.fullmatch(text) is None:
        raise Refused("loss_not_positive", Stage.DOOR, field=field, value=shown)
    value = Decimal(text) * units
    if value != value.to_integral_value():
        problem = f"has more than {_DIGITS[units]} decimals; round it"
        raise Refused("request_invalid", Stage.DOOR, pointer=f"/{field}", problem=problem)
    if value <= 0:
        raise Refused("loss_not_positive", Stage.DOOR, field=field, value=shown)
    return int(value)


def decimal_text(value: int, units: int) -> str:
    """Write a whole number of small units as an exact decimal without exponent."""
    text = format(Decimal(value) / units, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def loss_text(nano: int) -> str:
    """Write an epsilon or rho."""
    return decimal_text(nano, NANO)


def loss_fields(loss: PrivacyLoss) -> dict[str, str]:
    """Write a loss under the name of its accountant."""
    return {
        "accountant": loss.accountant.value,
        LOSS_FIELD[loss.accountant]: loss_text(loss.primary),
        "delta": decimal_text(loss.delta, DELTA_UNIT),
    }


def account_text(unit: Unit, amount: int) -> str:
    """Write an amount of any account for people."""
    if unit in _LOSS_UNITS:
        name, units = _LOSS_UNITS[unit]
        return f"{name} {decimal_text(amount, units)}"
    if unit is Unit.MICRO_YUAN:
        return f"{decimal_text(amount, 10**6)} yuan"
    return f"{amount} failures"


def time_text(moment: datetime) -> str:
    """Write an aware time in RFC 3339, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
