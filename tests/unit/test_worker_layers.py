"""What stands above the release means what it means in DuckDB, comes out the same each time, and reads nothing else."""

from collections.abc import Callable
from dataclasses import replace

import duckdb
import pytest

from policies.terms import Scalar
from sandbox import wire
from sandbox.algebra import (
    Branch,
    Cells,
    ConstantColumn,
    Constants,
    Exists,
    Expr,
    Filter,
    Frame,
    Group,
    Join,
    JoinType,
    Limit,
    Literal,
    Op,
    Project,
    Relation,
    RowAggregate,
    RowOrder,
    Scan,
    SetKind,
    SetOperation,
    WindowFunction,
    rows_at_most,
)
from sandbox.boundary import ColumnRole, Diagnosis, DiagnosisCode, IntervalMethod, Plan
from sandbox.worker.accept import check_claims
from sandbox.worker.keys import TooManyKeys
from sandbox.worker.twin import diagnose
from tests.unit.layer_world import (
    BASE,
    BIGINT,
    BOOLEAN,
    COUNT,
    DOUBLE,
    HUGEINT,
    INTEGER,
    KEY,
    MONEY,
    K,
    N,
    S,
    above,
    aggregate,
    by,
    call,
    column,
    layered,
    plainly,
    released,
    values,
    window,
)

COUNTS = (40, 7, 250, 250, -3, 90)
CENTS = (1_000, 250, -40, 0, 99_999, 12)
TRUE = Literal(BOOLEAN, True)
ONE = Literal(BIGINT, 1)

HALF = call(Op.MOD, INTEGER, KEY, Literal(INTEGER, 2))
RANKED = replace(
    BASE,
    windows=(
        window(WindowFunction.RANK, BIGINT, order=by(COUNT, descending=True)),
        window(WindowFunction.ROW_NUMBER, BIGINT, order=by(KEY)),
        window(WindowFunction.SUM, HUGEINT, COUNT),
        window(WindowFunction.SUM, HUGEINT, COUNT, order=by(KEY)),
        window(WindowFunction.LAG, BIGINT, COUNT, ONE, order=by(KEY)),
        window(WindowFunction.AVG, DOUBLE, COUNT, order=by(KEY), frame=Frame(1, 1)),
        replace(window(WindowFunction.MAX, BIGINT, COUNT), partition=(HALF,)),
        window(WindowFunction.LAST_VALUE, BIGINT, COUNT, order=by(KEY), frame=Frame(None, None)),
    ),
)
RANK, PLACE, TOTAL, SOFAR, BEFORE, NEAR = (
    column(1000, f"w{i}", t)
    for i, t in enumerate((BIGINT, BIGINT, HUGEINT, HUGEINT, BIGINT, DOUBLE))
)
LARGE = Filter(BASE, above(N, 30))
EXTREMES = Group(
    1001,
    LARGE,
    (),
    (),
    (
        aggregate(RowAggregate.MAX, BIGINT, N),
        aggregate(RowAggregate.MIN, BIGINT, N),
        aggregate(RowAggregate.COUNT, BIGINT),
        aggregate(RowAggregate.SUM, MONEY, S),
        aggregate(RowAggregate.MEDIAN, DOUBLE, N),
    ),
)
MAX, MIN, ROWS = (column(1001, f"a{i}", BIGINT) for i in range(3))
PARITY = Group(
    1001,
    BASE,
    (),
    (call(Op.MOD, INTEGER, K, Literal(INTEGER, 2)),),
    (aggregate(RowAggregate.SUM, HUGEINT, N), aggregate(RowAggregate.AVG, DOUBLE, S)),
)
TOP = Limit(BASE, (RowOrder(N, True, False), RowOrder(K, False, False)), 3, 1)
NAMES = Constants(
    1002,
    (ConstantColumn('a"; drop', INTEGER), ConstantColumn("b", INTEGER)),
    ((0, 10), (2, 30), (9, None)),
)
NAMED = Join(JoinType.LEFT, BASE, NAMES, call(Op.EQ, BOOLEAN, K, column(1002, 'a"; drop', INTEGER)))
OTHER = Project(1003, Cells(), (), (KEY, COUNT), ())
GROWTH = Join(
    JoinType.INNER,
    BASE,
    OTHER,
    call(
        Op.EQ,
        BOOLEAN,
        call(Op.CAST, BIGINT, K),
        call(Op.ADD, BIGINT, column(1003, "c0", INTEGER), ONE),
    ),
)
WITH_TOTAL = SetOperation(
    1004,
    SetKind.UNION_ALL,
    Branch(Cells(), (), (KEY, call(Op.CAST, HUGEINT, COUNT))),
    Branch(
        Group(1001, BASE, (), (), (aggregate(RowAggregate.SUM, HUGEINT, N),)),
        (),
        (Literal(INTEGER, None), column(1001, "a0", HUGEINT)),
    ),
)
WITHOUT_LARGE = SetOperation(
    1004,
    SetKind.EXCEPT,
    Branch(Cells(), (), (KEY,)),
    Branch(Filter(BASE, above(N, 30)), (), (K,)),
)

