"""Declare a raw database: its catalogue says the types and keys, the policy says who is protected and how far."""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from policies.access.model import AccessPolicy, TableGrant
from policies.dataset import Column, Dataset, Family, SizeClass, Table, UnitPath
from policies.reading.dataset import sql_type
from policies.terms import DELTA_UNIT, Accountant, ContributionBound, SqlType, TypeKind

UNITS_MAX = 10**9
_DELTA_MARGIN = 10
# What the engine knows and a domain cannot declare, as the declared type that holds it without loss.
_HELD_BY = {
    "TINYINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "UTINYINT": "INTEGER",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "HUGEINT",
    "FLOAT": "DOUBLE",
    "UUID": "VARCHAR",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
}
_WHOLE = (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT)


class Undeclarable(Exception):
    """The database and the policy do not fit together."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as the database's own catalogue has it. `foreign` maps a column to the table and column it refers to."""

    name: str
    columns: tuple[tuple[str, str], ...]
    primary_key: tuple[str, ...]
    foreign: dict[str, tuple[str, str]]


def declare(raw: Path, policy: AccessPolicy) -> Dataset:
    """Return the Dataset that the policy's tables make.

    Refuses (Undeclarable)  a private table without its unit column.
    """
    found = {table.name.casefold(): table for table in read_catalogue(raw)}
    tables = []
    for grant in policy.tables:
        # a policy may grant more than one database holds: questions about the rest are refused by name
        if (table := found.get(grant.name.casefold())) is not None:
            tables.append(_table(table, grant, policy, found))
    return Dataset(
        id="lab",
        version=1,
        holder=policy.holder,
        family=_family(policy),
        size_class=SizeClass.S,
        tables=_one_unit_type(tuple(tables)),
        digest="sha256:" + "0" * 64,
    )


def copy_declared(raw: Path, dataset: Dataset, target: Path) -> None:
    """Copy the declared columns of the declared tables into a database of our own; the raw one is only read."""
    with duckdb.connect(str(target)) as connection:
        connection.execute(f"ATTACH '{_plain(raw)}' AS raw (READ_ONLY)")
        kinds = {t.name.casefold(): dict(t.columns) for t in _catalogue(connection)}
        for table in dataset.tables:
            known = {
                name.casefold(): (name, kind) for name, kind in kinds[table.name.casefold()].items()
            }
            columns = ", ".join(_copied(column, known) for column in table.columns)
            connection.execute(
                f"CREATE TABLE {_quoted(table.name)} AS SELECT {columns} FROM raw.main.{_quoted(table.name)}"
            )


def read_catalogue(raw: Path) -> tuple[RawTable, ...]:
    """Read tables, views, types and keys. No row is read."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{_plain(raw)}' AS raw (READ_ONLY)")
        return _catalogue(connection)


def declared_type(kind: str) -> SqlType | None:
    """Return the declared type that holds the engine's type, or None."""
    if kind.startswith("ENUM"):
        return SqlType(TypeKind.VARCHAR)
    return sql_type(_HELD_BY.get(kind, kind))


def _catalogue(connection: duckdb.DuckDBPyConnection) -> tuple[RawTable, ...]:
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'raw' "
        "AND schema_name = 'main' AND NOT internal ORDER BY table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append((column, kind))
    keys: dict[str, tuple[str, ...]] = {}
    foreign: dict[str, dict[str, tuple[str, str]]] = {}
    for table, kind, own, other, theirs in connection.execute(
        "SELECT table_name, constraint_type, constraint_column_names, referenced_table, "
        "referenced_column_names FROM duckdb_constraints() WHERE database_name = 'raw'"
    ).fetchall():
        if kind == "PRIMARY KEY":
            keys[table] = tuple(own)
        elif kind == "FOREIGN KEY" and len(own) == 1:
            foreign.setdefault(table, {})[own[0]] = (other, theirs[0])
    return tuple(
        RawTable(name, tuple(found), keys.get(name, ()), foreign.get(name, {}))
        for name, found in columns.items()
    )


