"""Read the schema of a holder's DuckDB file from its catalogue: names, types and keys, never a value.

A first draft of a policy is written from this. What follows from values (bounds, domains) is for the holder to declare.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from policies.dataset import Column, ForeignKey
from policies.terms import SqlType, TypeKind
from sandbox.worker.ingest.exact import plain_kind
from sandbox.worker.ingest.names import text

_FILE = "source_file"
# Types that ingest takes in without loss, by the declared type that holds all their values.
_DECLARED = {
    "BOOLEAN": TypeKind.BOOLEAN,
    "TINYINT": TypeKind.INTEGER,
    "SMALLINT": TypeKind.INTEGER,
    "INTEGER": TypeKind.INTEGER,
    "UTINYINT": TypeKind.INTEGER,
    "USMALLINT": TypeKind.INTEGER,
    "UINTEGER": TypeKind.BIGINT,
    "BIGINT": TypeKind.BIGINT,
    "UBIGINT": TypeKind.HUGEINT,
    "HUGEINT": TypeKind.HUGEINT,
    "UHUGEINT": TypeKind.HUGEINT,
    "FLOAT": TypeKind.DOUBLE,
    "DOUBLE": TypeKind.DOUBLE,
    "VARCHAR": TypeKind.VARCHAR,
    "ENUM": TypeKind.VARCHAR,
    "UUID": TypeKind.VARCHAR,
    "DATE": TypeKind.DATE,
    "TIMESTAMP": TypeKind.TIMESTAMP,
    "TIMESTAMP_S": TypeKind.TIMESTAMP,
    "TIMESTAMP_MS": TypeKind.TIMESTAMP,
    "TIMESTAMP_NS": TypeKind.TIMESTAMP,
}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A column that no declared type can hold, with the first word of its type."""

    name: str
    found: str


@dataclass(frozen=True, slots=True)
class TableSchema:
    """What the file's own catalogue says about one table."""

    name: str
    columns: tuple[Column, ...]
    unreadable: tuple[Unreadable, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]


def schema_of(path: Path) -> tuple[TableSchema, ...]:
    """Return the tables of a DuckDB file in order of name. Raises duckdb.Error if the file is no database."""
    with duckdb.connect(":memory:", config={"threads": 1, "async_threads": 0}) as connection:
        connection.execute(f"ATTACH {text(str(path))} AS {_FILE} (READ_ONLY)")
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() "
            "WHERE database_name = ? AND schema_name = 'main' AND NOT internal ORDER BY 1",
            [_FILE],
        ).fetchall()
        return tuple(_table(connection, str(name)) for (name,) in names)


def written(schema: tuple[TableSchema, ...]) -> bytes:
    """Write a schema as JSON, for a caller in another process."""
    tables = {
        table.name: {
            "columns": {column.name: str(column.type) for column in table.columns},
            "unreadable": {column.name: column.found for column in table.unreadable},
            "primary_key": list(table.primary_key),
            "foreign_keys": [
                {"columns": list(key.columns), "references": key.references, "to": list(key.to)}
                for key in table.foreign_keys
            ],
        }
        for table in schema
    }
    return json.dumps(tables, ensure_ascii=False).encode()


def declared_type(found: str) -> SqlType | None:
    """Return the declared type for an engine type, None if there is none."""
    if found.startswith("DECIMAL("):
        precision, scale = found.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return SqlType(TypeKind.DECIMAL, int(precision), int(scale))
    kind = _DECLARED.get(plain_kind(found))
    return None if kind is None else SqlType(kind)


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> TableSchema:
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? "
        "AND schema_name = 'main' AND table_name = ? ORDER BY column_index",
        [_FILE, name],
    ).fetchall()
    columns, unreadable = [], []
    for column, kind in found:
        declared = declared_type(str(kind))
        if declared is None:
            unreadable.append(Unreadable(str(column), plain_kind(str(kind))))
        else:
            columns.append(Column(str(column), declared))
    keys = connection.execute(
        "SELECT constraint_type, constraint_column_names, referenced_table, "
        "referenced_column_names FROM duckdb_constraints() WHERE database_name = ? "
        "AND schema_name = 'main' AND table_name = ? ORDER BY constraint_index",
        [_FILE, name],
    ).fetchall()
    primary = next((tuple(own) for kind, own, _, _ in keys if kind == "PRIMARY KEY"), ())
    foreign = tuple(
        ForeignKey(tuple(own), str(target), tuple(to))
        for kind, own, target, to in keys
        if kind == "FOREIGN KEY"
    )
    return TableSchema(name, tuple(columns), tuple(unreadable), primary, foreign)
