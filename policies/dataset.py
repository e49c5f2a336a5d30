"""The Dataset document as frozen types: what a holder declares about the tables it brings in.

Everything here is declared, never measured, and known to the gateway. Nothing that touches
privacy has a default: a field that the holder did not write is a refusal, not a guess.
"""

from dataclasses import dataclass
from enum import StrEnum

from policies.terms import Accountant, ContributionBound, PartyType, SqlType


class SizeClass(StrEnum):
    """The declared size of a snapshot; it alone fixes when an answer leaves."""

    S = "S"
    M = "M"
    L = "L"


class Grain(StrEnum):
    """How long one epoch is."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"


class SourceFormat(StrEnum):
    """What the ingest worker can read."""

    CSV = "csv"
    PARQUET = "parquet"
    DUCKDB = "duckdb"


@dataclass(frozen=True, slots=True)
class Source:
    """A file beside the data, relative to the source folder; `table` only for a DuckDB file."""

    format: SourceFormat
    path: str
    table: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column with its declared type; the engine's own guess at a type is never used."""

    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of this table hold the key `to` of the table `references`."""

    columns: tuple[str, ...]
    references: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnitPath:
    """How a row of a private table finds the one privacy unit it belongs to.

    `references` is None when `column` of the table itself holds the unit's key. Otherwise
    `column` holds the primary key of the private table `references`, whose own path goes on from
    there. `protected_path` is the holder's signature that of several paths (payer and payee) this
    one is protected and the others are not.
    """

    column: str
    references: str | None
    protected_path: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """The declared periods of a table; each row lies in exactly one, by the value of `column`.

    `first` and `last` are period labels of the grain, both included: `2024`, `2024-Q1` or
    `2024-03`.
    """

    column: str
    grain: Grain
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Table:
    """One declared table: private with `unit` and `contribution`, or public with `provenance`."""

    name: str
    private: bool
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    unit: UnitPath | None
    contribution: ContributionBound | None
    foreign_keys: tuple[ForeignKey, ...]
    epoch: Epoch | None
    provenance: str | None
    source: Source | None

    def column(self, name: str) -> Column | None:
        """Return the column of that exact name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Family:
    """The privacy unit shared by all private tables of a dataset, and what its accounts may spend.

    Units  `loss_per_query_max` and `lifetime` in nano (epsilon or rho, as `accountant` says),
    `delta_total` in 10**-18.
    """

    id: str
    unit: str
    units_declared_max: int
    accountant: Accountant
    loss_per_query_max: int
    lifetime: int
    delta_total: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the data and answers for it."""

    id: str
    type: PartyType


@dataclass(frozen=True, slots=True)
class Dataset:
    """One family of private tables with the public tables that may be joined to them."""

    id: str
    version: int
    holder: Holder
    family: Family
    size_class: SizeClass
    tables: tuple[Table, ...]
    digest: str

    def table(self, name: str) -> Table | None:
        """Return the table of that exact name."""
        return next((table for table in self.tables if table.name == name), None)