def _table(
    raw: RawTable, grant: TableGrant, policy: AccessPolicy, found: dict[str, RawTable]
) -> Table:
    spelled = {column.name.casefold(): column.name for column in grant.columns}
    if grant.unit is not None:
        spelled[grant.unit.column.casefold()] = grant.unit.column
    columns = tuple(
        Column(spelled.get(name.casefold(), name), kind)
        for name, engine in raw.columns
        if (kind := declared_type(engine)) is not None
    )
    names = {column.name.casefold(): column.name for column in columns}
    key = tuple(names.get(name.casefold(), "") for name in raw.primary_key)
    return Table(
        name=grant.name,
        private=grant.unit is not None,
        columns=columns,
        primary_key=key if all(key) else (),
        unit=_unit(raw, grant, policy, found) if grant.unit is not None else None,
        contribution=_contribution(grant.unit.bound) if grant.unit is not None else None,
        foreign_keys=(),
        epoch=None,
        provenance="given to the lab as public" if grant.unit is None else None,
        source=None,
    )


def _unit(
    raw: RawTable, grant: TableGrant, policy: AccessPolicy, found: dict[str, RawTable]
) -> UnitPath:
    """Return the way to the unit: the column of that name, or through the private table its foreign key refers to."""
    column = grant.unit.column if grant.unit is not None else ""
    kinds = {name.casefold(): kind for name, kind in raw.columns}
    if column.casefold() not in kinds:
        raise Undeclarable(f"the table `{grant.name}` has no column `{column}`")
    way = next((to for own, to in raw.foreign.items() if own.casefold() == column.casefold()), None)
    parent = policy.table(way[0]) if way is not None else None
    if way is None or parent is None or parent.unit is None:
        return UnitPath(column, None, False)
    if parent.unit.column.casefold() == way[1].casefold():
        return UnitPath(column, None, False)  # refers to the unit itself
    if tuple(name.casefold() for name in found[parent.name.casefold()].primary_key) != (
        way[1].casefold(),
    ):
        return UnitPath(column, None, False)
    return UnitPath(column, parent.name, False)


def _contribution(bound: ContributionBound) -> ContributionBound:
    per_group = min(bound.rows_per_group_max, bound.rows_per_unit_max)
    return ContributionBound(bound.rows_per_unit_max, per_group, bound.groups_per_unit_max)


def _one_unit_type(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """Give whole-number unit columns one type, as a family needs: the widest that any of them has."""
    held = {
        table.name: (table.unit.column, kind)
        for table in tables
        if table.unit is not None and table.unit.references is None
        for column in table.columns
        if column.name == table.unit.column and (kind := column.type).kind in _WHOLE
    }
    if len({kind for _, kind in held.values()}) < 2:
        return tables
    widest = max((kind for _, kind in held.values()), key=lambda kind: _WHOLE.index(kind.kind))
    return tuple(_retyped(table, held.get(table.name, ("", widest))[0], widest) for table in tables)


def _retyped(table: Table, name: str, kind: SqlType) -> Table:
    columns = tuple(Column(c.name, kind if c.name == name else c.type) for c in table.columns)
    return replace(table, columns=columns)


def _family(policy: AccessPolicy) -> Family:
    budget = policy.budget
    units = UNITS_MAX
    if budget.accountant is Accountant.APPROX_ZCDP:
        units = max(1, min(units, (DELTA_UNIT - 1) // (_DELTA_MARGIN * max(1, budget.delta_total))))
    return Family(
        id="lab",
        unit=budget.unit,
        units_declared_max=units,
        accountant=budget.accountant,
        loss_per_query_max=budget.per_query_max,
        lifetime=max(budget.lifetime_per_epoch, budget.per_query_max),
        delta_total=budget.delta_total,
    )


def _copied(column: Column, known: dict[str, tuple[str, str]]) -> str:
    if column.name.casefold() not in known:
        raise Undeclarable(f"the database has no column `{column.name}`")
    name, kind = known[column.name.casefold()]
    # An engine type that a domain cannot declare becomes the one that holds it; the rest is left to ingest.
    held = declared_type(kind)
    value = _quoted(name) if sql_type(kind) == held else f"CAST({_quoted(name)} AS {held})"
    return f"{value} AS {_quoted(column.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(path: Path) -> str:
    return str(path).replace("'", "''")
