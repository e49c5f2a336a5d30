"""An answer as a text table, every noisy value with its ±."""

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from keyong.answer import Answer, Column, Interval, Value

_NOTHING = "–"
_WHOLE = frozenset({"INTEGER", "BIGINT", "HUGEINT"})
# An interval whose middle lies within this part of its half-width from the value is written as ±.
_EVEN = 0.05
_PLACES_MAX = 6


def table(answer: Answer) -> str:
    """Return the answer as lines of text. ± is half the 95 % interval; an uneven interval is written out."""
    head = [column.name for column in answer.columns]
    body = [
        [
            cell(value, interval, column)
            for value, interval, column in zip(row, bars, answer.columns, strict=True)
        ]
        for row, bars in zip(answer.rows, answer.intervals, strict=True)
    ]
    right = [column.noisy for column in answer.columns]
    return grid(head, body, right)


def cell(value: Value, interval: Interval | None, column: Column) -> str:
    """Write one value with its error bar."""
    if value is None:
        return _NOTHING
    if not column.noisy or interval is None:
        return plain(value)
    half = interval.half_width
    if half == 0:
        # Both ends in one bin of an order statistic: there is no error to take the decimals from.
        return f"{plain(value)} ±0"
    places = 0 if column.type in _WHOLE else places_for(half)
    lower, upper = float(interval.lower), float(interval.upper)  # type: ignore[arg-type]
    middle = float(value)  # type: ignore[arg-type]
    if abs(middle - (lower + upper) / 2) <= _EVEN * half:
        return f"{middle:,.{places}f} ±{half:,.{places}f}"
    return f"{middle:,.{places}f} [{lower:,.{places}f}, {upper:,.{places}f}]"


def number(value: float) -> str:
    """Write a number, thousands apart, with as many decimals as leave it two digits that mean something."""
    return f"{value:,.{places_for(abs(value))}f}"


def places_for(error: float) -> int:
    """Count the decimals that an error of this size leaves meaning to."""
    places = 0
    while places < _PLACES_MAX and error < 10 ** (1 - places):
        places += 1
    return places


def plain(value: Value) -> str:
    """Write a value without error bar; midnight is a day."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return str(value)


def grid(head: Sequence[str], body: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Write rows under a head; Chinese letters count as two columns."""
    rows = [list(head), *[list(row) for row in body]]
    widths = [max(width(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(_padded(text, widths[i], right[i]) for i, text in enumerate(row)).rstrip()
        for row in rows
    ]
    rule = "  ".join("─" * w for w in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def width(text: str) -> int:
    """Count the columns a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, wanted: int, right: bool) -> str:
    space = " " * (wanted - width(text))
    return space + text if right else text + space
