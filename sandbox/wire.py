"""The bytes of what crosses the boundary: one spelling for each message, and no other message.

A closed registry of classes is all that has a spelling. Exact aggregates are not in it, so a worker, even one that runs
an attacker's plan, has no way to write them down here.

Format      JSON, UTF-8, sorted keys, no spaces. A record is an object with its class under `$` and every field by name.
            A `Scalar` is null or [kind, text]; floats are `float.hex()` text, so that no reader rounds them.
Refuses     (WireError) unknown classes and fields, missing fields, wrong types, other spellings of the same value, and
            anything beyond the limits of size and depth below.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from policies.terms import Scalar
from sandbox.boundary import (
    Answered,
    Diagnosis,
    Failure,
    Measurement,
    NoisyAggregates,
    Plan,
    Release,
    Reuse,
)
from sandbox.spelled import SPELLED

PLAN_BYTES_MAX = 8 * 1024 * 1024
ANSWER_BYTES_MAX = 64 * 1024 * 1024
# Python's own reader and ours recurse; two levels of JSON per level of expression.
DEPTH_MAX = 200

_TAG = "$"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,77})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,77})(\.[0-9]{1,77})?")
_INTEGER_MAX = 10**78

_REGISTRY: dict[str, type] = {cls.__name__: cls for cls in SPELLED}
_HINTS: dict[type, dict[str, Any]] = {
    cls: {field.name: get_type_hints(cls)[field.name] for field in fields(cls)} for cls in SPELLED
}


class WireError(ValueError):
    """The value has no spelling, or the bytes are not the one spelling of a message."""


Message = Plan | Answered | Release | Reuse | NoisyAggregates | Failure
_BYTES_MAX: Mapping[type, int] = {
    Plan: PLAN_BYTES_MAX,
    Answered: ANSWER_BYTES_MAX,
    Release: ANSWER_BYTES_MAX,
    Reuse: ANSWER_BYTES_MAX,
    NoisyAggregates: ANSWER_BYTES_MAX,
}


def encode(message: Message) -> bytes:
    """Return the bytes of a message that may cross between the gateway and a worker for questions."""
    if isinstance(message, Failure):
        return _dump({_TAG: "Failure", "value": message.value}, ANSWER_BYTES_MAX)
    if type(message) not in _BYTES_MAX:
        raise WireError(f"`{type(message).__name__}` does not cross the boundary")
    kind = type(message)
    return _dump(_write(message, kind, DEPTH_MAX), _BYTES_MAX[kind])


def decode_plan(encoded: bytes) -> Plan:
    """Read what `encode` wrote for a plan, and nothing else."""
    plan: Plan = _load(encoded, PLAN_BYTES_MAX, lambda raw: _read(raw, Plan, DEPTH_MAX))
    return plan


def decode_answered(encoded: bytes) -> Answered | Failure:
    """Read what a query worker wrote, and nothing else."""
    found: Answered | Failure = _load(
        encoded, ANSWER_BYTES_MAX, lambda raw: _read_answer(raw, Answered)
    )
    return found


def decode_reuse(encoded: bytes) -> Reuse:
    """Read what `encode` wrote for stored totals and the plan to finish from them, and nothing else."""
    reuse: Reuse = _load(encoded, ANSWER_BYTES_MAX, lambda raw: _read(raw, Reuse, DEPTH_MAX))
    return reuse


def decode_noisy(encoded: bytes) -> NoisyAggregates:
    """Read what `encode` wrote for stored totals, and nothing else."""
    noisy: NoisyAggregates = _load(
        encoded, ANSWER_BYTES_MAX, lambda raw: _read(raw, NoisyAggregates, DEPTH_MAX)
    )
    return noisy


def decode_answer(encoded: bytes) -> Release | Failure:
    """Read what `encode` wrote for a release or a failure, and nothing else."""
    answer: Release | Failure = _load(
        encoded, ANSWER_BYTES_MAX, lambda raw: _read_answer(raw, Release)
    )
    return answer


def encode_diagnosis(diagnosis: Diagnosis) -> bytes:
    """Return the bytes of a twin's verdict; a query worker has no use for this function."""
    if type(diagnosis) is not Diagnosis:
        raise WireError(f"`{type(diagnosis).__name__}` is not a diagnosis")
    return _dump(_write(diagnosis, Diagnosis, DEPTH_MAX), ANSWER_BYTES_MAX)


