"""Windows over the rows of one unit are total, of their stated type, and a function of the unit's rows as a multiset."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from policies.terms import SqlType
from sandbox.algebra import (
    Column,
    Expr,
    Frame,
    Literal,
    Project,
    RowOrder,
    Scan,
    Windowed,
    WindowFunction,
)
from sandbox.boundary import ScanColumn, TableScan
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.proven import unit_of
from sandbox.worker.render import render_relation, row_rendering
from sandbox.worker.row_windows import ROWS_MAX, WINDOWS, check_window
from sandbox.worker.sql_types import BIGINT, DOUBLE, INTEGER, NotRenderable, name_of
from tests.unit.row_values import TYPES, column

W = WindowFunction
MOVED = (W.LAG, W.LEAD)
FRAMED = [f for f in W if WINDOWS[f].framed]
FRAMES = (
    None,
    Frame(None, 0),
    Frame(None, None),
    Frame(2, 1),
    Frame(-1, 3),
    Frame(3, -1),
    Frame(0, None),
    Frame(-3, 1),
)


def over(
    function: W, *args: Column, order: tuple[Column, ...] = (), frame: Frame | None = None
) -> Windowed:
    """Return a window over all rows of the unit."""
    values: tuple[Expr, ...] = (*args, Literal(INTEGER, 1)) if function in MOVED else args
    terms = tuple(
        RowOrder(expr, index % 2 == 1, index % 2 == 0) for index, expr in enumerate(order)
    )
    type_ = WINDOWS[function].type_of(tuple(value.type for value in values))
    return Windowed(function, values, (), terms, frame, type_)


def text_of(columns: dict[str, SqlType], *windows: Windowed, shown: int) -> str:
    """Return the rows of a projection of one private table, with its first columns."""
    scan = TableScan(
        "rows", True, tuple(ScanColumn(name, type_) for name, type_ in columns.items())
    )
    passed = tuple(Column(0, name, type_) for name, type_ in columns.items())[:shown]
    project = Project(1000, Scan(0), (unit_of(0),), passed, windows)
    rendering = row_rendering((scan,), {})
    found = render_relation(project, (scan,), rendering)
    assert not rendering.parameters
    return found


def fill(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, tuple[SqlType, list[str | None]]]
) -> None:
    rows = max(len(values) for _, values in columns.values())
    units: list[str | None] = [str(row // 5) for row in range(rows)]
    columns = {"_ky_unit": (INTEGER, units), **columns}
    texts = ", ".join(
        f"CAST(unnest($c{i}::VARCHAR[]) AS {name_of(type_)}) AS {name}"
        for i, (name, (type_, _)) in enumerate(columns.items())
    )
    lists = {f"c{i}": values for i, (_, values) in enumerate(columns.values())}
    connection.execute(f"CREATE OR REPLACE TABLE rows AS SELECT {texts}", lists)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_empty(EngineLimits(512 * 2**20, 4)) as connection:
        yield connection


@pytest.mark.parametrize("function", W)
def test_a_window_is_total_and_of_its_type(function, engine):
    dice = random.Random(str(function))
    tried = 0
    for type_ in TYPES.values():
        x, y = Column(0, "x", type_), Column(0, "y", DOUBLE)
        args = () if function in (W.ROW_NUMBER, W.RANK, W.DENSE_RANK) else (x,)
        fill(
            engine, {"x": (type_, column(type_, 40, dice)), "y": (DOUBLE, column(DOUBLE, 40, dice))}
        )
        for order in ((), (y,), (x, y)):
            for frame in FRAMES if function in FRAMED else (None,):
                try:
                    window = over(function, *args, order=order, frame=frame)
                    text = text_of({"x": type_, "y": DOUBLE}, window, shown=1)
                except NotRenderable:
                    continue
                found = engine.execute(f"SELECT typeof(w0), t1000.* FROM {text}").fetchall()
                assert len(found) == 40 and found[0][0] == name_of(window.type)
                tried += 1
    assert tried >= 3 * (6 if function in (W.SUM, W.AVG) else len(TYPES))


TIED = {"a": INTEGER, "x": DOUBLE, "b": INTEGER}
CASES: dict[str, tuple[Windowed, ...]] = {
    "numbers": (over(W.ROW_NUMBER, order=(Column(0, "a", INTEGER),)),),
    "numbers without an order": (over(W.ROW_NUMBER),),
    "numbers in two orders": (
        over(W.ROW_NUMBER, order=(Column(0, "a", INTEGER),)),
        over(W.ROW_NUMBER, order=(Column(0, "b", INTEGER),)),
    ),
    "neighbours": (
        over(W.LAG, Column(0, "x", DOUBLE), order=(Column(0, "a", INTEGER),)),
        over(W.LEAD, Column(0, "x", DOUBLE), order=(Column(0, "b", INTEGER),)),
    ),
    "ends of peers": (
        over(W.FIRST_VALUE, Column(0, "x", DOUBLE), order=(Column(0, "a", INTEGER),)),
        over(W.LAST_VALUE, Column(0, "x", DOUBLE), order=(Column(0, "a", INTEGER),)),
    ),
    "ends of all": (
        over(W.FIRST_VALUE, Column(0, "x", DOUBLE)),
        over(W.LAST_VALUE, Column(0, "b", INTEGER)),
    ),
    "ends of a frame": (
        over(
            W.LAST_VALUE,
            Column(0, "x", DOUBLE),
            order=(Column(0, "a", INTEGER),),
            frame=Frame(1, 1),
        ),
    ),
    "a moving sum": (
        over(W.SUM, Column(0, "b", INTEGER), order=(Column(0, "a", INTEGER),), frame=Frame(2, 0)),
    ),
    "a moving least": (
        over(W.MIN, Column(0, "x", DOUBLE), order=(Column(0, "a", INTEGER),), frame=Frame(2, 0)),
    ),
    "a sum of all": (over(W.SUM, Column(0, "x", DOUBLE)), over(W.AVG, Column(0, "x", DOUBLE))),
}
CARELESS = {
    "a number": "row_number() OVER (PARTITION BY _ky_unit ORDER BY a)",
    "a neighbour": "lag(x) OVER (PARTITION BY _ky_unit ORDER BY a)",
    "a last peer": "last_value(x) OVER (PARTITION BY _ky_unit ORDER BY a)",
    "a moving sum": "sum(x) OVER (PARTITION BY _ky_unit ORDER BY a ROWS 20 PRECEDING)",
    "a sum": "sum(x) OVER (PARTITION BY _ky_unit)",
}


def rows_of_one(
    engine: duckdb.DuckDBPyConnection, text: str, odd: tuple[str, ...]
) -> list[Counter[str]]:
    """Return unit 1's rows, in tables where they lie in other orders, among other people's."""
    own_dice = random.Random(5)
    values = ("1e16", "1", "-1e16", "0.1", "-0.0", "0", *odd)
    own = [
        (1, own_dice.randrange(9), own_dice.choice(values), own_dice.randrange(4))
        for _ in range(400)
    ]
    found = []
    for seed in range(6):
        dice = random.Random(seed)
        rows = own + [
            (dice.randrange(2, 90), 1, str(dice.random()), 1) for _ in range(dice.randrange(4000))
        ]
        dice.shuffle(rows)
        engine.execute(
            "CREATE OR REPLACE TABLE rows AS SELECT unnest($u::INTEGER[]) AS _ky_unit, unnest($a::INTEGER[]) AS a,"
            " unnest($x::VARCHAR[])::DOUBLE AS x, unnest($b::INTEGER[]) AS b",
            {name: [row[i] for row in rows] for i, name in enumerate("uaxb")},
        )
        answers = engine.execute(
            f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {text} WHERE _ky_unit = 1"
        ).fetchall()
        found.append(Counter(map(repr, answers)))
    return found


@pytest.mark.parametrize("shown", [0, 1, 2])
@pytest.mark.parametrize("odd", [(), ("nan", "-nan", "inf")])
@pytest.mark.parametrize("case", CASES)
def test_a_window_is_a_function_of_the_units_rows(case, shown, odd, engine):
    found = rows_of_one(engine, text_of(TIED, *CASES[case], shown=shown), odd)
    assert all(one == found[0] for one in found) and sum(found[0].values()) == 400


@pytest.mark.parametrize("careless", CARELESS)
def test_a_careless_window_is_not(careless, engine):
    found = rows_of_one(engine, f"(SELECT _ky_unit, b, x, {CARELESS[careless]} AS w FROM rows)", ())
    assert any(one != found[0] for one in found)


PLAIN = {
    "row_number": (
        over(W.ROW_NUMBER, order=(Column(0, "x", BIGINT),)),
        "row_number() OVER (p ORDER BY x ASC NULLS FIRST)",
    ),
    "rank": (
        over(W.RANK, order=(Column(0, "y", BIGINT),)),
        "rank() OVER (p ORDER BY y ASC NULLS FIRST)",
    ),
    "dense_rank": (
        over(W.DENSE_RANK, order=(Column(0, "y", BIGINT),)),
        "dense_rank() OVER (p ORDER BY y ASC NULLS FIRST)",
    ),
    "lag": (
        over(W.LAG, Column(0, "y", BIGINT), order=(Column(0, "x", BIGINT),)),
        "lag(y) OVER (p ORDER BY x ASC NULLS FIRST)",
    ),
    "a running sum with peers": (
        over(W.SUM, Column(0, "x", BIGINT), order=(Column(0, "y", BIGINT),)),
        "sum(x) OVER (p ORDER BY y ASC NULLS FIRST)",
    ),
    "a running least, downwards": (
        over(W.MIN, Column(0, "x", BIGINT), order=(Column(0, "y", BIGINT), Column(0, "x", BIGINT))),
        "min(x) OVER (p ORDER BY y ASC NULLS FIRST, x DESC NULLS LAST)",
    ),
    "a moving average": (
        over(W.AVG, Column(0, "y", BIGINT), order=(Column(0, "x", BIGINT),), frame=Frame(2, -1)),
        "avg(y) OVER (p ORDER BY x ASC NULLS FIRST ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
    ),
    "a last value in a frame": (
        over(
            W.LAST_VALUE, Column(0, "y", BIGINT), order=(Column(0, "x", BIGINT),), frame=Frame(0, 2)
        ),
        "last_value(y) OVER (p ORDER BY x ASC NULLS FIRST ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING)",
    ),
    "a last peer": (
        over(W.LAST_VALUE, Column(0, "y", BIGINT), order=(Column(0, "y", BIGINT),)),
        "last_value(y) OVER (p ORDER BY y ASC NULLS FIRST)",
    ),
    "a count of all": (over(W.COUNT), "count(*) OVER (p)"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_determined_window_is_the_engines_own(name, engine):
    window, plain = PLAIN[name]
    engine.execute(
        "CREATE OR REPLACE TABLE rows AS SELECT range % 4 AS _ky_unit, CASE WHEN range > 3 THEN range END AS x,"
        " CASE WHEN range % 5 > 0 THEN range % 5 END AS y FROM range(40)"
    )
    text = text_of({"x": BIGINT, "y": BIGINT}, window, shown=2)
    plain = plain.replace("(p", "(PARTITION BY _ky_unit")
    ours = engine.execute(f"SELECT _ky_unit, c0, c1, w0 FROM {text}").fetchall()
    theirs = engine.execute(f"SELECT _ky_unit, x, y, {plain} FROM rows").fetchall()
    assert Counter(ours) == Counter(theirs)


@pytest.mark.parametrize(
    "window",
    [
        over(W.SUM, Column(0, "x", DOUBLE), order=(Column(0, "x", DOUBLE),)),
        over(W.AVG, Column(0, "x", DOUBLE), frame=Frame(1, 1)),
        replace(
            over(W.LAG, Column(0, "x", DOUBLE)),
            args=(Column(0, "x", DOUBLE), Column(0, "b", INTEGER)),
        ),
        replace(
            over(W.LAG, Column(0, "x", DOUBLE)), args=(Column(0, "x", DOUBLE), Literal(INTEGER, -1))
        ),
        replace(over(W.ROW_NUMBER), frame=Frame(None, None)),
        over(W.COUNT, frame=Frame(ROWS_MAX + 1, 0)),
        replace(over(W.ROW_NUMBER), type=INTEGER),
    ],
)
def test_a_window_without_a_total_form_is_refused(window):
    with pytest.raises(NotRenderable):
        check_window(window)
