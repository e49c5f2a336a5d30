"""A value stands in the snapshot as the declared type holds it, exactly, or its row is wrong."""

import csv
import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.reading.dataset import sql_type
from sandbox.worker.ingest.exact import exact
from sandbox.worker.ingest.exact import given as as_given
from sandbox.worker.ingest.sources import DIALECT
from sandbox.worker.ingest.text_file import LineBroken, count_records, lines_of

WRONG = "wrong"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config={"threads": 1, "async_threads": 0}) as made:
        yield made


def read(connection: duckdb.DuckDBPyConnection, value: str, found: str, declared: str) -> object:
    """Return the value as ingest reads the SQL expression `value` of type `found`, or `WRONG`."""
    kind = sql_type(declared)
    assert kind is not None
    given_value = as_given("x", found, kind)
    query = f"SELECT g, {exact('g', found, kind)} FROM (SELECT {given_value} AS g FROM (SELECT {value} AS x))"
    (given_back, typed) = connection.execute(query).fetchall()[0]
    return WRONG if given_back is not None and typed is None else typed


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        ("17", "BIGINT", 17),
        (" +17 ", "BIGINT", 17),
        ("-0", "BIGINT", 0),
        ("517.0", "INTEGER", 517),
        ("1e+05", "INTEGER", 100_000),
        ("170141183460469231731687303715884105727", "HUGEINT", 2**127 - 1),
        ("1.5", "BIGINT", WRONG),
        ("1e-1", "BIGINT", WRONG),
        ("0x1F", "BIGINT", WRONG),
        ("1_000", "BIGINT", WRONG),
        ("true", "BIGINT", WRONG),
        ("2147483648", "INTEGER", WRONG),
        ("1 2", "BIGINT", WRONG),
        ("12.30", "DECIMAL(12,2)", Decimal("12.30")),
        ("12.3000", "DECIMAL(12,2)", Decimal("12.30")),
        (".5", "DECIMAL(12,2)", Decimal("0.50")),
        ("1e3", "DECIMAL(12,2)", Decimal("1000.00")),
        ("12.345", "DECIMAL(12,2)", WRONG),
        ("12345678901.00", "DECIMAL(12,2)", WRONG),
        ("1,5", "DECIMAL(12,2)", WRONG),
        ("17", "DECIMAL(3,0)", Decimal(17)),
        ("1.5", "DECIMAL(3,0)", WRONG),
        ("2.5e-3", "DOUBLE", 0.0025),
        ("-inf", "DOUBLE", -math.inf),
        ("1_0", "DOUBLE", WRONG),
        ("ten", "DOUBLE", WRONG),
        ("2024-02-29", "DATE", date(2024, 2, 29)),
        ("2023-02-29", "DATE", WRONG),
        ("2024-1-5", "DATE", WRONG),
        ("05/01/2024", "DATE", WRONG),
        ("2024-01-05 10:00:00", "DATE", WRONG),
        ("infinity", "DATE", WRONG),
        ("epoch", "DATE", WRONG),
        ("2024-01-05T10:00:00.5Z", "TIMESTAMP", datetime(2024, 1, 5, 10, 0, 0, 500_000)),
        ("2024-01-05", "TIMESTAMP", datetime(2024, 1, 5)),
        ("2024-01-05 10:00:00+08", "TIMESTAMP", WRONG),
        ("yes", "BOOLEAN", True),
        ("F", "BOOLEAN", False),
        ("maybe", "BOOLEAN", WRONG),
        *[(missing, "BIGINT", None) for missing in ("", " ", "NA", "N/A", "NULL", "null", "\\N")],
        ("NA", "VARCHAR", "NA"),
        (" a ", "VARCHAR", " a "),
        ("e\u0301", "VARCHAR", "é"),
    ],
)
def test_text_is_read_strictly(
    connection: duckdb.DuckDBPyConnection, text: str, declared: str, expected: object
) -> None:
    assert read(connection, "'" + text + "'", "VARCHAR", declared) == expected


def test_not_a_number_is_a_double(connection: duckdb.DuckDBPyConnection) -> None:
    assert str(read(connection, "'NaN'", "VARCHAR", "DOUBLE")) == "nan"


