"""Every aggregate over rows is total, of its stated type, blind to the order of rows, and else DuckDB's own."""

import random
from collections.abc import Iterator
from itertools import product

import duckdb
import pytest

from policies.terms import SqlType
from sandbox.algebra import Aggregation, Column, RowAggregate
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.row_aggregates import ROW_AGGREGATES, render_aggregation
from sandbox.worker.sql_types import DOUBLE, INTEGER, VARCHAR, NotRenderable, name_of
from tests.unit.row_values import TYPES, column, table

A = RowAggregate


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_empty(EngineLimits(512 * 2**20, 4)) as connection:
        yield connection


def accepted(function: RowAggregate) -> Iterator[tuple[tuple[SqlType, ...], SqlType]]:
    """Return every list of argument types that the aggregate takes, and the type of its value."""
    lists = [(), *((t,) for t in TYPES.values()), *product(TYPES.values(), repeat=2)]
    for types in lists:
        try:
            yield types, ROW_AGGREGATES[function].type_of(types)
        except NotRenderable:
            continue


def form(function: RowAggregate, types: tuple[SqlType, ...]) -> str:
    args = tuple(Column(0, f"x{index}", type_) for index, type_ in enumerate(types))
    value = ROW_AGGREGATES[function].type_of(types)
    aggregation = Aggregation(function, args, None, value)
    return render_aggregation(aggregation, tuple(arg.name for arg in args))


@pytest.mark.parametrize("function", RowAggregate)
def test_an_aggregate_is_total_and_of_its_type(function, engine):
    dice = random.Random(str(function))
    cases = list(accepted(function))
    assert cases
    for types, value in cases:
        text = form(function, types)
        for rows in (0, 1, dice.randrange(2, 40)):
            columns = {f"x{i}": (type_, column(type_, rows, dice)) for i, type_ in enumerate(types)}
            source, parameters = table(columns or {"x": (INTEGER, ["1"] * rows)})
            found = engine.execute(f"SELECT typeof({text}), {text} FROM {source}", parameters)
            assert found.fetchall()[0][0] == name_of(value)
            first = next(iter(columns), "x")
            engine.execute(f"SELECT {text} FROM {source} GROUP BY {first}", parameters).fetchall()


@pytest.mark.parametrize("careless", ["sum(x)", "avg(x)"])
def test_a_careless_sum_raises(careless, engine):
    """Without the clamp, one row more is an error that only this person's rows cause."""
    source, parameters = table({"x": (TYPES["HUGEINT"], [str(2**127 - 1)] * 3)})
    with pytest.raises(duckdb.Error, match="Overflow"):
        engine.execute(f"SELECT {careless} FROM {source}", parameters)


def shuffled(engine: duckdb.DuckDBPyConnection, dice: random.Random) -> None:
    """Make a table in which one unit's rows lie among others', both in a new order and number each time."""
    own = random.Random(7)
    rows = [
        (
            1,
            own.choice((1e16, 1.0, -1e16, 3.3, 0.1, -0.0, 0.0)) * own.choice((1, own.random())),
            own.randrange(40),
        )
        for _ in range(3000)
    ]
    rows += [
        (dice.randrange(2, 400), dice.random(), dice.randrange(40))
        for _ in range(dice.randrange(15_000))
    ]
    dice.shuffle(rows)
    engine.execute(
        "CREATE OR REPLACE TABLE shuffled AS SELECT unnest($u::INTEGER[]) AS u, unnest($x::DOUBLE[]) AS x0,"
        " unnest($y::INTEGER[]) AS x1, CAST(x1 // 5 AS VARCHAR) AS x2,"
        " CAST(['nan', '-nan', '0', '-0.0'][1 + x1 % 4] AS DOUBLE) AS x3",
        {name: [row[i] for row in rows] for i, name in enumerate("uxy")},
    )


def test_no_aggregate_knows_the_order_of_rows(engine):
    chosen, truths = (A.ARG_MIN, A.ARG_MAX), (A.BOOL_AND, A.BOOL_OR)
    ours = [form(f, (DOUBLE,)) for f in A if f not in (*chosen, *truths)]
    ours += [form(f, (DOUBLE, INTEGER)) for f in chosen]
    ours += [text.replace("x0", "x3") for text in ours]
    ours.append(form(A.MODE, (VARCHAR,)).replace("x0", "x2"))
    careless = [
        "sum(x0)",
        "avg(x0)",
        "var_samp(x0)",
        "arg_max(x0, x1)",
        "arg_min(x0, x2)",
        "first(x0)",
        "mode(x2)",
        "max(x3)",
        "min(x3)",
    ]
    seen: dict[str, set[str]] = {text: set() for text in (*ours, *careless)}
    for seed in range(12):
        shuffled(engine, random.Random(seed))
        values = ", ".join(f"CAST({text} AS VARCHAR)" for text in seen)
        found = engine.execute(
            f"SELECT * EXCLUDE (u) FROM (SELECT u, {values} FROM shuffled GROUP BY u) WHERE u = 1"
        ).fetchall()
        for text, value in zip(seen, found[0], strict=True):
            seen[text].add(repr(value))
    assert {text for text in ours if len(seen[text]) != 1} == set()
    assert {text for text in careless if len(seen[text]) == 1} <= {"mode(x2)"}


TAME = "(SELECT range AS x0, range % 7 AS x1, range % 3 = 0 AS x2, CAST(range AS DECIMAL(9,2)) / 4 AS x3 FROM range(50))"
PLAIN: dict[RowAggregate, str] = {A.COUNT_DISTINCT: "count(DISTINCT {})"}


@pytest.mark.parametrize("function", [f for f in A if f not in (A.MODE,)])
def test_a_determined_value_is_the_engines_own(function, engine):
    big = TYPES["BIGINT"]
    types = {A.ARG_MIN: (big, big), A.ARG_MAX: (big, big)}.get(function, (big,))
    args = ["x0", "x1"][: len(types)]
    if function in (A.BOOL_AND, A.BOOL_OR):
        types, args = (TYPES["BOOLEAN"],), ["x2"]
    text = form(function, types).replace("x0", args[0])
    # of each seventh the least: ties have one least value only if `by` tells them apart
    by = " WHERE x0 < 7" if len(types) == 2 else ""
    plain = PLAIN.get(function, f"{function}({{}})").format(", ".join(args))
    found = engine.execute(f"SELECT {text}, {plain} FROM {TAME}{by}").fetchall()[0]
    assert found[0] == found[1]
