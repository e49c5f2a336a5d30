"""The very SQL that the analyst asked, by plain DuckDB on the raw files: for the owner, who may see both.

Two answers of each: `every` of all rows as they are in the files; `declared` of what the contracts let count (flights without an
aeroplane dropped, delays cut at their bounds, an aeroplane's rows cut where the question's contract cuts them). The noise of an
answer is centred on the second; the difference between the two is the price of the bounds, and no error bar shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from examples.flights.questions import GROWTH, LATE, SPREAD, TOP, TOTALS, Question

Row = tuple[object, ...]
_TABLES = ("planes", "flights", "cancellations")
_BOUNDS = {"dep_delay": (-20, 120), "arr_delay": (-60, 120)}
# By which columns an aeroplane's flights are counted, and at how many they are cut. Elsewhere no aeroplane reaches its bound:
# it has one row, or one for each day. Which flights go is a choice of the node's; here it is a plain hash.
_CUT: Mapping[str, tuple[str, int]] = {
    TOTALS.name: ("carrier, month", 30),
    GROWTH.name: ("origin, month", 30),
    LATE.name: ("carrier", 350),
    TOP.name: ("carrier", 350),
    SPREAD.name: ("carrier", 350),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """The rows of one question without privacy: of every row, and of what the contracts let count."""

    every: tuple[Row, ...]
    declared: tuple[Row, ...]


class SameSql:
    """Runs the analyst's text, as only the owner may."""

    def __init__(self, sources: Path) -> None:
        self._engine = duckdb.connect()
        self._engine.execute("CREATE SCHEMA declared")
        for table in _TABLES:
            # Every declared column of a number has numbers; an empty field is NULL.
            self._engine.read_csv(str(sources / f"{table}.csv"), sample_size=-1).create(table)
            self._engine.execute(
                f"CREATE VIEW declared.{table} AS SELECT * FROM main.{table} WHERE tailnum IS NOT NULL"  # noqa: S608
            )

    def answers(self, question: Question) -> Beside:
        """Return both answers of one question."""
        self._engine.execute(_declared_flights(_CUT.get(question.name)))
        return Beside(self._rows("main", question), self._rows("declared", question))

    def _rows(self, schema: str, question: Question) -> tuple[Row, ...]:
        self._engine.execute(f"USE {schema}")
        found = self._engine.execute(question.sql, dict(question.parameters) or None)
        return tuple(found.fetchall())


def _declared_flights(cut: tuple[str, int] | None) -> str:
    # DuckDB's least and greatest skip NULL: without the CASE every cancelled flight would be early.
    clamped = ", ".join(
        f"CASE WHEN {name} IS NOT NULL THEN least(greatest({name}, {low}), {high}) END AS {name}"
        for name, (low, high) in _BOUNDS.items()
    )
    view = (
        f"CREATE OR REPLACE VIEW declared.flights AS SELECT * REPLACE ({clamped}) "  # noqa: S608
        "FROM main.flights WHERE tailnum IS NOT NULL"
    )
    if cut is None:
        return view
    columns, rows = cut
    each = f"PARTITION BY tailnum, {columns} ORDER BY hash(time_hour, carrier, flight)"
    return f"{view} QUALIFY row_number() OVER ({each}) <= {rows}"
