"""Load a source with its declared types, and mark each row that is wrong by itself.

# loaded rows: the declared columns, ROW, WRONG (numbers of ill-typed columns), WHY (None if the row is sound)
"""

# ruff: noqa: S608  # SQL is composed of our own words and of declared names, each quoted by `names.quoted`

from dataclasses import dataclass
from datetime import timedelta

import duckdb

from policies import epochs
from policies.dataset import Epoch, Table
from sandbox.worker.ingest.exact import exact, given
from sandbox.worker.ingest.names import ROW, WHY, WRONG, loaded, quoted
from sandbox.worker.ingest.refused import Code, IngestRefused, Place
from sandbox.worker.ingest.report import PLACES_MAX, Why, WrongValue
from sandbox.worker.ingest.sources import Opened
from sandbox.worker.ingest.text_file import lines_of


@dataclass(frozen=True, slots=True)
class Loaded:
    """How the rows of one file fared one by one."""

    read: int
    dropped: tuple[tuple[Why, int], ...]
    wrong_values: tuple[WrongValue, ...]


def load(
    connection: duckdb.DuckDBPyConnection, table: Table, opened: Opened, number: int
) -> Loaded:
    """Make the working table of loaded rows.

    Refuses  a public table with a row that is wrong: it is small, it can be mended, and dropping a hospital would change
             every answer that joins it without a word.
    """
    connection.execute(f"CREATE TABLE {loaded(number)} AS {_typed(table, opened)}")
    counts = connection.execute(
        f"SELECT {WHY}, count(*) FROM {loaded(number)} GROUP BY ALL"
    ).fetchall()
    rows = {None if why is None else Why(why): int(count) for why, count in counts}
    wrong_values = _wrong_values(connection, table, opened, number)
    dropped = tuple((why, rows[why]) for why in Why if rows.get(why))
    if dropped and not table.private:
        places = tuple(wrong.place for wrong in wrong_values)
        raise IngestRefused(Code.PUBLIC_ROW_WRONG, table=table.name, places=places)
    return Loaded(sum(rows.values()), dropped, wrong_values)


def _typed(table: Table, opened: Opened) -> str:
    columns = tuple(zip(table.columns, opened.kinds, strict=True))
    as_given = ", ".join(
        f"{given(quoted(column.name), kind, column.type)} AS _ky_g{i}"
        for i, (column, kind) in enumerate(columns)
    )
    as_typed = ", ".join(
        f"_ky_g{i}, {exact(f'_ky_g{i}', kind, column.type)} AS _ky_v{i}"
        for i, (column, kind) in enumerate(columns)
    )
    wrong = [f"(_ky_g{i} IS NOT NULL AND _ky_v{i} IS NULL)" for i in range(len(columns))]
    numbers = ", ".join(f"CASE WHEN {test} THEN {i} END" for i, test in enumerate(wrong))
    named = ", ".join(
        f"_ky_v{i} AS {quoted(column.name)}" for i, column in enumerate(table.columns)
    )
    return (
        f"SELECT *, {_why(table)} AS {WHY} FROM ("
        f"SELECT {named}, {ROW}, CASE WHEN {' OR '.join(wrong)} THEN [{numbers}] END AS {WRONG} "
        f"FROM (SELECT {as_typed}, {ROW} FROM (SELECT {as_given}, {ROW} FROM {opened.relation})))"
    )


def _why(table: Table) -> str:
    # INVARIANT: each test reads this row and the declaration only, so it drops nobody else's row.
    tests = [(f"{WRONG} IS NOT NULL", Why.VALUE_WRONG)]
    tests += [(f"{quoted(name)} IS NULL", Why.KEY_MISSING) for name in table.primary_key]
    if table.unit is not None:
        tests.append((f"{quoted(table.unit.column)} IS NULL", Why.UNIT_MISSING))
    if table.epoch is not None:
        tests.append((f"({_within(table.epoch)}) IS NOT TRUE", Why.EPOCH_MISSING))
    return "CASE " + " ".join(f"WHEN {test} THEN '{why}'" for test, why in tests) + " END"


def _within(epoch: Epoch) -> str:
    column = quoted(epoch.column)
    first = epochs.days(epoch.grain, epoch.first)[0]
    after = epochs.days(epoch.grain, epoch.last)[1] + timedelta(days=1)
    return f"{column} >= DATE '{first}' AND {column} < DATE '{after}'"


def _wrong_values(
    connection: duckdb.DuckDBPyConnection, table: Table, opened: Opened, number: int
) -> tuple[WrongValue, ...]:
    found = connection.execute(
        f"SELECT {ROW}, place FROM (SELECT {ROW}, unnest({WRONG}) AS place FROM {loaded(number)} "
        f"WHERE {WRONG} IS NOT NULL) WHERE place IS NOT NULL ORDER BY ALL LIMIT {PLACES_MAX}"
    ).fetchall()
    numbers = {int(row): int(row) for row, _ in found}
    if found and opened.text_file is not None:
        numbers = lines_of(opened.text_file, frozenset(numbers), len(table.columns))
    file = table.source.path if table.source else table.name
    return tuple(
        WrongValue(
            Place(file, opened.counted_in, numbers.get(int(row)), table.columns[i].name),
            str(table.columns[i].type),
        )
        for row, i in found
    )