Case = tuple[Relation, tuple[Expr, ...], str]
CASES: dict[str, Case] = {
    "windows": (
        RANKED,
        (K, RANK, PLACE, TOTAL, SOFAR, BEFORE, NEAR, column(1000, "w6", BIGINT)),
        "SELECT k, rank() OVER (ORDER BY n DESC), row_number() OVER (ORDER BY k), sum(n) OVER (),"
        " sum(n) OVER (ORDER BY k), lag(n) OVER (ORDER BY k),"
        " avg(n) OVER (ORDER BY k ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING),"
        " max(n) OVER (PARTITION BY k % 2) FROM cells",
    ),
    "last value": (
        RANKED,
        (K, column(1000, "w7", BIGINT)),
        "SELECT k, last_value(n) OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND"
        " UNBOUNDED FOLLOWING) FROM cells",
    ),
    "qualify": (
        Filter(RANKED, call(Op.LE, BOOLEAN, RANK, Literal(BIGINT, 3))),
        (K, N),
        "SELECT k, n FROM cells QUALIFY rank() OVER (ORDER BY n DESC) <= 3",
    ),
    "aggregates": (
        EXTREMES,
        (MAX, MIN, ROWS, column(1001, "a3", MONEY), column(1001, "a4", DOUBLE)),
        "SELECT max(n), min(n), count(*), sum(s), median(n) FROM cells WHERE n > 30",
    ),
    "aggregates of nothing": (
        replace(EXTREMES, input=Filter(BASE, above(N, 10**6))),
        (MAX, ROWS, column(1001, "a3", MONEY)),
        "SELECT max(n), count(*), sum(s) FROM cells WHERE n > 1000000",
    ),
    "groups": (
        PARITY,
        (column(1001, "k0", INTEGER), column(1001, "a0", HUGEINT), column(1001, "a1", DOUBLE)),
        "SELECT k % 2, sum(n), avg(s) FROM cells GROUP BY 1",
    ),
    "distinct": (
        Group(1001, BASE, (), (N,), ()),
        (column(1001, "k0", BIGINT),),
        "SELECT DISTINCT n FROM cells",
    ),
    "limit": (TOP, (K, N), "SELECT k, n FROM cells ORDER BY n DESC, k LIMIT 3 OFFSET 1"),
    "constants": (
        NAMED,
        (K, column(1002, "b", INTEGER)),
        "SELECT k, b FROM cells LEFT JOIN (VALUES (0, 10), (2, 30), (9, NULL)) v(a, b) ON k = a",
    ),
    "itself": (
        GROWTH,
        (K, N, column(1003, "c1", BIGINT)),
        "SELECT x.k, x.n, y.n FROM cells x JOIN cells y ON x.k = y.k + 1",
    ),
    "union": (
        WITH_TOTAL,
        (column(1004, "c0", INTEGER), column(1004, "c1", HUGEINT)),
        "SELECT k, n::HUGEINT FROM cells UNION ALL SELECT NULL, sum(n) FROM cells",
    ),
    "except": (
        WITHOUT_LARGE,
        (column(1004, "c0", INTEGER),),
        "SELECT k FROM cells EXCEPT SELECT k FROM cells WHERE n > 30",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_means_what_it_means_in_duckdb(name):
    relation, outputs, sql = CASES[name]
    plan = layered(len(COUNTS), relation, *outputs)
    check_claims(plan)
    assert wire.decode_plan(wire.encode(plan)) == plan
    answer = values(released(plan, COUNTS, CENTS))
    assert sorted(map(str, answer)) == sorted(map(str, plainly(sql, COUNTS, CENTS)))


def rehearsed(plan: Plan) -> Diagnosis:
    """Return what the twin says of a plan."""
    with duckdb.connect() as rows, duckdb.connect() as empty:
        return diagnose(plan, rows, empty)


@pytest.mark.parametrize("name", CASES)
def test_the_twin_rehearses_a_layer(name):
    relation, outputs, _ = CASES[name]
    found = rehearsed(layered(6, relation, *outputs))
    assert (found.code, found.keys) == (DiagnosisCode.READY, 6)


def test_ties_fall_by_the_order_of_keys():
    numbered = replace(BASE, windows=(window(WindowFunction.ROW_NUMBER, BIGINT),))
    plan = layered(4, numbered, K, column(1000, "w0", BIGINT), limit=3)
    answer = values(released(plan, (5, 5, 5, 5), (0, 0, 0, 0)))
    assert answer == [(0, 1), (1, 2), (2, 3)]


def test_a_sum_beyond_all_numbers_is_null_and_no_error():
    """The twin: DuckDB itself stops."""
    large = Literal(HUGEINT, 10**38)
    group = Group(1001, BASE, (), (), (aggregate(RowAggregate.SUM, HUGEINT, large),))
    plan = layered(6, group, column(1001, "a0", HUGEINT))
    assert values(released(plan, COUNTS, CENTS)) == [(None,)]
    with pytest.raises(duckdb.Error):
        plainly(f"SELECT sum({10**38}::HUGEINT) FROM cells", COUNTS, CENTS)


def test_joins_that_could_fill_the_memory_are_refused():
    cross = replace(GROWTH, on=TRUE)
    assert rows_at_most(cross, 4_000) == 16_000_000
    plan = layered(4_000, cross, K)
    with pytest.raises(TooManyKeys):
        released(plan, tuple(range(4_000)), tuple(range(4_000)))


# ---- what a captured compiler might try


def changed(plan: Plan, relation: Relation, *outputs: Expr) -> Plan:
    post = replace(plan.post, relation=relation)
    if outputs:
        post = replace(post, outputs=tuple(replace(post.outputs[0], expr=e) for e in outputs))
    return replace(plan, post=post)


SUM_N = aggregate(RowAggregate.SUM, HUGEINT, N)
ATTACKS: dict[str, Callable[[Plan], Plan]] = {
    "a scan above the release": lambda p: changed(p, Scan(0), column(0, "income", DOUBLE)),
    "a scan beside the cells": lambda p: changed(p, Join(JoinType.INNER, BASE, Scan(0), TRUE)),
    "a column of a table": lambda p: changed(p, BASE, column(0, "income", DOUBLE)),
    "a column of a table in a filter": lambda p: changed(
        p, Filter(BASE, above(column(0, "units", BIGINT), 3))
    ),
    "a column of a table in a window": lambda p: changed(
        p, replace(BASE, windows=(window(WindowFunction.SUM, HUGEINT, column(0, "units", BIGINT)),))
    ),
    "a column of a table in an order": lambda p: changed(
        p, replace(TOP, order=(RowOrder(column(0, "units", BIGINT), False, False),))
    ),
    "a table inside EXISTS": lambda p: changed(p, Filter(BASE, Exists(Scan(0), TRUE))),
    "a column that no layer has": lambda p: changed(p, BASE, column(1000, "c7", BIGINT)),
    "a column of a lower layer": lambda p: changed(p, PARITY, N),
    "a column of another type": lambda p: changed(p, BASE, column(1000, "c1", HUGEINT)),
    "cells joined before they have names": lambda p: changed(
        p, Join(JoinType.INNER, Cells(), NAMES, TRUE), KEY
    ),
    "a table inside EXISTS with a name": lambda p: changed(
        p, Filter(BASE, Exists(BASE, call(Op.EQ, BOOLEAN, K, column(0, "code", INTEGER))))
    ),
    "a number twice": lambda p: changed(p, Join(JoinType.INNER, BASE, BASE, TRUE)),
    "the number of a table": lambda p: changed(p, replace(BASE, id=0), column(0, "c0", INTEGER)),
    "a released row with a unit": lambda p: changed(p, replace(BASE, unit=(p.measurement.unit,))),
    "a condition that is a number": lambda p: changed(p, Filter(BASE, N)),
    "a sum of another type": lambda p: changed(
        p, replace(PARITY, aggregations=(aggregate(RowAggregate.SUM, BIGINT, N),)), K
    ),
    "a rank of another type": lambda p: changed(
        p, replace(BASE, windows=(window(WindowFunction.RANK, HUGEINT),))
    ),
    "a lag by a column": lambda p: changed(
        p, replace(BASE, windows=(window(WindowFunction.LAG, BIGINT, N, N),))
    ),
    "a negative limit": lambda p: changed(p, replace(TOP, count=-1)),
    "constants without all values": lambda p: changed(p, replace(NAMES, rows=((1,),)), K),
    "branches of two types": lambda p: changed(
        p, replace(WITH_TOTAL, right=Branch(Cells(), (), (KEY, COUNT))), column(1004, "c0", INTEGER)
    ),
    "HAVING beside layers": lambda p: replace(p, post=replace(p.post, having=TRUE)),
    "a layer without columns": lambda p: changed(p, Group(1001, BASE, (), (), ()), TRUE),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_worker_refuses_what_is_not_released(name):
    plan = layered(6, BASE, K)
    check_claims(plan)
    with pytest.raises(ValueError):
        check_claims(ATTACKS[name](plan))


def test_nothing_below_the_release_may_be_above_it():
    plan = layered(6, BASE, K)
    for relation in (Cells(), Limit(Scan(0), (), 1, 0)):
        with pytest.raises(ValueError):
            check_claims(replace(plan, measurement=replace(plan.measurement, relation=relation)))


# ---- error bars


def bars(relation: Relation, *outputs: Expr) -> list[tuple[ColumnRole, IntervalMethod]]:
    release = released(layered(len(COUNTS), relation, *outputs), COUNTS, CENTS)
    for row in release.rows:
        for found, shown in zip(release.columns, row, strict=True):
            if found.interval is IntervalMethod.NONE:
                assert shown.lower is None and shown.deviation is None
    return [(c.role, c.interval) for c in release.columns]


def test_a_column_says_how_its_interval_was_found():
    noisy = ColumnRole.NOISY
    share = call(Op.DIV, DOUBLE, N, TOTAL)
    twice = call(Op.MUL, HUGEINT, N, Literal(BIGINT, 2))
    assert bars(RANKED, K, N, RANK, TOTAL, SOFAR, share, twice, Literal(BIGINT, 7)) == [
        (ColumnRole.KEY, IntervalMethod.NONE),
        (noisy, IntervalMethod.EXACT_NOISE_LAW),
        (noisy, IntervalMethod.NONE),
        (noisy, IntervalMethod.SIMULATED_NOISE_LAW),
        (noisy, IntervalMethod.SIMULATED_NOISE_LAW),
        (noisy, IntervalMethod.SIMULATED_NOISE_LAW),
        (noisy, IntervalMethod.SIMULATED_NOISE_LAW),
        (ColumnRole.CONSTANT, IntervalMethod.NONE),
    ]


def test_what_was_counted_because_of_its_noise_has_no_interval():
    assert bars(EXTREMES, MAX, ROWS) == [(ColumnRole.NOISY, IntervalMethod.NONE)] * 2
    assert bars(Group(1001, TOP, (), (), (SUM_N,)), column(1001, "a0", HUGEINT)) == [
        (ColumnRole.NOISY, IntervalMethod.NONE)
    ]


def test_a_row_that_was_chosen_has_the_interval_of_its_own_cell():
    relation = Filter(RANKED, call(Op.LE, BOOLEAN, RANK, Literal(BIGINT, 3)))
    flat = released(layered(len(COUNTS), BASE, K, N), COUNTS, CENTS)
    chosen = released(layered(len(COUNTS), relation, K, N), COUNTS, CENTS)
    by_key: dict[Scalar, object] = {row[0].value: row[1] for row in flat.rows}
    assert len(chosen.rows) == 3
    assert all(row[1] == by_key[row[0].value] for row in chosen.rows)
    assert chosen.columns[1].interval is IntervalMethod.EXACT_NOISE_LAW


def test_the_same_totals_give_the_same_bytes():
    for relation, outputs, _ in CASES.values():
        plan = layered(len(COUNTS), relation, *outputs)
        answers = {wire.encode(released(plan, COUNTS, CENTS)) for _ in range(3)}
        assert len(answers) == 1


def test_a_layer_above_an_empty_release_is_answered():
    for relation, outputs, _ in CASES.values():
        kept = Filter(relation, call(Op.EQ, BOOLEAN, outputs[0], outputs[0]))
        assert released(layered(1, kept, *outputs), (0,), (0,)).columns
