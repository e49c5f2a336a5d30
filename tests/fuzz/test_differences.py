"""docs/DIFFERENCES.md, line by line: what the sandbox says and what plain DuckDB says to the same question."""

import re
from collections.abc import Iterator
from math import isinf, isnan
from pathlib import Path

import duckdb
import pytest

from policies.terms import Scalar
from tests.fuzz.oracle import open_plain, spelled
from tests.fuzz.rows import ORDINARY, Rows, load
from tests.fuzz.trial import Trial, trial
from tests.fuzz.world import LOSS, PURPOSE
from tests.fuzz.worlds import people

PAGE = Path(__file__).parents[2] / "docs" / "DIFFERENCES.md"
RAISES = "raises"

# persons: id, name, region, sex, birth, income, children, insured
ROWS: Rows = {
    "persons": (
        ("1", "cafe\u0301", "north", "F", "1980-02-29", "1.1", "2147483647", "true"),
        ("2", "Bob", "elsewhere", "F", "infinity", "nan", "0", None),
        ("3", "3", "south", "M", "1990-01-01", "inf", "2", "false"),
        ("4", "x", "south", None, None, "0.3", None, "true"),
    ),
    "claims": (
        ("1", "1", "h1", "C50", "10.01", "2024-03-01", None),
        ("2", None, "h1", "C50", "99.00", "2024-03-01", None),
        ("3", "2", "h2", "C61", "0.02", "2024-04-01", None),
    ),
    "items": (("3", "2", "1.0000", "1"), ("77", "5", "1.0000", "1")),
    "weather": (("north", "2024-03-01", "1.5"),),
}

# line → (question, what is said here, what plain DuckDB says of the raw tables)
LINES: dict[str, tuple[str, object, object]] = {
    "R1": ("SELECT count(*) AS n FROM claims", [(2,)], [(3,)]),
    "R2": ("SELECT count(*) AS n FROM persons WHERE name = 'caf\u00e9'", [(1,)], [(0,)]),
    "R3": ("SELECT count(*) AS n FROM persons", [(4,)], [(4,)]),  # caps: tests of ingest
    "K1": (
        "SELECT hospital, count(*) AS n FROM claims WHERE person_id IS NOT NULL GROUP BY hospital ORDER BY 1",
        [("h1", 1), ("h2", 1), ("h3", 0)],
        [("h1", 1), ("h2", 1)],
    ),
    "K2": (
        "SELECT region, count(*) AS n FROM persons GROUP BY region HAVING count(*) > 0 ORDER BY 1",
        [("north", 1), ("south", 2)],
        [("elsewhere", 1), ("north", 1), ("south", 2)],
    ),
    "K4": ("SELECT 1 AS k, count(*) AS n FROM persons WHERE false GROUP BY k", [(1, 0)], []),
    "K6": (
        "SELECT hospital, count(*) AS n FROM claims WHERE false GROUP BY ROLLUP (hospital)",
        [("h1", 0), ("h2", 0), ("h3", 0), (None, 0)],
        [(None, 0)],
    ),
    "K9": (
        "SELECT hospital, count(*) AS n FROM claims WHERE hospital = 'h2'"
        " GROUP BY GROUPING SETS ((hospital), (claims.hospital)) HAVING count(*) > 0 ORDER BY 1",
        [("h2", 1), ("h2", 1)],
        [("h2", 1), (None, 1)],
    ),
    "A1": ("SELECT sum(income) AS s FROM persons WHERE false", [(0.0,)], [(None,)]),
    "A2": (
        "SELECT sum(income) AS s FROM persons WHERE region = 'north'",
        [(1.1000003814697266,)],  # the nearest multiple of 2**-20
        [(1.1,)],
    ),
    "A3": ("SELECT avg(income) AS m FROM persons WHERE sex = 'F'", [(1.1,)], [(float("nan"),)]),
    "A4": (
        "SELECT sum(income) AS s FROM persons WHERE sex = 'M'",
        [(2.0**62 / 2**20,)],
        [(float("inf"),)],
    ),
    "A6": (
        "SELECT var_samp(amount) AS v FROM claims WHERE person_id IS NOT NULL",
        [(49.89876881,)],
        [(49.90005,)],
    ),
    "A10": (
        "SELECT corr(children, children) AS r FROM persons WHERE region = 'north'",
        [(None,)],
        [(float("nan"),)],
    ),
    "A11": (
        "SELECT bool_or(sex = 'F') AS b FROM persons WHERE region = 'north'",
        [(False,)],
        [(True,)],
    ),
    "A12": (
        "SELECT regr_count(children, children) AS n FROM persons WHERE region = 'south'",
        [(1,)],
        [(1,)],
    ),
    "E1": ("SELECT count(*) AS n FROM persons WHERE name::INTEGER = 3", [(1,)], RAISES),
    "E2": (
        "SELECT sum(least(children + 1, 2147483648)) AS s FROM persons WHERE region = 'north'",
        [(2147483648,)],
        RAISES,
    ),
    "L2": (
        "SELECT n * 90000000000000000000000000000000000000 AS x FROM (SELECT count(*) AS n FROM persons)",
        [(None,)],
        RAISES,
    ),
    "E3": (
        "SELECT count(*) AS n FROM persons WHERE date_trunc('year', birth) IS NULL",
        [(2,)],
        [(1,)],
    ),
}


@pytest.fixture(scope="module")
def where() -> Iterator[Trial]:
    with trial(people(), ROWS, ORDINARY) as opened:
        yield opened


@pytest.fixture(scope="module")
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables as they came, before anything is understood of them."""
    with duckdb.connect() as connection:
        load(people(), ROWS, connection)
        yield connection


def plain(raw: duckdb.DuckDBPyConnection, sql: str) -> object:
    try:
        return raw.execute(sql).fetchall()
    except duckdb.Error:
        return RAISES


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_page(line: str, where: Trial, raw: duckdb.DuckDBPyConnection) -> None:
    sql, here, there = LINES[line]
    found = where.bench.exact(where.bench.plan(sql, PURPOSE, LOSS).plan)
    rows = [tuple(cell.value for cell in row) for row in found.rows]
    assert alike(rows, here), rows
    assert alike(plain(raw, sql), there)


def alike(found: object, expected: object) -> bool:
    if not isinstance(found, list) or not isinstance(expected, list):
        return found == expected
    return len(found) == len(expected) and all(
        len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(found, expected, strict=True)
    )


def _equal(a: Scalar, b: Scalar) -> bool:
    if isinstance(a, float) and isinstance(b, float) and not (isnan(a) or isinf(a)):
        return abs(a - b) <= 1e-6 * abs(b)
    return spelled([a]) == spelled([b])


def test_every_line_of_the_page_is_run() -> None:
    """K3, K5, K7, K8, A5, A7 to A9, A13, E4 and L1 have no question whose plain answer could be written down; other tests do.

    So do those of U: tests/unit/test_worker_row_aggregates.py, test_worker_row_windows.py.
    """
    page = set(re.findall(r"^\| ([RKAELU]\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    elsewhere = {
        "K3",
        "K5",
        "K7",
        "K8",
        "A5",
        "A7",
        "A8",
        "A9",
        "A13",
        "E4",
        "L1",
        *(f"U{n}" for n in range(1, 6)),
    }
    assert page == {*LINES, *elsewhere}


def test_the_tables_as_understood_have_no_row_of_nobody() -> None:
    with open_plain(people(), ROWS) as connection:
        rows = connection.execute("SELECT count(*) FROM items").fetchone()
    assert rows == (1,)
