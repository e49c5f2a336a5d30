"""The AccessPolicy document as frozen types.

What is not written is not granted. `None` stands only where the holder may leave a field out and
leaving it out grants nothing more.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from policies.dataset import Holder
from policies.terms import (
    Accountant,
    AggregateName,
    ColumnUse,
    ContributionBound,
    PurposeClass,
    Scalar,
    ValueBound,
)


class Level(StrEnum):
    """Data classes of GB/T 43697-2024; core data may not be operated at all."""

    GENERAL = "一般"
    IMPORTANT = "重要"
    CORE = "核心"


class Fee(StrEnum):
    """Whether a purpose costs money."""

    FREE = "free"
    PAID = "paid"


class JoinKind(StrEnum):
    """Kinds of join. `left` covers `inner`, `full` covers both; `cross` covers itself only."""

    INNER = "inner"
    LEFT = "left"
    FULL = "full"
    CROSS = "cross"


class Window(StrEnum):
    """The calendar window of an allowance. It paces spending; it never lifts a lifetime cap."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class ResultFormat(StrEnum):
    """How a release may be written down."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


@dataclass(frozen=True, slots=True)
class Basis:
    """A document that allows this policy, by title and digest."""

    doc: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Metadata:
    """Which policy this is; `supersedes` is the digest of the version before it."""

    id: str
    jurisdiction: str
    version: int
    supersedes: str | None
    basis: tuple[Basis, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """Who is licensed to ask."""

    id: str
    licence: str


@dataclass(frozen=True, slots=True)
class Period:
    """When the policy is in force; both instants carry an offset and both are included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Classification:
    """How sensitive the data is; `general_level` is 1 to 4 inside `一般`."""

    level: Level
    general_level: int | None
    personal_info: bool
    sensitive_personal_info: bool
    state_secret: bool


@dataclass(frozen=True, slots=True)
class PurposeGrant:
    """A purpose the operator may name."""

    code: str
    purpose_class: PurposeClass
    fee: Fee


@dataclass(frozen=True, slots=True)
class UnitGrant:
    """The privacy unit of a table and how much one unit may weigh in one release."""

    column: str
    bound: ContributionBound


@dataclass(frozen=True, slots=True)
class ListDomain:
    """A closed list of values, written in the policy."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class RangeDomain:
    """Every whole number, or every day, from `lower` to `upper`, both included."""

    lower: int | date
    upper: int | date


@dataclass(frozen=True, slots=True)
class RefDomain:
    """The values of a column of a public table."""

    table: str
    column: str


Domain = ListDomain | RangeDomain | RefDomain


@dataclass(frozen=True, slots=True)
class ColumnGrant:
    """What may be done with one column; `bin` is the width of a numeric group key."""

    name: str
    uses: tuple[ColumnUse, ...]
    domain: Domain | None
    bounds: ValueBound | None
    bin: Decimal | None


@dataclass(frozen=True, slots=True)
class JoinGrant:
    """The table may be joined to `to` on equality of pairs (own column, other column)."""

    to: str
    using: tuple[tuple[str, str], ...]
    kind: JoinKind


@dataclass(frozen=True, slots=True)
class TableGrant:
    """A granted table: private with `unit`, or public without."""

    name: str
    unit: UnitGrant | None
    columns: tuple[ColumnGrant, ...]
    joins: tuple[JoinGrant, ...]

    @property
    def public(self) -> bool:
        """Tell whether the table holds nobody's rows."""
        return self.unit is None

    def column(self, name: str) -> ColumnGrant | None:
        """Return the grant for the column of that exact name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Limits on a query; after `failures_max` failed runs in an epoch the holder reviews.

    `private_keys` allows groups whose values nobody declared, if enough people are in them (approx_zcdp only).
    """

    aggregates: tuple[AggregateName, ...]
    max_groups: int
    max_literals: int
    failures_max: int
    private_keys: bool


@dataclass(frozen=True, slots=True)
class Output:
    """What an answer may look like; it is always differentially private."""

    max_rows: int | None
    formats: tuple[ResultFormat, ...]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much one purpose may spend in one window, in nano of the budget's accountant."""

    purpose: str
    window: Window
    primary: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent.

    Units  losses in nano (epsilon or rho, as `accountant` says), deltas in 10**-18. `delta_per_query` is the most that
           one query with private keys may spend, and what it spends if it names no delta; 0 if none is declared: then
           the query must name one, and `delta_total` is its only limit.
    """

    unit: str
    accountant: Accountant
    per_query_max: int
    lifetime_per_epoch: int
    delta_total: int
    delta_per_query: int
    allowances: tuple[Allowance, ...]


@dataclass(frozen=True, slots=True)
class DocumentReference:
    """Another document, by `id@version` and digest, so that it cannot be changed underneath."""

    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """A question and its verdict: the codes of refusal, or none when it must be allowed."""

    name: str
    sql: str
    purpose: str
    primary: int
    expect: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The machine-readable part of one operating contract."""

    metadata: Metadata
    holder: Holder
    operator: Operator
    effective: Period
    classification: Classification
    purposes: tuple[PurposeGrant, ...]
    tables: tuple[TableGrant, ...]
    query: QueryLimits
    output: Output
    budget: Budget
    price: DocumentReference | None
    revenue: DocumentReference | None
    obligations: tuple[str, ...]
    tests: tuple[PolicyTest, ...]
    digest: str

    def table(self, name: str) -> TableGrant | None:
        """Return the grant for the table of that exact name."""
        return next((table for table in self.tables if table.name == name), None)

    def purpose(self, code: str) -> PurposeGrant | None:
        """Return the grant for that purpose."""
        return next((purpose for purpose in self.purposes if purpose.code == code), None)
