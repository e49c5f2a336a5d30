"""The kinds of value a leaf may hold, each a strict check. There is no kind for free text: text is where data would
leak.

A check raises `BadField` with the path of the field; it never repairs.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

Check = Callable[[object, str], None]
"""Raise `BadField` unless the value at `path` is of this kind: (value, path) -> None."""

LIST_MAX = 64
# Quantities fit the ledger's signed 64-bit columns.
AMOUNT_MAX = 2**63 - 1


class BadField(ValueError):
    """A leaf's field is not of its declared kind."""


def matching(pattern: str, kind: str) -> Check:
    """Make a check for text of one fixed form."""
    compiled = re.compile(pattern)

    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise BadField(f"`{path}` is not {kind}")

    return check


def choice(*allowed: str) -> Check:
    """Make a check for a closed set of words."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or value not in allowed:
            raise BadField(f"`{path}` is not one of {', '.join(allowed)}")

    return check


def each(inner: Check, least: int) -> Check:
    """Make a check for a list of at least `least` values of one kind, without repeats."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= LIST_MAX:
            raise BadField(f"`{path}` is not a list of {least} to {LIST_MAX} values")
        for position, item in enumerate(value):
            inner(item, f"{path}[{position}]")
        if any(item in value[:position] for position, item in enumerate(value)):
            raise BadField(f"`{path}` repeats a value")

    return check


def record(**checks: Check) -> Check:
    """Make a check for an object with exactly these keys."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, Mapping) or value.keys() != checks.keys():
            raise BadField(f"`{path}` does not have exactly the fields {', '.join(sorted(checks))}")
        for key, inner in checks.items():
            inner(value[key], f"{path}.{key}")

    return check


def amount(value: object, path: str) -> None:
    """Check a quantity: a whole number as a decimal string, 0 to 2**63 - 1."""
    _digits(value, path)
    if int(str(value)) > AMOUNT_MAX:
        raise BadField(f"`{path}` is beyond 2**63 - 1")


def signed_amount(value: object, path: str) -> None:
    """Check a quantity that may be below zero."""
    if value == "-0":
        raise BadField(f"`{path}` is minus zero")
    amount(value.removeprefix("-") if isinstance(value, str) else value, path)


def index(value: object, path: str) -> None:
    """Check a position in the log."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadField(f"`{path}` is not a position in the log")


def boolean(value: object, path: str) -> None:
    """Check a truth value."""
    if not isinstance(value, bool):
        raise BadField(f"`{path}` is not true or false")


def time(value: object, path: str) -> None:
    """Check a UTC time in its one spelling, to the microsecond."""
    try:
        if not isinstance(value, str) or _TIME.fullmatch(value) is None:
            raise ValueError
        datetime.fromisoformat(value)
    except ValueError:
        raise BadField(f"`{path}` is not a time as 2026-11-21T19:41:03.123456Z") from None


def spell_time(moment: datetime) -> str:
    """Write an aware time as the log does."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be logged")
    return moment.astimezone(UTC).strftime(_TIME_FORMAT)


def _digits(value: object, path: str) -> None:
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        raise BadField(f"`{path}` is not a whole number as a decimal string")


_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")

identifier = matching(
    r"[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,127}",
    "an identifier of at most 128 letters, digits and _.:@/+-",
)
identifier_or_none = matching(
    r"|[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,127}", "an identifier of at most 128 characters, or empty"
)
code = matching(r"[a-z][a-z0-9_]{0,63}", "a code of lower-case letters, digits and underscores")
digest = matching(r"sha256:[0-9a-f]{64}", "a `sha256:` digest")
commitment = matching(r"commit-sha256:[0-9a-f]{64}", "a `commit-sha256:` commitment")
# Snapshots are named by ingest: an HMAC or a salted hash, never a plain digest.
hiding = matching(
    r"(?:commit-sha256|hmac-sha256):[0-9a-f]{64}", "a `commit-sha256:` or `hmac-sha256:` commitment"
)
tag = matching(r"hmac-sha256:[0-9a-f]{64}", "an `hmac-sha256:` tag")
