"""The answers without privacy, by plain DuckDB on the raw files: for the owner, who may see both.

Two of each: `all_rows` counts everything in the file; `clipped` applies what the contracts declare (flights without an
aeroplane dropped, delays cut at their bounds, an aeroplane's rows and groups cut at theirs), and is what the noise of an
answer is centred on. The difference between the two is the price of the bounds; no error bar shows it.
"""

from pathlib import Path

import duckdb

Key = tuple[object, ...]
Exact = dict[Key, tuple[float, ...]]

# Rows and groups of one aeroplane in one answer, as the contracts say.
_COARSE_ROWS, _FINE_ROWS, _CANCELLED_ROWS, _CANCELLED_GROUPS = 350, 30, 3, 10
_MIDDLE, _REACH = 50, 70  # delays from -20 to 120 minutes
_DELAY = f"least(greatest(dep_delay, -20), 120) - {_MIDDLE}"
_WEATHER = """CASE WHEN precip >= 0.1 THEN 'heavy rain' WHEN precip > 0 THEN 'light rain'
 WHEN precip = 0 THEN 'dry' END"""


class Owner:
    """Reads the raw files, as only their owner may."""

    def __init__(self, sources: Path) -> None:
        self._engine = duckdb.connect()
        for table in ("flights", "cancellations", "weather"):
            # Every declared column of a number has numbers; an empty field is NULL.
            self._engine.read_csv(str(sources / f"{table}.csv"), sample_size=-1).create(table)
        self._engine.execute(
            f"CREATE VIEW rained AS SELECT f.*, precip, {_WEATHER} AS weather "  # noqa: S608
            "FROM flights f JOIN weather USING (origin, time_hour)"
        )

    def carriers(self) -> tuple[Exact, Exact]:
        """Return flights and mean delay by carrier: all rows, and clipped."""
        return self._flights_and_delay("flights", "carrier", _COARSE_ROWS, 1)

    def weather(self) -> tuple[Exact, Exact]:
        """Return flights and mean delay by weather."""
        plain, _ = self._flights_and_delay("rained", "weather", _COARSE_ROWS, 3)
        _, wet = self._flights_and_delay("rained WHERE precip > 0", "weather", _FINE_ROWS, 2)
        _, dry = self._flights_and_delay("rained WHERE precip = 0", "weather", _COARSE_ROWS, 1)
        return plain, {**wet, **dry}

    def cancelled(self) -> tuple[Exact, Exact]:
        """Return cancelled flights by airport and month."""
        return self._counts("cancellations", _CANCELLED_ROWS, _CANCELLED_GROUPS)

    def scheduled(self) -> tuple[Exact, Exact]:
        """Return scheduled flights by airport and month."""
        return self._counts("flights", _FINE_ROWS, 36)

    def without_aeroplane(self) -> tuple[int, int, int]:
        """Return how many flights there are, how many have no tail number, and how many of those were cancelled."""
        found = self._engine.execute(
            "SELECT count(*), count(*) FILTER (tailnum IS NULL), "
            "count(*) FILTER (tailnum IS NULL AND dep_time IS NULL) FROM flights"
        ).fetchall()
        flights, missing, cancelled = found[0]
        return int(flights), int(missing), int(cancelled)

    def _flights_and_delay(
        self, source: str, key: str, rows: int, groups: int
    ) -> tuple[Exact, Exact]:
        kept = _kept(
            source,
            key,
            # DuckDB's least and greatest skip NULL: without the FILTER every cancelled flight would be 20 minutes early.
            f"count(*) AS n, count(dep_delay) AS d, sum({_DELAY}) FILTER (dep_delay IS NOT NULL) AS s",
            groups,
        )
        reach = rows * _REACH
        return (
            self._by(f"SELECT {key}, count(*), avg(dep_delay) FROM {source} GROUP BY ALL", 1),  # noqa: S608
            self._by(
                f"SELECT {key}, sum(least(n, {rows})), "  # noqa: S608
                f"{_MIDDLE} + sum(greatest(least(s, {reach}), -{reach})) FILTER (s IS NOT NULL) "
                f"/ sum(least(d, {rows})) FROM ({kept}) GROUP BY ALL",
                1,
            ),
        )

    def _counts(self, source: str, rows: int, groups: int) -> tuple[Exact, Exact]:
        kept = _kept(source, "origin, month", "count(*) AS n", groups)
        return (
            self._by(f"SELECT origin, month, count(*) FROM {source} GROUP BY ALL", 2),  # noqa: S608
            self._by(f"SELECT origin, month, sum(least(n, {rows})) FROM ({kept}) GROUP BY ALL", 2),  # noqa: S608
        )

    def _by(self, sql: str, keys: int) -> Exact:
        return {
            row[:keys]: tuple(float(value) for value in row[keys:])
            for row in self._engine.execute(sql).fetchall()
        }


def _kept(source: str, key: str, partials: str, groups: int) -> str:
    """Return each aeroplane's partial results, in at most so many groups: any choice of groups, here a plain hash."""
    known = "AND" if " WHERE " in source else "WHERE"
    return (
        f"SELECT {key}, tailnum, {partials} FROM {source} {known} tailnum IS NOT NULL GROUP BY {key}, tailnum "  # noqa: S608
        f"QUALIFY row_number() OVER (PARTITION BY tailnum ORDER BY hash(tailnum, {key})) <= {groups}"
    )