def decode_diagnosis(encoded: bytes) -> Diagnosis:
    """Read what `encode_diagnosis` wrote, and nothing else."""
    found: Diagnosis = _load(
        encoded, ANSWER_BYTES_MAX, lambda raw: _read(raw, Diagnosis, DEPTH_MAX)
    )
    return found


def digest(subject: Plan | Measurement) -> str:
    """Return the SHA-256 of the one spelling, in hex: equal digests mean the same distribution of the noisy cells."""
    if type(subject) not in (Plan, Measurement):
        raise WireError(f"`{type(subject).__name__}` has no digest")
    written = _dump(_write(subject, type(subject), DEPTH_MAX), PLAN_BYTES_MAX)
    return hashlib.sha256(written).hexdigest()


def _dump(raw: object, bytes_max: int) -> bytes:
    try:
        encoded = json.dumps(
            raw, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
        ).encode("utf-8")
    except (ValueError, RecursionError):
        raise WireError("the message has no UTF-8 spelling") from None
    if len(encoded) > bytes_max:
        raise WireError(f"the message has {len(encoded)} bytes, at most {bytes_max}")
    return encoded


def _load(encoded: bytes, bytes_max: int, read: Callable[[object], Any]) -> Any:
    if len(encoded) > bytes_max:
        raise WireError(f"the message has {len(encoded)} bytes, at most {bytes_max}")
    try:
        raw = json.loads(encoded.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float)
    except WireError:
        raise
    except (ValueError, RecursionError):
        raise WireError("the message is not UTF-8 JSON") from None
    message = read(raw)
    # What was read must print to what was sent, or one message would have two digests. Duplicate keys end here, too.
    again = encode_diagnosis(message) if type(message) is Diagnosis else encode(message)
    if again != encoded:
        raise WireError("the message is in another spelling than ours")
    return message


def _no_float(text: str) -> NoReturn:
    raise WireError("a number with a point has no place in a message")


def _read_answer(raw: object, kind: type) -> Any:
    if isinstance(raw, dict) and raw.get(_TAG) == "Failure":
        if raw.keys() != {_TAG, "value"}:
            raise WireError("a failure has one field")
        return _read_enum(raw["value"], Failure)
    return _read(raw, kind, DEPTH_MAX)


# ---- writing: `hint` is the declared type of the field, so a value of another type is a bug and is refused


def _write(value: object, hint: Any, depth: int) -> object:
    if depth == 0:
        raise WireError(f"the message is nested deeper than {DEPTH_MAX} levels")
    shape = _shape(hint)
    if shape.scalar:
        return _write_scalar(value)
    if shape.item is not None and type(value) is tuple:
        return [_write(item, shape.item, depth - 1) for item in value]
    if type(value) in shape.options:
        return _write_one(value, depth)
    raise WireError(f"`{type(value).__name__}` does not cross the boundary here")


def _write_one(value: Any, depth: int) -> object:
    if value is None or isinstance(value, Enum):
        return None if value is None else value.value
    if type(value) in (bool, str):
        return value
    if type(value) is int:
        return _in_range(value)
    if type(value) is float:
        return _finite(value).hex()
    if type(value) not in _HINTS:
        raise WireError(f"`{type(value).__name__}` does not cross the boundary")
    hints = _HINTS[type(value)]
    record: dict[str, object] = {_TAG: type(value).__name__}
    for name, hint in hints.items():
        record[name] = _write(getattr(value, name), hint, depth - 1)
    return record


def _write_scalar(value: object) -> object:
    if value is None:
        return None
    if type(value) is bool:
        return ["bool", "true" if value else "false"]
    if type(value) is int:
        return ["int", str(_in_range(value))]
    if type(value) is Decimal:
        if not value.is_finite() or value.adjusted() >= 78 or int(value.as_tuple().exponent) < -77:
            raise WireError("a decimal is finite and has at most 77 digits on each side")
        return ["decimal", format(value, "f")]
    if type(value) is float:
        return ["double", "nan" if math.isnan(value) else value.hex()]
    if type(value) is str:
        return ["text", value]
    if type(value) is datetime and value.tzinfo is None:
        return ["timestamp", value.isoformat(timespec="microseconds")]
    if type(value) is date:
        return ["date", value.isoformat()]
    raise WireError(f"`{type(value).__name__}` is not a scalar of the domain")


