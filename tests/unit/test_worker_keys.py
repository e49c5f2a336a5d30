"""Declared keys follow from public facts alone, have one order and one spelling."""

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from sandbox.algebra import Call, Column, Expr, Literal, Op, TimeUnit
from sandbox.boundary import (
    KEYS_MAX,
    DomainSource,
    GroupKey,
    ListedValues,
    ValueSeries,
)
from sandbox.worker.execute import ExactAggregates
from sandbox.worker.keys import TooManyKeys, canonical, declared_keys
from sandbox.worker.sql_types import NotRenderable
from tests.unit.worker_world import (
    BIGINT,
    BY_REGION,
    CODE,
    COUNT_ROWS,
    DATE,
    INCOME,
    INTEGER,
    REGION,
    REGIONS,
    TIMESTAMP,
    UNITS,
    VARCHAR,
    Row,
    Shape,
    run,
)


def declared(key: GroupKey) -> tuple[object, ...]:
    (domain,) = declared_keys((key,), duckdb.connect())
    return domain.values


def sourced(
    expr: Expr, column: Column, values: ListedValues | ValueSeries, null: bool = False
) -> GroupKey:
    return GroupKey(expr, (), (DomainSource(column, values),), null)


def test_keys_are_the_image_of_declared_domains():
    decade = Call(Op.INT_DIV, (CODE, Literal(INTEGER, 10)), BIGINT)
    assert declared(sourced(decade, CODE, ValueSeries(-5, 25))) == (0, 1, 2)
    first = Call(Op.UPPER, (Call(Op.LEFT, (REGION, Literal(INTEGER, 1)), VARCHAR),), VARCHAR)
    assert declared(sourced(first, REGION, ListedValues(REGIONS), True)) == (
        "E",
        "N",
        "S",
        "W",
        None,
    )
    named = Call(Op.COALESCE, (REGION, Literal(VARCHAR, "?")), VARCHAR)
    assert declared(sourced(named, REGION, ListedValues(("b",)))) == ("?", "b")
    assert declared(GroupKey(REGION, ("b", "a", "b"), (), True)) == ("a", "b", None)
    day = Column(0, "day", DATE)
    month = Call(Op.DATE_TRUNC, (day,), TIMESTAMP, TimeUnit.MONTH)
    found = declared(sourced(month, day, ValueSeries(date(2023, 12, 30), date(2024, 2, 2))))
    assert [str(value)[:7] for value in found] == ["2023-12", "2024-01", "2024-02"]


def test_nan_and_signed_zero_are_one_key_each():
    rows: list[Row] = [
        (f"u{i}", None, 1, x, None, 1) for i, x in enumerate((0.0, -0.0, float("nan"), 1.5))
    ]
    key = sourced(INCOME, INCOME, ListedValues((0.0, -0.0, float("nan"), 1.5)), True)
    found = run(Shape(keys=(key,), aggregates=(COUNT_ROWS,)), rows)
    assert found == ExactAggregates(((0.0,), (1.5,), (None,)), ((2, 1, 1),), (3,))
    assert str(found.keys[0][0]) == "0.0"


def test_undeclared_keys_vanish_before_groups_are_counted():
    """A unit's undeclared groups must not take the place of its declared ones."""
    rows: list[Row] = [("a", f"hidden {i}", 1, 1.0, None, 1) for i in range(50)]
    rows += [("a", "east", 1, 1.0, None, 1), ("a", "west", 1, 1.0, None, 1)]
    assert sum(run(Shape(aggregates=(COUNT_ROWS,)), rows).moments[0]) == 2


def test_several_keys_make_a_product_in_canonical_order():
    codes = sourced(CODE, CODE, ValueSeries(1, 3))
    rows: list[Row] = [("a", "east", 2, 1.0, None, 1), ("a", "west", 9, 1.0, None, 1)]
    found = run(
        Shape(keys=(BY_REGION, codes), aggregates=(COUNT_ROWS,), groups_per_unit_max=15), rows
    )
    assert found.keys == tuple((r, c) for r in (*REGIONS, None) for c in (1, 2, 3))
    assert [key for key, n in zip(found.keys, found.moments[0], strict=True) if n] == [("east", 2)]


@pytest.mark.parametrize(
    "keys",
    [
        (sourced(CODE, CODE, ValueSeries(1, KEYS_MAX + 1)),),
        (sourced(CODE, CODE, ValueSeries(1, 200)), sourced(UNITS, UNITS, ValueSeries(1, 101))),
        (sourced(CODE, CODE, ValueSeries(1, 10**9)),),
        (sourced(CODE, CODE, ValueSeries(9, 1)),),
    ],
)
def test_more_groups_than_a_release_holds_are_refused(keys):
    with pytest.raises(TooManyKeys):
        run(Shape(keys=keys, aggregates=(COUNT_ROWS,)), [])


def test_a_key_reads_declared_domains_only():
    with pytest.raises(NotRenderable):
        declared(GroupKey(REGION, (), (), False))
    with pytest.raises(NotRenderable):
        declared(sourced(INCOME, INCOME, ValueSeries(1, 2)))


def test_the_bytes_of_keys_are_distinct():
    values = (
        None,
        "",
        "0",
        0,
        "1",
        1,
        True,
        False,
        Decimal(1),
        Decimal("1.0"),
        1.0,
        date(2024, 1, 1),
        "2024-01-01",
    )
    assert len({canonical(value) for value in values}) == len(values)
    assert canonical("a") + canonical("bc") != canonical("ab") + canonical("c")
