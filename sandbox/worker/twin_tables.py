"""Tables for the twin: the plan's own columns, first empty, then full of the values that break queries."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from math import gcd

import duckdb

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.algebra import Expr, Literal, expressions, walk
from sandbox.boundary import UNIT_COLUMN, GroupKey, ListedValues, Measurement, ValueSeries
from sandbox.worker.render import quoted
from sandbox.worker.sql_types import INTEGER, INTEGER_MAX, name_of
from sandbox.worker.twin_constants import constants_of

_ROWS_PER_UNIT = 3
_ROWS_OF_JOINS_MAX = 20_000  # rows of the product of all tables: bounds the rehearsal's time
_CONSTANTS_MAX = 64  # of the plan, per column
_NO_COLUMN = "_ky_no_column"

_EXTREMES = {
    TypeKind.BOOLEAN: ("true", "false"),
    TypeKind.DOUBLE: ("nan", "inf", "-inf", "0", "-0.0", "1.5", "-1e308", "1e308", "5e-324"),
    TypeKind.VARCHAR: ("", " ", "%", "_", "\\", "0", "-1", "nan", "长 \U0001f600", "x" * 10_000),
    TypeKind.DATE: (
        "infinity",
        "-infinity",
        "0001-01-01",
        "9999-12-31",
        "2024-02-29",
        "5881580-07-10",
        "5877642-06-25 (BC)",
    ),
    TypeKind.TIMESTAMP: (
        "infinity",
        "-infinity",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "2024-02-29 12:34:56.789",
        "294247-01-10 04:00:54.775806",
        "290309-12-22 (BC) 00:00:00",
    ),
}


def empty_twin(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the plan's tables without rows, and the snapshot's own tables with a secret that protects nobody."""
    connection.execute("CREATE TABLE _ky_units (code INTEGER, unit_key BLOB)")
    connection.execute(
        "CREATE TABLE _ky_meta AS SELECT 'family_secret' AS name, repeat('00', 32) AS value"
    )
    for table, columns in _tables(measurement).items():
        definitions = ", ".join(f"{quoted(name)} {name_of(t)}" for name, t in columns.items())
        connection.execute(f"CREATE TABLE {quoted(table)} ({definitions})")


def fill_twin(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
    """Put extremes, NULLs and the plan's own constants into every column."""
    constants = _constants(measurement)
    tables = _tables(measurement)
    most = rows_max(measurement)
    for table, columns in tables.items():
        pools = {name: _pool(type_, constants) for name, type_ in columns.items()}
        rows = min(most, 2 * max(len(pool) for pool in pools.values()) + 1)
        lists = {
            name: _units(rows) if name == UNIT_COLUMN else _strided(pool, rows, index)
            for index, (name, pool) in enumerate(pools.items())
        }
        chosen = ", ".join(
            f"TRY_CAST(unnest($c{index}::VARCHAR[]) AS {name_of(columns[name])})"
            for index, name in enumerate(lists)
        )
        parameters = {f"c{index}": values for index, values in enumerate(lists.values())}
        connection.execute(f"INSERT INTO {quoted(table)} SELECT {chosen}", parameters)
    connection.execute(
        "INSERT INTO _ky_units SELECT range, encode(range::VARCHAR) FROM range($units)",
        {"units": _ROWS_OF_JOINS_MAX // _ROWS_PER_UNIT + 1},
    )


def rows_max(measurement: Measurement) -> int:
    """Return how many rows each table of a measurement may have, so that not even their product takes long."""
    sources = len(measurement.scans) + len(tuple(constants_of(measurement)))
    return max(2, int(_ROWS_OF_JOINS_MAX ** (1 / sources)))


def _units(rows: int) -> list[str | None]:
    return [str(row // _ROWS_PER_UNIT) for row in range(rows)]


def _strided(pool: list[str | None], rows: int, index: int) -> list[str | None]:
    """Walk through the pool in another stride for each column, so that extremes of different columns meet."""
    stride = next(s for s in range(index + 1, index + 1 + len(pool)) if gcd(s, len(pool)) == 1)
    return [pool[(row * stride + index) % len(pool)] for row in range(rows)]


def _tables(measurement: Measurement) -> dict[str, dict[str, SqlType]]:
    tables: dict[str, dict[str, SqlType]] = {}
    for scan in measurement.scans:
        columns = tables.setdefault(scan.table, {})
        columns.update({column.name: column.type for column in scan.columns})
        if scan.private:
            columns[UNIT_COLUMN] = INTEGER
        elif not columns:  # read for its number of rows alone
            columns[_NO_COLUMN] = INTEGER
    return tables


def _pool(type_: SqlType, constants: tuple[Scalar, ...]) -> list[str | None]:
    pool: list[str | None] = [None, *_extremes(type_)]
    pool += [_text(value) for value in constants if value is not None][:_CONSTANTS_MAX]
    return pool


def _extremes(type_: SqlType) -> tuple[str, ...]:
    if type_.kind in INTEGER_MAX:
        most = INTEGER_MAX[type_.kind]
        return (str(most), str(-most - 1), "0", "1", "-1", "7")
    if type_.kind is TypeKind.DECIMAL:
        digits = "9" * (type_.precision - type_.scale) + "." + "9" * type_.scale
        return (digits, f"-{digits}", "0", "1", "-0.5")
    return _EXTREMES[type_.kind]


def _constants(measurement: Measurement) -> tuple[Scalar, ...]:
    """Return the plan's constants and declared values: with them some rows pass the filters and find a group."""
    found: list[Scalar] = []
    for expr in _exprs(measurement):
        found += [node.value for node in walk(expr) if isinstance(node, Literal)]
    for key in measurement.keys:
        for source in key.sources if isinstance(key, GroupKey) else ():
            values = source.values
            if isinstance(values, ListedValues):
                found += values.values[:8]
            elif isinstance(values, ValueSeries):
                found += (values.first, values.last)
    found += _brought(measurement)
    return tuple(dict.fromkeys(found))


def _exprs(measurement: Measurement) -> Iterator[Expr]:
    yield from (key.expr for key in measurement.keys)
    yield from (moment.value for moment in measurement.moments)
    yield from expressions(measurement.relation)


def _brought(measurement: Measurement) -> Iterator[Scalar]:
    """Return some values of the plan's own rows: with them, joins with these rows find a partner."""
    for found in constants_of(measurement):
        for row in found.rows[:8]:
            yield from row


def _text(value: Scalar) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
