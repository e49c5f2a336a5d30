"""What a query asks for, as facts: the compiler states them, `decide` judges them."""

from dataclasses import dataclass
from datetime import datetime

from policies.access.model import JoinKind
from policies.refusals import Position
from policies.terms import AggregateName, ColumnUse


@dataclass(frozen=True, slots=True)
class UseAsk:
    """One column in one role, and where the query says so."""

    table: str
    column: str
    use: ColumnUse
    at: Position | None


@dataclass(frozen=True, slots=True)
class JoinAsk:
    """Two tables joined, with the pairs (left column, right column) the query sets equal."""

    left: str
    right: str
    kind: JoinKind
    using: tuple[tuple[str, str], ...]
    at: Position | None


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Every fact a policy may judge; `groups_declared` is None when no domain declares the keys."""

    operator: str
    purpose: str
    now: datetime
    tables: tuple[str, ...]
    column_uses: tuple[UseAsk, ...]
    aggregates: tuple[AggregateName, ...]
    joins: tuple[JoinAsk, ...]
    groups_declared: int | None
    literals: int
    suspended: bool
