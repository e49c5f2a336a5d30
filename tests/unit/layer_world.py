"""Layers over released cells, for tests: a plan with one key, two aggregates and a relation above its release."""

from decimal import Decimal

import duckdb

from policies.terms import SqlType, TypeKind
from sandbox.algebra import (
    AggregateRef,
    Aggregation,
    Call,
    Cells,
    Column,
    Expr,
    Frame,
    KeyRef,
    Literal,
    Op,
    Project,
    Relation,
    RowAggregate,
    RowOrder,
    Windowed,
    WindowFunction,
)
from sandbox.boundary import DomainSource, GroupKey, Plan, Release, ValueSeries
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.post_process import post_process
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    CODE,
    COUNT_ROWS,
    DOUBLE,
    HUGEINT,
    INTEGER,
    SUM_COST,
    Shape,
    plan_of,
    with_post,
)

MONEY = SqlType(TypeKind.DECIMAL, 38, 2)
KEY: Expr = KeyRef(0, INTEGER)
COUNT: Expr = AggregateRef(0, BIGINT)
PAID: Expr = AggregateRef(1, MONEY)
BASE = Project(1000, Cells(), (), (KEY, COUNT, PAID), ())
K, N, S = (Column(1000, f"c{i}", t) for i, t in enumerate((INTEGER, BIGINT, MONEY)))


def layered(groups: int, relation: Relation, *outputs: Expr, **changes: object) -> Plan:
    """Return a plan that counts rows and adds up cents by code, with layers above."""
    key = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(0, groups - 1)),), False)
    plan = plan_of(Shape(keys=(key,), aggregates=(COUNT_ROWS, SUM_COST)))
    return with_post(plan, *outputs, relation=relation, **changes)


def released(plan: Plan, counts: tuple[int, ...], cents: tuple[int, ...]) -> Release:
    """Return the answer to a plan whose noisy totals are these."""
    noisy = NoisyAggregates(tuple((i,) for i in range(len(counts))), (counts, cents))
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        return post_process(plan, noisy, connection)


def values(release: Release) -> list[tuple[object, ...]]:
    """Return the values of an answer, row by row."""
    return [tuple(cell.value for cell in row) for row in release.rows]


def plainly(sql: str, counts: tuple[int, ...], cents: tuple[int, ...]) -> list[tuple[object, ...]]:
    """Return what plain DuckDB says about the same cells in a table `cells (k, n, s)`."""
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE cells (k INTEGER, n BIGINT, s DECIMAL(38,2))")
        rows = [
            (i, n, Decimal(s).scaleb(-2))
            for i, (n, s) in enumerate(zip(counts, cents, strict=True))
        ]
        connection.executemany("INSERT INTO cells VALUES (?, ?, ?)", rows)
        return connection.execute(sql).fetchall()


def call(op: Op, type_: SqlType, *args: Expr) -> Expr:
    """Return a call."""
    return Call(op, args, type_)


def above(expr: Expr, limit: int) -> Expr:
    """Return the condition that a count lies above a constant."""
    return call(Op.GT, BOOLEAN, expr, Literal(BIGINT, limit))


def column(relation: int, name: str, type_: SqlType) -> Column:
    """Return a column of a layer."""
    return Column(relation, name, type_)


def aggregate(function: RowAggregate, type_: SqlType, *args: Expr) -> Aggregation:
    """Return an aggregate over released rows."""
    return Aggregation(function, args, None, type_)


def window(
    function: WindowFunction,
    type_: SqlType,
    *args: Expr,
    order: tuple[RowOrder, ...] = (),
    frame: Frame | None = None,
) -> Windowed:
    """Return a window function over all released rows."""
    return Windowed(function, args, (), order, frame, type_)


def by(expr: Expr, descending: bool = False) -> tuple[RowOrder, ...]:
    """Return an order of one term."""
    return (RowOrder(expr, descending, False),)


__all__ = [
    "BASE",
    "BIGINT",
    "BOOLEAN",
    "DOUBLE",
    "HUGEINT",
    "INTEGER",
    "MONEY",
    "K",
    "N",
    "S",
]
