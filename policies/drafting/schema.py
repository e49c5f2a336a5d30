"""What a source says of itself, and what follows from names, types and keys alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.access.model import Domain
from policies.check_dataset import UNIT_KINDS
from policies.dataset import Column, ForeignKey, Source
from policies.reading.dataset import sql_type
from policies.reading.values import name_fault
from policies.refusals import Refused, Stage
from policies.terms import SqlType, TypeKind, ValueBound

# The engine's narrower types: ingest reads them exactly as the wider declared one.
_WIDENED = {
    "TINYINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "UTINYINT": "INTEGER",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "HUGEINT",
    "FLOAT": "DOUBLE",
    "ENUM": "VARCHAR",
}
# Equality of these is not exact enough to join on.
_NOT_KEYS = (TypeKind.DOUBLE, TypeKind.DECIMAL)


@dataclass(frozen=True, slots=True)
class SchemaTable:
    """A table as its source describes it: columns with the engine's type names, and keys."""

    name: str
    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    source: Source | None


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What is publicly known of columns, by `table.column`: tariffs, code lists, calendars."""

    bounds: Mapping[str, ValueBound]
    domains: Mapping[str, Domain]


@dataclass(frozen=True, slots=True)
class Sorted:
    """The tables that can be declared: private ones with their unit column, and public ones."""

    tables: tuple[SchemaTable, ...]
    unit_ways: Mapping[str, str]
    public: tuple[str, ...]
    left_out: Mapping[str, str]

    def without(self, names: Mapping[str, str]) -> "Sorted":
        """Leave out more tables, each with its reason."""
        return Sorted(
            tuple(table for table in self.tables if table.name not in names),
            {name: way for name, way in self.unit_ways.items() if name not in names},
            self.public,
            {**self.left_out, **names},
        )


def columns_of(table: SchemaTable) -> tuple[Column, ...]:
    """Return the columns that can be declared; others stay out of both documents."""
    found: dict[str, Column] = {}
    for name, written in table.columns:
        word = written.upper()
        word = "ENUM" if word.startswith("ENUM") else word
        kind = sql_type(_WIDENED.get(word, word))
        if kind is not None and not name_fault(name):
            found.setdefault(name.casefold(), Column(name, kind))
    return tuple(found.values())


def type_of(table: SchemaTable, name: str) -> SqlType | None:
    """Return the type a column can be declared with."""
    return next((column.type for column in columns_of(table) if column.name == name), None)


def sort_tables(schema: tuple[SchemaTable, ...], unit: str, public: tuple[str, ...]) -> Sorted:
    """Tell private from public tables, and find each private table's column of the unit.

    Refuses  a unit that is not a column of the schema, and a public table that holds the unit.
    """
    unit_table, _, unit_column = unit.partition(".")
    by_name = {table.name: table for table in schema}
    home = by_name.get(unit_table)
    kind = type_of(home, unit_column) if home else None
    if kind is None or kind.kind not in UNIT_KINDS:
        raise _refused(f"the unit `{unit}` is not a column of it, or of a type that cannot be one")
    ways: dict[str, str] = {}
    left_out = {
        name: "has a name, or only columns, that cannot be declared"
        for name, table in by_name.items()
        if name_fault(name) or not columns_of(table)
    }
    for name in public:
        if name not in by_name:
            raise _refused(f"there is no table `{name}` to be public")
    for table in schema:
        found = _ways(table, unit_table, unit_column, kind)
        if table.name in public and found:
            raise _refused(f"`{table.name}` cannot be public, it holds the unit in `{found[0]}`")
        if found:
            ways[table.name] = found[0]
        elif table.name not in public:
            left_out.setdefault(table.name, "neither holds the unit nor was named public")
    return Sorted(schema, ways, public, {}).without(left_out)


def shared_with_public(found: Sorted, table: SchemaTable) -> tuple[tuple[str, str], ...]:
    """Return (column, public table) for each column that both have by name and type."""
    own = {column.name: column.type for column in columns_of(table)}
    return tuple(
        (column.name, other.name)
        for other in found.tables
        if other.name in found.public and other.name != table.name
        for column in columns_of(other)
        if own.get(column.name) == column.type and column.type.kind not in _NOT_KEYS
    )


def _ways(table: SchemaTable, unit_table: str, unit_column: str, kind: SqlType) -> tuple[str, ...]:
    same_name = (unit_column,) if type_of(table, unit_column) == kind else ()
    by_key = tuple(
        key.columns[0]
        for key in table.foreign_keys
        if key.references == unit_table
        and key.to == (unit_column,)
        and type_of(table, key.columns[0]) == kind
    )
    return tuple(dict.fromkeys((*same_name, *by_key)))


def _refused(problem: str) -> Refused:
    return Refused(
        "document_field_invalid",
        Stage.DOCUMENT,
        path="schema",
        field="schema",
        problem=f"does not fit: {problem}",
    )
