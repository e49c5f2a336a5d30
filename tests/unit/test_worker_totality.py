"""No operator raises on any value, each has the type it claims, and where DuckDB has a value ours is equal.

The native SQL stands here only, to be compared with.
"""

import random

import duckdb
import pytest

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Column, Expr, Literal, Op, TimeUnit
from sandbox.worker.scalars import RULES, scalars
from sandbox.worker.sql_types import NotRenderable, is_integer, is_number, meet
from tests.unit.worker_operators import (
    COMPARED,
    GROUPS,
    TYPES,
    VALUES,
    col,
    in_years,
    rendered,
    tables_of,
)
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
)


@pytest.fixture(scope="module")
def extremes() -> duckdb.DuckDBPyConnection:
    """One table per type, every extreme and NULL in it; no setting of ours softens the engine."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    for key, type_ in TYPES.items():
        rows = ", ".join(f"('{value}'::{type_})" for value in VALUES[key])
        connection.execute(f"CREATE TABLE v{key} AS FROM (VALUES (NULL::{type_}), {rows}) AS t(x)")
    return connection


@pytest.mark.parametrize("group", GROUPS)
def test_no_operator_raises_and_each_keeps_its_type(group, extremes):
    kept = 0
    for expr, _ in GROUPS[group]():
        try:
            text, parameters = rendered(expr)
        except NotRenderable:
            continue
        kept += 1
        query = f"SELECT DISTINCT typeof(x) FROM (SELECT {text} AS x FROM {tables_of(expr)})"
        assert extremes.execute(query, parameters).fetchall() == [(str(expr.type),)], text
    assert kept > 100


@pytest.mark.parametrize("group", GROUPS)
def test_where_duckdb_has_a_value_ours_is_equal(group, extremes):
    compared = 0
    for expr, native in GROUPS[group]():
        try:
            text, parameters = rendered(expr)
        except NotRenderable:
            continue
        if native is None:
            continue
        where = in_years(expr) if expr.op is not Op.CAST else "true"
        # TRY tells a value from an error, and NULL from neither: those rows are tried one by one below.
        query = (
            f"SELECT x, theirs FROM (SELECT CAST({text} AS VARCHAR) AS x,"
            f" CAST(TRY_CAST(TRY({native}) AS {expr.type}) AS VARCHAR) AS theirs"
            f" FROM {tables_of(expr)} WHERE {where}) WHERE theirs IS NOT NULL"
        )
        try:
            rows = extremes.execute(query, parameters).fetchall()
        except duckdb.BinderException:  # DuckDB has no such operator for these types
            continue
        for ours, theirs in rows:
            if expr.op is Op.DATE_ADD and ("BC" in theirs or len(theirs.split("-")[0]) > 4):
                continue  # the result leaves the years 1 to 9999
            assert _plain(ours) == _plain(theirs), f"{text} against {native}"
            compared += 1
    assert compared > 300


@pytest.mark.parametrize("group", GROUPS)
def test_null_is_settled_as_duckdb_settles_it(group, extremes):
    """The comparison above sees values only; here an operand is NULL, and so is what comes of it, or not."""
    compared = 0
    for expr, native in GROUPS[group]():
        try:
            text, parameters = rendered(expr)
        except NotRenderable:
            continue
        if native is None:
            continue
        columns = {(c.scan, c.name) for c in expr.args if isinstance(c, Column)}
        nulls = " OR ".join(f"c{scan}_{name}.x IS NULL" for scan, name in columns)
        query = (
            f"SELECT count(*), count(*) FILTER (({text} IS NULL) <> (({native}) IS NULL))"
            f" FROM {tables_of(expr)} WHERE {nulls}"
        )
        try:
            rows, different = extremes.execute(query, parameters).fetchall()[0]
        except duckdb.Error:  # DuckDB has no such operator, or fails on the other operand
            continue
        assert not different, f"{text} against {native}"
        compared += rows
    assert compared > 50


def _plain(value: str | None) -> str | None:
    return value.lstrip("-") if value and value.endswith("nan") else value  # NaN has no sign


def test_the_comparison_has_power(extremes):
    """A form that clamps instead of failing, the classical mistake, is seen by the comparison above."""
    text, parameters = rendered(Call(Op.LEAST, (col("f"), Literal(DOUBLE, 1.0)), DOUBLE))
    assert extremes.execute(f"SELECT count({text}) FROM vf AS c0_f", parameters).fetchone() == (11,)
    with pytest.raises(duckdb.Error):
        extremes.execute("SELECT CAST(x AS INTEGER) FROM vl").fetchall()
    with pytest.raises(duckdb.Error):
        extremes.execute("SELECT 1 // x FROM vi").fetchall()
    with pytest.raises(duckdb.Error):
        extremes.execute("SELECT a.x * b.x FROM vd a, vd b").fetchall()


def test_random_nested_expressions_never_raise(extremes):
    dice = random.Random(20)
    columns = ", ".join(f"{key} {type_}" for key, type_ in TYPES.items())
    extremes.execute(f"CREATE OR REPLACE TABLE wide ({columns})")
    for _ in range(200):
        row = [None if dice.random() < 0.1 else dice.choice(VALUES[key]) for key in TYPES]
        extremes.execute(f"INSERT INTO wide VALUES ({', '.join('?' * len(row))})", row)
    accepted = 0
    for _ in range(300):
        expr = random_expr(dice, dice.choice(list(TYPES.values())), 4)
        parameters: dict[str, object] = {}
        try:
            text = scalars(lambda r: r.name, parameters).render(expr)  # type: ignore[union-attr]
        except NotRenderable:
            continue
        found = extremes.execute(
            f"SELECT DISTINCT typeof(x) FROM (SELECT {text} AS x FROM wide)", parameters
        )
        assert found.fetchall() == [(str(expr.type),)]
        accepted += 1
    assert accepted >= 180  # at least 60 % of what the generator makes is accepted


def random_expr(dice: random.Random, type_: SqlType, depth: int) -> Expr:
    """Return an expression of the type, built as a compiler builds it: operands of the kinds an operator takes."""
    own = [Column(0, key, found) for key, found in TYPES.items() if found == type_]
    if depth == 0 or dice.random() < 0.15:
        return dice.choice(own) if own else Literal(type_, None)
    sub = lambda wanted: random_expr(dice, wanted, depth - 1)  # noqa: E731
    number = dice.choice([INTEGER, BIGINT, HUGEINT, DOUBLE, TYPES["d"], TYPES["m"]])
    choices = [
        lambda: Call(Op.CASE, (sub(BOOLEAN), sub(type_), sub(type_)), type_),
        lambda: Call(
            dice.choice((Op.COALESCE, Op.LEAST, Op.NULLIF)), (sub(type_), sub(type_)), type_
        ),
        lambda: Call(Op.CAST, (sub(dice.choice(list(TYPES.values()))),), type_),
    ]
    if is_number(type_):
        choices += [lambda: Call(dice.choice((Op.NEG, Op.ABS, Op.ROUND)), (sub(type_),), type_)] * 2
    if type_ == DOUBLE:
        choices += [
            lambda: Call(dice.choice((Op.DIV, Op.MUL, Op.MOD)), (sub(number), sub(number)), DOUBLE)
        ] * 2
        choices += [lambda: Call(dice.choice((Op.SQRT, Op.LN, Op.EXP)), (sub(number),), DOUBLE)]
    if is_integer(type_):
        ops = (Op.ADD, Op.SUB, Op.MUL, Op.INT_DIV, Op.MOD)
        choices += [lambda: Call(dice.choice(ops), (sub(type_), sub(INTEGER)), type_)] * 3
        choices += [lambda: Call(Op.DATE_PART, (sub(DATE),), type_, TimeUnit.YEAR)]
    if type_.kind is TypeKind.DECIMAL and type_.precision > type_.scale:
        choices += [
            lambda: Call(dice.choice((Op.ADD, Op.SUB)), (sub(type_), sub(INTEGER)), type_)
        ] * 2
    if type_ == BOOLEAN:
        choices += [
            lambda: Call(dice.choice(list(COMPARED)), (sub(number), sub(number)), BOOLEAN)
        ] * 2
        choices += [
            lambda: Call(dice.choice((Op.AND, Op.OR)), (sub(BOOLEAN), sub(BOOLEAN)), BOOLEAN)
        ]
    if type_ == VARCHAR:
        choices += [lambda: Call(Op.SUBSTRING, (sub(VARCHAR), sub(BIGINT), sub(INTEGER)), VARCHAR)]
    if type_ == TIMESTAMP:
        shift = Literal(INTEGER, dice.randrange(-(10**6), 10**6))
        choices += [lambda: Call(Op.DATE_ADD, (sub(DATE), shift), TIMESTAMP, TimeUnit.WEEK)] * 2
    return dice.choice(choices)()


def test_every_operator_has_one_rule_and_no_other():
    assert set(RULES) == set(Op)


def test_a_bomb_of_nested_guards_is_refused():
    expr: Expr = col("t")
    for _ in range(40):
        expr = Call(Op.DATE_ADD, (expr, Literal(INTEGER, 1)), DATE, TimeUnit.DAY)
    with pytest.raises(NotRenderable):
        rendered(expr)


def test_operands_of_different_kinds_do_not_meet():
    with pytest.raises(NotRenderable):
        meet((col("s"), col("i")))
    with pytest.raises(NotRenderable):
        rendered(Literal(SqlType(TypeKind.DECIMAL, 39, 2), None))
