"""The questions of the flights example without noise and bounds: the very text in plain DuckDB, on invented flights."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from examples.flights.questions import ALL, COARSE, FINE, FREE, LATE, TOP, USUAL, Question
from policies.documents import load_access_policy
from policies.terms import NANO, PrivacyLoss
from sandbox import client
from sandbox.compiler.check import Asker
from tests.lab.__main__ import open_lab
from tests.lab.bench import Bench
from tests.unit.test_flights_example import FILES, FOLDER, values_of

Rows = Sequence[tuple[object, ...]]
EVERY = (*ALL, *(free for free, _ in FREE))
# Invented: 90 aeroplanes, each of one carrier, some 6000 flights, one in 25 cancelled. What is drawn is a hash of a number.
MADE = """
CREATE TABLE airlines AS SELECT * FROM (VALUES ('AA', 'A'), ('B6', 'B'), ('UA', 'U'), ('US', 'S')) v(carrier, name);
CREATE TABLE airports AS SELECT 'F' || i AS faa, 'n' || i AS name, 1.5::DOUBLE AS lat, 2.5::DOUBLE AS lon,
  7 AS alt, -5 AS tz, 'A' AS dst, 'z' AS tzone FROM range(4) t(i);
CREATE TABLE planes AS SELECT 'N' || i AS tailnum, 1990 + (i % 20)::INTEGER AS year, 'w' AS type, 'm' AS manufacturer,
  'x' AS model, 2 AS engines, 100 AS seats, 0 AS speed, 'Turbo-fan' AS engine FROM range(90) t(i);
CREATE TABLE flights AS SELECT 2013 AS year, month(d)::INTEGER AS month, day(d)::INTEGER AS day,
  CASE WHEN h % 25 > 0 THEN 900 END AS dep_time, 890 AS sched_dep_time,
  CASE WHEN h % 25 > 0 THEN (h // 7 % if(p % 9 = 0, 70, 130))::INTEGER - 15 END AS dep_delay,
  1000 AS arr_time, 990 AS sched_arr_time, CASE WHEN h % 25 > 1 THEN (h // 11 % 170)::INTEGER - 55 END AS arr_delay,
  ['AA', 'B6', 'UA', 'US'][1 + p % 4] AS carrier, i::INTEGER AS flight, 'N' || p AS tailnum,
  ['EWR', 'JFK', 'LGA'][1 + (h // 13 % 3)::INTEGER] AS origin, 'F' || h % 4 AS dest, 60 AS air_time, 300 AS distance,
  hour(t)::INTEGER AS hour, 0 AS minute, t AS time_hour, d AS flight_date
  FROM (SELECT i, i // 3 % 90 AS p, (hash(i) % 1000003)::BIGINT AS h,
          TIMESTAMP '2013-01-01 06:00:00' + to_hours((i * 87 // 60)::INTEGER) AS t, CAST(t AS DATE) AS d
        FROM range(6000) r(i));
CREATE TABLE cancellations AS SELECT month, carrier, flight, tailnum, origin, dest, time_hour, flight_date
  FROM flights WHERE dep_time IS NULL;
CREATE TABLE weather AS SELECT origin, 2013 AS year, month, day, hour, 50.0::DOUBLE AS temp, 1.0::DOUBLE AS dewp,
  1.0::DOUBLE AS humid, 1 AS wind_dir, 1.0::DOUBLE AS wind_speed, 1.0::DOUBLE AS wind_gust,
  (hash(time_hour) % 4)::DOUBLE / 16 AS precip, 1.0::DOUBLE AS pressure, 1.0::DOUBLE AS visib, time_hour
  FROM flights GROUP BY ALL;
"""
# What the twin takes away: every second aeroplane.
HALVED = "DELETE FROM {table} WHERE CAST(substr(tailnum, 2) AS INTEGER) % 2 = 1"
PRIVATE = ("planes", "flights", "cancellations")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flights") / "raw.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(MADE)
    return path


@pytest.fixture(scope="module", params=[COARSE, FINE])
def opened(request: pytest.FixtureRequest, raw: Path) -> Iterator[tuple[str, Bench]]:
    text = (FOLDER / FILES[request.param]).read_bytes()
    policy = load_access_policy(text, FILES[request.param])
    with open_lab(raw, policy, FOLDER / "dataset.yaml", "exact") as bench:
        yield request.param, bench


def planned(bench: Bench, question: Question) -> client.Planned:
    policy = bench.policy
    asker = Asker(policy.operator.id, question.purpose, policy.effective.start, suspended=False)
    loss = PrivacyLoss(policy.budget.accountant, int(float(question.rho) * NANO), 0)
    return client.plan(
        client.Question(question.sql, policy, bench.catalogue, asker, loss, values_of(question))
    )


def near(found: object, wanted: object, step: float) -> bool:
    """Tell whether two values are one, up to `step`: a bin of an order statistic, or how a DOUBLE is summed."""
    if found is None or wanted is None or isinstance(wanted, str):
        return found == wanted
    assert isinstance(found, int | float | Decimal) and isinstance(wanted, int | float | Decimal)
    return abs(float(found) - float(wanted)) <= step


def same(found: Rows, wanted: Rows, step: float) -> bool:
    """Tell whether two answers have the same rows, whatever their order."""
    by_words = sorted(wanted, key=str)
    pairs = zip(sorted(found, key=str), by_words, strict=False)
    return len(found) == len(wanted) and all(
        near(mine, yours, step)
        for ours, theirs in pairs
        for mine, yours in zip(ours, theirs, strict=True)
    )


def answered(opened: tuple[str, Bench], plain: duckdb.DuckDBPyConnection) -> dict[str, bool]:
    """Tell of each question of one contract whether both answers are the same."""
    purpose, bench = opened
    told = {}
    for question in EVERY:
        # the fewest flights that TOP shows are more than there are here
        if question.purpose != purpose or question is TOP:
            continue
        plan = planned(bench, question).plan
        found = [tuple(cell.value for cell in row) for row in bench.exact(plan).rows]
        wanted = plain.execute(question.sql, dict(question.parameters) or None).fetchall()
        assert wanted
        told[question.name] = same(found, wanted, 1.0 if question in (LATE, USUAL) else 1e-6)
    return told


def test_the_questions_say_what_plain_duckdb_says(opened: tuple[str, Bench], raw: Path) -> None:
    with duckdb.connect(str(raw), read_only=True) as plain:
        told = answered(opened, plain)
    assert len(told) == (7 if opened[0] == COARSE else 8)
    assert all(told.values()), told


def test_and_not_what_it_says_of_half_the_aeroplanes(opened: tuple[str, Bench]) -> None:
    """The twin: no question is blind to every second aeroplane."""
    with duckdb.connect() as plain:
        plain.execute(MADE)
        for table in PRIVATE:
            plain.execute(HALVED.format(table=table))
        told = answered(opened, plain)
    assert not any(told.values()), told
