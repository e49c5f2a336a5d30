"""Relations below the release as the compiler knows them: whose rows they hold, and by which columns that is known.

What is claimed here is proved again beside the data (docs/proofs/relations.md); a mistake in this file refuses too much
or loses rows, it does not lose privacy.
"""

from dataclasses import dataclass

from policies.dataset import Table
from policies.refusals import Position
from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Column, Expr, Op, Relation, Scan
from sandbox.boundary import UNIT_COLUMN

UNIT_TYPE = SqlType(TypeKind.INTEGER)


@dataclass(frozen=True, slots=True)
class ScopedTable:
    """The `index`-th table of the query under the name the query gives it."""

    index: int
    alias: str
    table: Table
    at: Position | None


@dataclass(frozen=True, slots=True)
class Named:
    """A column in reach: its name, and what it stands for over the columns of the relation."""

    name: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Source:
    """A relation under the name the query gives it."""

    alias: str
    columns: tuple[Named, ...]
    at: Position | None

    def column(self, name: str) -> Expr | None:
        """Return what a column name stands for. Case does not matter, as in DuckDB."""
        lowered = name.lower()
        return next((c.expr for c in self.columns if c.name.lower() == lowered), None)


@dataclass(frozen=True, slots=True)
class Called:
    """The user's words for a relation: its alias, the name of its unit key, and where it stands."""

    alias: str
    key: str
    at: Position | None


@dataclass(frozen=True, slots=True)
class Rows:
    """A relation and the unit of its rows.

    `unit` is the code column of the unit, None for public rows. `scans` are the tables whose rows surely carry that unit
    here; `keys` the readable columns that hold the unit's own key and are never NULL.
    """

    relation: Relation
    unit: Column | None
    scans: frozenset[int]
    keys: frozenset[Column]
    name: Called


def public_rows(relation: Relation, name: Called) -> Rows:
    """Return rows that belong to nobody."""
    return Rows(relation, None, frozenset(), frozenset(), name)


def unit_of(number: int) -> Column:
    """Return the unit code of a scan or of a derived private relation."""
    return Column(number, UNIT_COLUMN, UNIT_TYPE)


def same_unit(left: Column, right: Column) -> Expr:
    """Return the condition that two rows belong to the same unit."""
    return Call(Op.EQ, (left, right), SqlType(TypeKind.BOOLEAN))


def scan_rows(table: ScopedTable) -> Rows:
    """Return all rows of a registered table."""
    path = table.table.unit
    name = Called(table.alias, path.column if path is not None else "?", table.at)
    if not table.table.private:
        return public_rows(Scan(table.index), name)
    keys = frozenset(
        Column(table.index, column.name, column.type)
        for column in table.table.columns
        if path is not None and path.references is None and path.column == column.name
    )
    return Rows(Scan(table.index), unit_of(table.index), frozenset({table.index}), keys, name)


def scan_source(table: ScopedTable) -> Source:
    """Return the registered columns of a table."""
    return Source(
        table.alias,
        tuple(Named(c.name, Column(table.index, c.name, c.type)) for c in table.table.columns),
        table.at,
    )
