"""Values of parameters, from Python and from the command line, to what the node reads. No number passes through a float
on the way: a Decimal is written with its digits, a float with the shortest decimal that is that float.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

Value = bool | int | float | Decimal | str | date | datetime | None
Parameters = (
    Sequence[Any] | Mapping[str, Any]
)  # of `Value`: a dictionary of mixed values is inferred as one of objects

_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([A-Za-z]+))?=(.*)", re.DOTALL)
_JSON = re.compile(r'-?[0-9]+(\.[0-9]+)?|true|false|null|".*"', re.DOTALL)


def write(parameters: Parameters) -> list[Any] | dict[str, Any]:
    """Return the JSON of parameters: a list for `?` and `$1`, an object for `$name`.

    Refuses  (TypeError) a value that no column could hold.
    """
    if isinstance(parameters, Mapping):
        return {name: _written(value) for name, value in parameters.items()}
    if isinstance(parameters, (str, bytes)):
        raise TypeError("parameters are a list or a dictionary, not one text")
    return [_written(value) for value in parameters]


def from_flags(flags: Sequence[str]) -> list[Any] | dict[str, Any]:
    """Read `name=value`, `name:DATE=value` or `value`, as `--param` takes them. What looks like a number is one.

    Refuses  (ValueError) flags with and without a name beside each other, and a name given twice.
    """
    named: dict[str, Any] = {}
    listed: list[Any] = []
    for flag in flags:
        found = _NAMED.fullmatch(flag)
        if found is None:
            listed.append(_plain(flag))
            continue
        name, kind, text = found.groups()
        if name in named:
            raise ValueError(f"`{name}` is given twice")
        named[name] = _plain(text) if kind is None else {"type": kind.upper(), "value": text}
    if named and listed:
        raise ValueError("parameters are given either by name or in order, not both")
    return named or listed


def from_text(text: str) -> Any:
    """Read a file of parameters: one JSON list or object, numbers exactly.

    Refuses  (ValueError) anything else, also a name that stands there twice.
    """
    read = json.loads(text, parse_float=_decimal, object_pairs_hook=_object)
    if not isinstance(read, (list, dict)):
        raise ValueError("parameters are one list or one object")
    return read


def _written(value: Any) -> Any:
    if isinstance(value, (Decimal, float)):
        if not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
            raise TypeError(f"{value!r} is no value of a parameter")
        return _decimal(repr(value) if isinstance(value, float) else format(value, "f"))
    if isinstance(value, datetime):
        return {"type": "TIMESTAMP", "value": value.isoformat(sep=" ")}
    if isinstance(value, date):
        return {"type": "DATE", "value": value.isoformat()}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return dict(value)  # written out already: {"type": …, "value": …}
    raise TypeError(f"{type(value).__name__} is no type of a parameter")


def _decimal(text: str) -> dict[str, str]:
    return {"type": "DECIMAL", "value": format(Decimal(text), "f")}


def _plain(text: str) -> Any:
    if _JSON.fullmatch(text) is None:
        return text
    return json.loads(text, parse_float=_decimal)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)