# ---- reading: the declared type says what must stand here, the bytes never choose a class outside it


def _read(raw: object, hint: Any, depth: int) -> Any:
    if depth == 0:
        raise WireError(f"the message is nested deeper than {DEPTH_MAX} levels")
    shape = _shape(hint)
    if shape.scalar:
        return _read_scalar(raw)
    if raw is None and NoneType in shape.options:
        return None
    if isinstance(raw, dict):
        return _read_record(raw, shape.options, depth)
    if shape.item is not None and isinstance(raw, list):
        return tuple(_read(item, shape.item, depth - 1) for item in raw)
    if shape.enum is not None:
        return _read_enum(raw, shape.enum)
    return _read_plain(raw, shape.options)


def _read_plain(raw: object, options: frozenset[Any]) -> bool | int | float | str:
    if type(raw) is str and float in options:
        return _finite(_read_float(raw))
    if type(raw) is str and str in options:
        return raw
    if type(raw) is bool and bool in options:
        return raw
    if type(raw) is int and int in options:
        return _in_range(raw)
    raise WireError("a field holds a value of another type")


def _read_record(raw: dict[str, object], options: frozenset[Any], depth: int) -> Any:
    tag = raw.get(_TAG)
    cls = _REGISTRY.get(tag) if isinstance(tag, str) else None
    if cls is None or cls not in options:
        raise WireError("a record of this class has no place here")
    hints = _HINTS[cls]
    if raw.keys() != {_TAG, *hints}:
        raise WireError(f"`{cls.__name__}` has a missing or an unknown field")
    values = {name: _read(raw[name], hint, depth - 1) for name, hint in hints.items()}
    try:
        return cls(**values)
    except ValueError:
        raise WireError(f"`{cls.__name__}` refuses its values") from None


def _read_enum(raw: object, cls: Any) -> Any:
    try:
        return cls(raw) if isinstance(raw, str) else _absent(cls)
    except ValueError:
        return _absent(cls)


def _absent(cls: type) -> NoReturn:
    raise WireError(f"`{cls.__name__}` has no such value")


def _read_scalar(raw: object) -> Scalar:
    if raw is None:
        return None
    if not isinstance(raw, list) or len(raw) != 2 or not all(isinstance(part, str) for part in raw):
        raise WireError("a scalar is null or a kind and a text")
    kind, text = raw
    try:
        return _SCALARS[kind](text)
    except (KeyError, ValueError, OverflowError):
        raise WireError("a scalar of this kind and text does not exist") from None


def _read_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _read_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def _read_decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a decimal")
    return Decimal(text)


def _read_float(text: str) -> float:
    value = float.fromhex(text)
    if text != ("nan" if math.isnan(value) else value.hex()):
        raise WireError("a float is not in its one spelling")
    return value


_SCALARS: dict[str, Callable[[str], Scalar]] = {
    "bool": _read_bool,
    "int": _read_integer,
    "decimal": _read_decimal,
    "double": _read_float,
    "text": str,
    "timestamp": datetime.fromisoformat,
    "date": date.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class _Shape:
    """A declared type, taken apart once: what may stand in a field."""

    scalar: bool
    item: Any  # of a tuple, or None
    enum: Any  # the one enumeration among the options, or None
    options: frozenset[Any]


@cache
def _shape(hint: Any) -> _Shape:
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    items = [get_args(option)[0] for option in options if get_origin(option) is tuple]
    enums = [o for o in options if isinstance(o, type) and issubclass(o, Enum)]
    return _Shape(
        scalar=hint == Scalar,
        item=items[0] if items else None,
        enum=enums[0] if enums else None,
        options=frozenset(options),
    )


def _in_range(value: int) -> int:
    if abs(value) >= _INTEGER_MAX:
        raise WireError("a whole number has at most 78 digits")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise WireError("a measure of the noise is finite")
    return value


if not all(is_dataclass(cls) for cls in SPELLED):
    raise TypeError("only records are registered")
