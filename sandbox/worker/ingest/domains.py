"""List the values of public columns that may serve as group keys. No private table is ever read here."""

# ruff: noqa: S608  # SQL is composed of our own words and of declared names, each quoted by `names.quoted`

from datetime import date, datetime
from decimal import Decimal

import duckdb

from policies.dataset import Dataset
from policies.terms import Scalar, TypeKind
from sandbox.worker.ingest.names import quoted, settled

VALUES_MAX = 1000


def public_domains(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset
) -> dict[str, tuple[Scalar, ...]]:
    """Return the distinct values of each public column that has few, in order.

    Refuses  (leaves out) DOUBLE columns, whose NaN and two zeros are no keys, and days that a calendar does not know.
    """
    found: dict[str, tuple[Scalar, ...]] = {}
    for number, table in enumerate(dataset.tables):
        if table.private:
            continue
        for column in table.columns:
            if column.type.kind is TypeKind.DOUBLE:
                continue
            values = _distinct(connection, settled(number), column.name)
            if len(values) <= VALUES_MAX and all(
                _is_key(value, column.type.kind) for value in values
            ):
                found[f"{table.name}.{column.name}"] = values
    return found


def _distinct(connection: duckdb.DuckDBPyConnection, rows: str, column: str) -> tuple[Scalar, ...]:
    name = quoted(column)
    found = connection.execute(
        f"SELECT DISTINCT {name} FROM {rows} WHERE {name} IS NOT NULL ORDER BY 1 LIMIT {VALUES_MAX + 1}"
    ).fetchall()
    return tuple(value for (value,) in found)


def _is_key(value: Scalar, kind: TypeKind) -> bool:
    # The driver turns `infinity` into the last moment of the calendar, and days it cannot hold into text.
    if kind is TypeKind.DATE:
        return type(value) is date and date.min < value < date.max
    if kind is TypeKind.TIMESTAMP:
        return isinstance(value, datetime) and datetime.min < value < datetime.max
    return isinstance(value, bool | int | str | Decimal)
