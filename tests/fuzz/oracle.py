"""Plain DuckDB as the judge: the same question over the raw tables, right-joined to the declared keys.

What may differ is written in docs/DIFFERENCES.md and nowhere else; here is what each line there means for a comparison.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import duckdb

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.boundary import TOTAL_MAX, Moment, Release, StepBase
from tests.fuzz.grammar import Aggregate, Query
from tests.fuzz.rows import Rows, load
from tests.fuzz.world import World

Group = tuple[Scalar, ...]
_FLOAT_ERROR = 1e-9  # of DuckDB's own floating sums, relative to the sum of magnitudes


@dataclass(frozen=True, slots=True)
class PlainCell:
    """What plain DuckDB says of one aggregate in one group, and how large what it added up was."""

    value: Scalar
    count: int
    magnitude: float


PlainCells = dict[Group, tuple[PlainCell, ...]]


def open_plain(world: World, rows: Rows) -> duckdb.DuckDBPyConnection:
    """Open the raw tables as ingest must understand them: composed text, and no row that belongs to nobody."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    load(world, rows, connection)
    for sheet in world.sheets:
        for field in sheet.fields:
            if field.type.kind is TypeKind.VARCHAR:
                connection.execute(
                    f"UPDATE {sheet.name} SET {field.name} = nfc_normalize({field.name})"
                )
        if sheet.unit is not None:
            missing = " OR ".join(f"{name} IS NULL" for name in (sheet.unit, *sheet.key))
            connection.execute(f"DELETE FROM {sheet.name} WHERE {missing}")
        if sheet.parent is not None:
            key = world.sheet(sheet.parent).key[0]
            connection.execute(
                f"DELETE FROM {sheet.name} WHERE {sheet.unit} NOT IN (SELECT {key} FROM {sheet.parent})"
            )
    return connection


def plain_cells(
    query: Query, connection: duckdb.DuckDBPyConnection, *, verbatim: bool
) -> PlainCells:
    """Answer by plain DuckDB: in the question's own words, or with the written differences applied to each operator."""
    keys = [key.sql.text if verbatim else key.sql.plain for key in query.keys]
    columns = [f"{key} AS k{index}" for index, key in enumerate(keys)]
    for index, each in enumerate(query.aggregates):
        columns += _columns(index, each, verbatim)
    grouped = f" GROUP BY {', '.join(f'k{i}' for i in range(len(keys)))}" if keys else ""
    source = query.source[0 if verbatim else 1]
    # the keys are computed below, so that an alias never meets a column of the same name
    inner = f"SELECT {', '.join([*columns, '1 AS one'])} FROM {source}"
    finished = ", ".join(
        [f"k{i}" for i in range(len(keys))]
        + [part for i, each in enumerate(query.aggregates) for part in _finished(i, each)]
    )
    found = connection.execute(f"SELECT {finished} FROM ({inner}){grouped}").fetchall()
    cells: PlainCells = {}
    for row in found:
        rest = row[len(keys) :]
        cells[tuple(row[: len(keys)])] = tuple(
            PlainCell(rest[3 * i], int(rest[3 * i + 1] or 0), float(rest[3 * i + 2] or 0.0))
            for i in range(len(query.aggregates))
        )
    return cells


def _columns(index: int, each: Aggregate, verbatim: bool) -> list[str]:
    """Return the value an aggregate adds up and whether a row counts. rows: (v, c)"""
    value = "1" if each.value is None else (each.value.text if verbatim else each.value.plain)
    if each.value is not None and each.value.kind == "dbl" and each.name in ("sum", "avg"):
        value = f"(CASE WHEN NOT isnan({value}) THEN {value} END)"
    elif each.value is not None and each.name in ("sum", "avg") and not verbatim:
        # beyond it plain DuckDB overflows, and the cell is not compared
        value = (
            f"(CASE WHEN abs(({value})::DOUBLE) < 1e36 THEN {value} ELSE 4000000000000000000 END)"
        )
    condition = "true"
    if each.condition is not None:
        condition = each.condition.text if verbatim else each.condition.plain
    return [f"{value} AS v{index}", f"({condition}) AS c{index}"]


def _finished(index: int, each: Aggregate) -> list[str]:
    call = {
        "count": f"count(v{index})",
        "units": f"count(DISTINCT v{index})",
        "distinct": f"count(DISTINCT v{index})",
        "sum": f"sum(v{index})",
        "avg": f"avg(v{index})",
    }[each.name]
    kept = f"FILTER (WHERE c{index})"
    numeric = each.name in ("sum", "avg")
    size = f"sum(abs(v{index}::DOUBLE)) {kept}" if numeric else "0"
    return [f"{call} {kept}", f"count(v{index}) {kept}", size]


