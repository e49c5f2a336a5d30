"""Write a release for its asker: values, error bars, and the face that was fixed before.

The bytes in the ledger are `wire.encode(release)`; they have no names of columns, so a second operator who asks the same
question gets the same values under its own names.
"""

import json
import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from audit.store import operations
from gateway.asked import Asked
from policies.terms import Scalar, SqlType, TypeKind
from sandbox import wire
from sandbox.boundary import Cell, Failure, Release

# Beyond this a JSON reader that knows only doubles would round.
_EXACT_MAX = 2**53 - 1
_AS_TEXT = frozenset({TypeKind.HUGEINT, TypeKind.DECIMAL})


@dataclass(frozen=True, slots=True)
class Answer:
    """What an asker gets, as the bytes that leave: equal whenever it is asked for again under the same key.

    Written before the instant of release, so that a long answer leaves no later than a short one.
    """

    operation: str
    index: int
    receipt: str
    content: bytes


def answer(asked: Asked, stored: operations.Release, receipt: str, index: int) -> Answer:
    """Write a stored release for its asker."""
    release = wire.decode_answer(stored.content)
    if isinstance(release, Failure):
        raise TypeError("the ledger holds a failure where it holds releases only")
    return with_receipt(asked.operation, compose(asked, release), receipt, index)


def compose(asked: Asked, release: Release) -> bytes:
    """Put values and face together: everything but the receipt, which is there only once the release is posted."""
    face = dict(asked.face)
    columns = face.pop("columns")
    face.pop("batch", None)  # which operations were asked as one is told once, around them all
    body = {
        "operation": asked.operation,
        "columns": [
            _column(column, shown) for column, shown in zip(release.columns, columns, strict=True)
        ],
        "rows": [
            [_value(c.value, t.type) for c, t in _cells(row, release)] for row in release.rows
        ],
        "intervals": [
            [_interval(c, t.type) for c, t in _cells(row, release)] for row in release.rows
        ],
        "deviations": [[_number(c.deviation) for c in row] for row in release.rows],
        "confidence": "0.95",
        **face,
    }
    return _json(body)


def with_receipt(operation: str, composed: bytes, receipt: str, index: int) -> Answer:
    """Add the receipt as the last field."""
    last = _json({"receipt": {"index": index, "proof": receipt}})
    return Answer(operation, index, receipt, composed[:-1] + b"," + last[1:])


def _json(body: dict[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def _cells(row: tuple[Cell, ...], release: Release) -> Any:
    return zip(row, release.columns, strict=True)


def _column(column: Any, shown: dict[str, Any]) -> dict[str, Any]:
    noise = shown["noise"]
    return {
        "name": shown["name"],
        "type": str(column.type),
        "role": column.role.value,
        "mechanism": noise["mechanism"] if noise else None,
        "scale": noise["scale"] if noise else [],
        "interval": column.interval.value,
    }


def _interval(cell: Cell, kind: SqlType) -> list[Any] | None:
    if cell.lower is None and cell.upper is None:
        return None
    return [_bound(cell.lower, kind), _bound(cell.upper, kind)]


def _bound(value: Scalar, kind: SqlType) -> Any:
    # An interval of a whole-number column may end between two whole numbers.
    return _number(value) if isinstance(value, float) else _value(value, kind)


def _value(value: Scalar, kind: SqlType) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return str(value) if kind.kind in _AS_TEXT or abs(value) > _EXACT_MAX else value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return _number(value)
    return written_time(value)


def written_time(value: date | datetime) -> str:
    """Write a day or an instant as ISO 8601 does."""
    return value.isoformat()


def _number(value: float | None) -> float | str | None:
    """Write a double; JSON has no word for those that are no number."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
