"""How exact an answer is wanted, as an asker writes it: `±100 at 95%`, `±5% of 10000 at 95%`, `±50 over 10000 rows at 95%`,
`±200 rows at 95%`.

An accuracy relative to the true value cannot be promised before the value is known, and looking it up would cost. So a
percentage is always one of a value that the asker names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from policies.refusals import Refused, Stage

_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"
_FORM = re.compile(
    rf"(?:±|\+/?-)\s*(?P<size>{_NUMBER})\s*(?P<percent>%)?"
    rf"(?:\s+of\s+(?P<of>-?{_NUMBER}))?(?P<ranked>\s+rows?)?"
    r"(?:\s+over\s+(?P<rows>[0-9]{1,12})\s+rows?)?"
    rf"\s+at\s+(?P<confidence>{_NUMBER})\s*%",
    re.IGNORECASE,
)
_CONFIDENCE = Decimal(95)
_COLUMNS_MAX = 100
_TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The error that one column may have, or with `column` None every noisy one.

    `size` is a half-width in the unit of the column, or with `percent` a part of `base`; a `base` that is None is looked up
    among the expectations. `rows` is over how many rows an average is taken; `ranked` says that the size itself is rows, as
    an order statistic needs it.
    """

    column: str | None
    size: Decimal
    percent: bool
    base: Decimal | None
    rows: int | None
    ranked: bool
    words: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an asker wants instead of naming a loss. `expected` are the asker's own guesses, by lower-case column name."""

    accuracies: tuple[Accuracy, ...]
    expected: tuple[tuple[str, Decimal], ...]

    @property
    def written(self) -> list[list[str]]:
        """Write it for the digest of a request."""
        return [
            *([each.column or "", each.words] for each in self.accuracies),
            *(["=" + name, format(value, "f")] for name, value in self.expected),
        ]


def read_wanted(accuracy: Any, expected: Any) -> Wanted | None:
    """Return what is wanted, None if nothing is.

    Refuses  anything that is not of the forms above, another confidence than 95 %, and expectations without an accuracy.
    """
    if accuracy is None:
        if expected is not None:
            problem = "is looked at together with `accuracy` only; send both"
            raise Refused("request_invalid", Stage.DOOR, pointer="/expected", problem=problem)
        return None
    if isinstance(accuracy, str):
        return Wanted((_read(None, accuracy),), _expected(expected))
    if not isinstance(accuracy, dict) or not 0 < len(accuracy) <= _COLUMNS_MAX:
        raise _invalid(accuracy)
    return Wanted(tuple(_read(c, text) for c, text in accuracy.items()), _expected(expected))


def _read(column: str | None, text: Any) -> Accuracy:
    shown = text.replace("％", "%").strip() if isinstance(text, str) else ""
    found = _FORM.fullmatch(shown) if len(shown) <= _TEXT_MAX else None
    if found is None:
        raise _invalid(text)
    percent, base = found["percent"] is not None, found["of"]
    size, rows = Decimal(found["size"]), found["rows"]
    ranked = found["ranked"] is not None
    wrong = (base is not None and not percent) or size == 0 or (rows is not None and int(rows) == 0)
    if (
        wrong
        or (ranked and (percent or rows is not None))
        or Decimal(found["confidence"]) != _CONFIDENCE
    ):
        raise _invalid(text)
    return Accuracy(
        column=column,
        size=size,
        percent=percent,
        base=None if base is None else _base(Decimal(base), text),
        rows=None if rows is None else int(rows),
        ranked=ranked,
        words=shown,
    )


def _base(value: Decimal, text: Any) -> Decimal:
    if value == 0:
        raise _invalid(text)
    return abs(value)


def _expected(sent: Any) -> tuple[tuple[str, Decimal], ...]:
    if sent is None:
        return ()
    if not isinstance(sent, Mapping) or len(sent) > _COLUMNS_MAX:
        raise _not_expected("is an object of numbers by column")
    read: dict[str, Decimal] = {}
    for name, value in sent.items():
        number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        if not number or value == 0 or name.lower() in read or abs(Decimal(value).adjusted()) > 30:
            raise _not_expected("holds one number other than 0 for each column")
        read[name.lower()] = abs(Decimal(value))
    return tuple(sorted(read.items()))


def _not_expected(problem: str) -> Refused:
    return Refused("request_invalid", Stage.DOOR, pointer="/expected", problem=problem)


def _invalid(text: Any) -> Refused:
    shown = text if isinstance(text, str) else "accuracy"
    return Refused("accuracy_invalid", Stage.DOOR, text=shown[:40])