def declared_groups(
    query: Query, connection: duckdb.DuckDBPyConnection
) -> tuple[tuple[Group, ...], frozenset[int]]:
    """Return every declared group, and the keys of which NULL may or may not be declared (a condition's third value)."""
    columns = [
        [row[0] for row in connection.execute(key.declared).fetchall()] for key in query.keys
    ]
    open_keys = frozenset(
        index for index, key in enumerate(query.keys) if "key.flag" in key.sql.productions
    )
    return tuple(product(*columns)), open_keys


def disagreements(
    query: Query, released: Release, plain: PlainCells, moments: Sequence[Moment]
) -> tuple[list[str], int]:
    """Return where the released cells differ from plain DuckDB beyond what is written, and how many were compared.

    `moments` is the first moment of each aggregate. Cells whose magnitude fills the number range are not compared.
    """
    found: list[str] = []
    compared = 0
    width = len(query.keys)
    for row in released.rows:
        group = tuple(cell.value for cell in row[:width])
        for index, (cell, moment) in enumerate(zip(row[width:], moments, strict=True)):
            expected = plain[group][index] if group in plain else PlainCell(None, 0, 0.0)
            if expected.magnitude * _per_unit(moment) > TOTAL_MAX / 2:
                continue
            compared += 1
            if not _agrees(query.aggregates[index].name, cell.value, expected, moment):
                found.append(f"{group} {query.aggregates[index].text}: {cell.value} {expected}")
    return found, compared


def _agrees(name: str, value: Scalar, expected: PlainCell, moment: Moment) -> bool:
    if name in ("count", "units", "distinct"):
        return value == (expected.value or 0)
    if name == "avg":
        if expected.count == 0:
            return value is None
        return _close(value, expected.value, expected.magnitude / expected.count, 1, moment)
    if expected.value is None:
        return value == 0
    return _close(value, expected.value, expected.magnitude, expected.count, moment)


def _close(value: Scalar, plain: Scalar, magnitude: float, rows: int, moment: Moment) -> bool:
    assert isinstance(value, int | float | Decimal) and isinstance(plain, int | float | Decimal)
    if not isinstance(value, float) and not isinstance(plain, float):
        return Decimal(value) == Decimal(plain)
    error = _FLOAT_ERROR * magnitude + 1e-12
    if moment.step_base is StepBase.TWO:
        error += rows * 2.0 ** -(moment.step_exponent + 1)
    return abs(float(value) - float(plain)) <= error


def _per_unit(moment: Moment) -> float:
    base = 2.0 if moment.step_base is StepBase.TWO else 10.0
    return base**moment.step_exponent


def finished_rows(
    query: Query, released: Release, connection: duckdb.DuckDBPyConnection
) -> list[tuple[str, ...]]:
    """Return what plain DuckDB makes of the released keys and aggregates by the rest of the question."""
    width = len(query.keys)
    names = [f"k{i}" for i in range(width)] + [f"a{i}" for i in range(len(query.aggregates))]
    lists = [[row[i].value for row in released.rows] for i in range(len(names))]
    columns = ", ".join(
        f"CAST(unnest($c{i}) AS {_name(released.columns[i].type)}) AS {name}"
        for i, name in enumerate(names)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT range AS g, * FROM (SELECT {columns}) "
        f"POSITIONAL JOIN range({len(released.rows)})",
        {f"c{i}": _listed(values) for i, values in enumerate(lists)},
    )
    outputs = ", ".join(f"{output.over} AS o{i}" for i, output in enumerate(query.outputs))
    where = f" WHERE {query.having.over}" if query.having else ""
    order = ", ".join([*(term.over for term in query.order), "g"])
    rows = connection.execute(
        f"SELECT {outputs} FROM cells{where} ORDER BY {order}{query.rest}"
    ).fetchall()
    return [spelled(row) for row in rows]


def _listed(values: Sequence[Scalar]) -> list[str | None]:
    # as text: a list of Python values takes the type of its first
    return [None if value is None else _text(value) for value in values]


def _text(value: Scalar) -> str:
    if isinstance(value, float):
        return repr(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _name(type_: SqlType) -> str:
    return str(type_)


def spelled(row: Sequence[object]) -> tuple[str, ...]:
    """Return a row in a form in which NaN equals NaN and 1.0 does not equal 1."""
    return tuple(
        "nan" if isinstance(value, float) and math.isnan(value) else repr(value) for value in row
    )