@pytest.mark.parametrize(
    ("value", "found", "declared", "expected"),
    [
        ("7::UTINYINT", "UTINYINT", "BIGINT", 7),
        ("3000000000::UINTEGER", "UINTEGER", "BIGINT", 3_000_000_000),
        ("3000000000::UINTEGER", "UINTEGER", "INTEGER", WRONG),
        ("18446744073709551615::UBIGINT", "UBIGINT", "HUGEINT", 2**64 - 1),
        ("9007199254740993::BIGINT", "BIGINT", "DOUBLE", WRONG),
        ("9007199254740992::BIGINT", "BIGINT", "DOUBLE", 2.0**53),
        ("0.1::FLOAT", "FLOAT", "DECIMAL(4,1)", Decimal("0.1")),
        ("10.1::DOUBLE", "DOUBLE", "DECIMAL(12,2)", Decimal("10.10")),
        ("10.239::DOUBLE", "DOUBLE", "DECIMAL(12,2)", WRONG),
        ("'nan'::DOUBLE", "DOUBLE", "BIGINT", WRONG),
        ("517.0::DOUBLE", "DOUBLE", "BIGINT", 517),
        ("-0.0::DOUBLE", "DOUBLE", "BIGINT", 0),
        ("1.25::DECIMAL(5,2)", "DECIMAL(5,2)", "DECIMAL(12,4)", Decimal("1.2500")),
        ("1.25::DECIMAL(5,2)", "DECIMAL(5,2)", "DECIMAL(12,1)", WRONG),
        ("TIMESTAMP '2024-01-01'", "TIMESTAMP", "DATE", date(2024, 1, 1)),
        ("TIMESTAMP '2024-01-01 10:00:00'", "TIMESTAMP", "DATE", WRONG),
        ("'2024-01-01 00:00:00.000000001'::TIMESTAMP_NS", "TIMESTAMP_NS", "TIMESTAMP", WRONG),
        ("DATE '2024-01-01'", "DATE", "TIMESTAMP", datetime(2024, 1, 1)),
        ("'a'::ENUM('a', 'b')", "ENUM('a', 'b')", "VARCHAR", "a"),
        ("NULL::INTEGER", "INTEGER", "BIGINT", None),
    ],
)
def test_a_typed_value_is_kept_exactly_or_not_at_all(
    connection: duckdb.DuckDBPyConnection, value: str, found: str, declared: str, expected: object
) -> None:
    assert read(connection, value, found, declared) == expected


def test_a_plain_cast_would_have_rounded(connection: duckdb.DuckDBPyConnection) -> None:
    """The reason for all this: the engine's own cast changes sums without a word."""
    casts = "SELECT TRY_CAST('12.345' AS DECIMAL(12,2)), TRY_CAST('1.5' AS BIGINT)"
    assert connection.execute(casts).fetchall() == [(Decimal("12.35"), 2)]


FIELD = st.text(st.sampled_from('ab",\n\r 长'), max_size=4)
COLUMNS = "columns={'x': 'VARCHAR', 'y': 'VARCHAR'}"


@settings(max_examples=80)
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_python_and_the_engine_see_the_same_records(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[str, str]], ending: str
) -> None:
    """A line is told by counting records, so both readers must agree on what a record is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(["x", "y"])
    starts, line = [], 2
    for row in rows:
        starts.append(line)
        before = out.tell()
        writer.writerow(row)
        line += len(io.StringIO(out.getvalue()[before:], newline="").readlines())
    with text_file(out.getvalue()) as path:
        found = connection.execute(f"SELECT x, y FROM read_csv('{path}', {COLUMNS}, {DIALECT})")
        assert found.fetchall() == rows
        assert count_records(path, 2) == len(rows)
        told = lines_of(path, frozenset(range(1, len(rows) + 1)), 2)
    assert told == dict(enumerate(starts, start=1))


PIECES = st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", " ", '""', '"b"']), max_size=20)


@settings(max_examples=200)
@given(PIECES)
def test_no_file_means_two_things(connection: duckdb.DuckDBPyConnection, pieces: list[str]) -> None:
    """Whatever the bytes: if both readers take a file in, with as many records, it has the same values for both."""
    with text_file("x,y\n" + "".join(pieces)) as path:
        try:
            records = count_records(path, 2)
            found = connection.execute(f"SELECT x, y FROM read_csv('{path}', {COLUMNS}, {DIALECT})")
        except (LineBroken, duckdb.InvalidInputException):
            return
        rows = [tuple(value or "" for value in row) for row in found.fetchall()]
        if len(rows) != records:
            return  # refused by the caller
        with path.open(encoding="utf-8", newline="") as file:
            mine = [tuple(record) for record in csv.reader(file, strict=True) if record][1:]
    # The one difference left: the engine takes `, "b"` for a quoted b, Python for a text with quotes in it.
    assert [_bare(row) for row in rows] == [_bare(row) for row in mine]


def _bare(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.replace(" ", "").replace('"', "") for value in row)


@contextmanager
def text_file(content: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(content.encode())
        yield path
