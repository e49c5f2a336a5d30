"""Read single values from their text: decimals exactly, days, moments, names."""

import re
from datetime import date, datetime
from decimal import Decimal

from policies.reading.nodes import NUMBER, Scalar

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CLOCK = r"[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?"
_MOMENT = re.compile(_DAY.pattern + _CLOCK + r"([+-]\d{2}:\d{2}|Z)?", re.ASCII)


def name_fault(name: str) -> str:
    """Return what is wrong with the name of a table or column, or nothing.

    Reason  Names are printed into generated SQL and into messages, and the node keeps columns and
            tables of its own beside the declared ones.
    """
    if not name.isidentifier() or len(name) > 63:
        return "must be a name of 1 to 63 letters, digits and underscores"
    if name.casefold().startswith(("_ky", "__")):
        return "may not start with `_ky` or `__`; such names are reserved"
    return ""


def decimal_of(scalar: Scalar) -> Decimal | None:
    """Read a number exactly from its text, quoted or not."""
    return Decimal(scalar.text) if NUMBER.fullmatch(scalar.text) else None


def day_of(text: str) -> date | None:
    """Read a calendar day."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def instant_of(text: str) -> datetime | None:
    """Read a moment, with or without an offset."""
    try:
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None
