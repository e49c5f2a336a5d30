"""An answer as Python values: whole numbers, exact decimals, days, each noisy one with its error bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Value = bool | int | float | Decimal | str | date | datetime | None
_WHOLE = frozenset({"INTEGER", "BIGINT", "HUGEINT"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. `mechanism` and `scale` say which noise it carries; keys carry none."""

    name: str
    type: str
    role: str
    mechanism: str | None
    scale: tuple[float, ...]
    interval: str

    @property
    def noisy(self) -> bool:
        """Tell whether noise was added."""
        return self.role == "noisy"


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the value without noise lies, with 95 % confidence."""

    lower: Value
    upper: Value

    @property
    def half_width(self) -> float:
        """Return half its width: the ± of the value."""
        return (float(self.upper) - float(self.lower)) / 2  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the answer is in the log: its entry, and a file that any verifier of the tlog world reads."""

    index: int
    proof: str


@dataclass(frozen=True, slots=True)
class Price:
    """What was charged, in whole micro-yuan: gross = waived + due."""

    gross_uy: int
    waived_uy: int
    due_uy: int
    currency: str
    parts: tuple[tuple[str, int], ...]

    @property
    def yuan(self) -> Decimal:
        """Return what is due, in yuan."""
        return Decimal(self.due_uy) / 10**6


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `loss` was charged to every unit's account; `privacy` says how the noise was chosen."""

    operation: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    intervals: tuple[tuple[Interval | None, ...], ...]
    deviations: tuple[tuple[float | None, ...], ...]
    loss: Decimal
    accountant: str
    privacy: Mapping[str, Any]
    price: Price
    receipt: Receipt
    reused: bool
    warnings: tuple[str, ...]
    body: Mapping[str, Any]

    def records(self) -> list[dict[str, Value]]:
        """Return the rows as dictionaries by column name. Two columns of one name show the last."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Check:
    """What is known before a question is asked; the whole verdict is in `body`.

    `half_widths` are the ± of each column at 95 %, None where there is no noise or where it depends on the answer.
    `hidden` says how likely a group of so many people is left out; empty where groups are declared.
    """

    allowed: bool
    stored: bool
    fits: bool
    groups: int
    loss: Decimal
    price: Price
    about_more_like_this: int | None
    limited_by: str | None
    half_widths: tuple[tuple[str, float | None], ...]
    hidden: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    body: Mapping[str, Any]


def read_answer(body: Mapping[str, Any]) -> Answer:
    """Read a body of POST /v1/queries."""
    columns = tuple(_column(column) for column in body["columns"])
    privacy = body["privacy"]
    return Answer(
        operation=body["operation"],
        columns=columns,
        rows=tuple(
            tuple(_value(v, c.type) for v, c in zip(row, columns, strict=True))
            for row in body["rows"]
        ),
        intervals=tuple(
            tuple(_interval(v, c.type) for v, c in zip(row, columns, strict=True))
            for row in body["intervals"]
        ),
        deviations=tuple(tuple(_float(v) for v in row) for row in body["deviations"]),
        loss=_loss(privacy["charged"]),
        accountant=privacy["accountant"],
        privacy=privacy,
        price=_price(body["price"]),
        receipt=Receipt(body["receipt"]["index"], body["receipt"]["proof"]),
        reused=body["reused"],
        warnings=tuple(body["warnings"]),
        body=body,
    )


def read_check(body: Mapping[str, Any]) -> Check:
    """Read a body of POST /v1/queries:check."""
    selection = body["privacy"]["bounds"].get("selection")
    return Check(
        allowed=body["allowed"],
        stored=body["stored"],
        fits=body["fits"],
        groups=body["groups"],
        loss=_loss(body["privacy"]["charged"]),
        price=_price(body["price"]),
        about_more_like_this=body["about_more_like_this"],
        limited_by=body["limited_by"],
        half_widths=tuple(
            (column["name"], column["noise"]["half_width_95"] if column["noise"] else None)
            for column in body["columns"]
        ),
        hidden=tuple(selection["hidden"]) if selection else (),
        warnings=tuple(body["warnings"]),
        body=body,
    )


def _column(plain: Mapping[str, Any]) -> Column:
    scale = tuple(float(value) for value in plain["scale"])
    return Column(
        plain["name"], plain["type"], plain["role"], plain["mechanism"], scale, plain["interval"]
    )


def _interval(plain: Any, kind: str) -> Interval | None:
    return None if plain is None else Interval(_bound(plain[0], kind), _bound(plain[1], kind))


def _bound(plain: Any, kind: str) -> Value:
    return plain if isinstance(plain, float) else _value(plain, kind)


def _value(plain: Any, kind: str) -> Value:
    if plain is None or isinstance(plain, bool):
        return plain
    if kind in _WHOLE:
        return int(plain)
    if kind.startswith("DECIMAL"):
        return Decimal(plain)
    if kind == "DOUBLE":
        return float(plain)
    if kind == "DATE":
        return date.fromisoformat(plain)
    if kind == "TIMESTAMP":
        return datetime.fromisoformat(plain)
    return str(plain)


def _float(plain: Any) -> float | None:
    return None if plain is None else float(plain)


def _loss(plain: Mapping[str, Any]) -> Decimal:
    return Decimal(plain["epsilon"] if "epsilon" in plain else plain["rho"])


def _price(plain: Mapping[str, Any]) -> Price:
    parts = tuple((part["name"], part["amount_uy"]) for part in plain["parts"])
    return Price(plain["gross_uy"], plain["waived_uy"], plain["due_uy"], plain["currency"], parts)
