"""With bounds that cut nothing the exact totals are plain DuckDB's; with bounds they are what the definitions say."""

import hashlib
import hmac
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest

from policies.terms import AggregateName, Scalar, SqlType, TypeKind
from sandbox.algebra import Call, Column, Expr, Filter, Join, Literal, Op, Scan, TimeUnit
from sandbox.boundary import (
    KEYS_MAX,
    STEPS_MAX,
    UNIT_COLUMN,
    DomainSource,
    GroupKey,
    ListedValues,
    MomentKind,
    StepBase,
    ValueSeries,
)
from sandbox.privacy.aggregates import Argument, MomentSpec, Steps
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.keys import TooManyKeys, canonical, declared_keys
from sandbox.worker.scalars import scalars
from sandbox.worker.sql_types import NotRenderable, listed
from sandbox.worker.steps import row_steps
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    BY_REGION,
    CENTS,
    CODE,
    COST,
    COUNT_ROWS,
    COUNT_UNITS,
    DATE,
    DOUBLE,
    HUGEINT,
    INCOME,
    INTEGER,
    PURE,
    REGION,
    REGIONS,
    SECRET,
    SUM_COST,
    SUM_UNITS,
    TIMESTAMP,
    UNIT,
    UNITS,
    VARCHAR,
    VISIT_SCAN,
    WHOLE,
    Row,
    Shape,
    moment_of,
    plan_of,
    snapshot,
)

# Wide enough for the generated rows: nothing is cut.
INERT = Shape(
    aggregates=(
        COUNT_ROWS,
        COUNT_UNITS,
        (AggregateName.COUNT, Argument(INCOME, None, WHOLE, 0, 1)),
        (AggregateName.SUM, Argument(COST, None, CENTS, -(10**6), 10**6)),
        (AggregateName.SUM, Argument(UNITS, None, WHOLE, -(10**4), 10**4)),
        (
            AggregateName.SUM,
            Argument(
                COST, Call(Op.GT, (UNITS, Literal(BIGINT, 0)), BOOLEAN), CENTS, -(10**6), 10**6
            ),
        ),
    ),
    rows_per_group_max=1000,
    groups_per_unit_max=100,
)


def some_rows(seed: int, units: int = 30) -> list[Row]:
    """Return rows with NULL and undeclared keys, NaN and infinities, and one heavy unit."""
    dice = random.Random(seed)
    rows: list[Row] = []
    for unit in range(units):
        for _ in range(60 if unit == 3 else dice.randrange(6)):
            rows.append(
                (
                    f"unit {unit:03}",
                    dice.choice([*REGIONS, "nowhere", None]),
                    dice.choice([None, *range(-3, 12)]),
                    dice.choice([None, float("nan"), float("inf"), -2.5, dice.random() * 120]),
                    dice.choice([None, "-7.25", f"{dice.randrange(4000) / 100:.2f}"]),
                    dice.choice([None, *range(-9, 30)]),
                )
            )
    return rows


def run(shape: Shape, rows: list[Row], threads: int = 1) -> ExactAggregates:
    with snapshot(rows, threads) as connection:
        return execute(plan_of(shape).measurement, connection)


@pytest.mark.parametrize("seed", range(4))
def test_without_bounds_the_totals_are_plain_duckdbs(seed):
    rows = some_rows(seed)
    found = run(INERT, rows)
    with snapshot(rows) as connection:
        plain = connection.execute(
            "SELECT region, count(*), count(DISTINCT _ky_unit), count(income),"
            " coalesce(sum(cost), 0) * 100, coalesce(sum(units), 0),"
            " coalesce(sum(cost) FILTER (units > 0), 0) * 100 FROM visits GROUP BY region"
        ).fetchall()
    by_region = {region: tuple(map(int, totals)) for region, *totals in plain}
    assert [region for (region,) in found.keys] == [*REGIONS, None]
    for place, (region,) in enumerate(found.keys):
        totals = tuple(vector[place] for vector in found.moments)
        assert totals == by_region.get(region, (0,) * 6)


def test_neither_threads_nor_the_order_of_rows_matter():
    """60 000 rows, so that DuckDB splits them over its threads."""
    rows = some_rows(5, 400) * 60
    shape = Shape(rows_per_group_max=40)
    first = run(shape, rows)
    random.Random(6).shuffle(rows)
    assert run(shape, rows, threads=4) == first
    assert any(any(vector) for vector in first.moments)


def test_a_query_without_keys_has_one_group():
    rows = some_rows(7)
    found = run(replace(INERT, keys=(), groups_per_unit_max=1), rows)
    assert found.keys == ((),) and found.moments[0] == (len(rows),)
    assert run(replace(INERT, keys=(), groups_per_unit_max=1), []).moments[0] == (0,)


def test_an_empty_table_gives_every_declared_key_and_zeros():
    found = run(Shape(), [])
    assert len(found.keys) == 5 and all(vector == (0,) * 5 for vector in found.moments)


def test_joins_and_filters_are_those_of_sql():
    rows = some_rows(8)
    same = Call(Op.EQ, (UNIT, replace(UNIT, scan=1)), BOOLEAN)
    near = Call(Op.LT, (CODE, replace(CODE, scan=1)), BOOLEAN)
    known = Call(Op.NOT, (Call(Op.IS_NULL, (INCOME,), BOOLEAN),), BOOLEAN)
    relation = Join(Filter(Scan(0), known), Scan(1), Call(Op.AND, (same, near), BOOLEAN))
    shape = replace(
        INERT, scans=(VISIT_SCAN, VISIT_SCAN), relation=relation, rows_per_group_max=10**4
    )
    found = run(shape, rows)
    with snapshot(rows) as connection:
        counts = dict(
            connection.execute(
                "SELECT a.region, count(*) FROM visits a JOIN visits b ON a._ky_unit = b._ky_unit"
                " AND a.code < b.code WHERE a.income IS NOT NULL GROUP BY a.region"
            ).fetchall()
        )
    assert found.moments[0] == tuple(counts.get(region, 0) for (region,) in found.keys)


def test_partials_are_clipped_for_each_unit_and_group():
    rows: list[Row] = [("a", "east", 1, 1.0, "5.00", 100)] * 7
    rows += [("b", "east", 1, 1.0, "-9.99", -50)] * 7
    found = run(Shape(), rows)
    place = found.keys.index(("east",))
    # two rows' worth: rows and units; costs in [-5, 20] and units in [-3, 9] a row
    assert [vector[place] for vector in found.moments[:4]] == [4, 2, 3500 - 1000, 18 - 6]


def test_kept_groups_are_the_smallest_hmacs_of_unit_key_and_group():
    """RFC 2104 by Python's own hmac; the choice is the same for every moment."""
    rows: list[Row] = [
        (f"u{i}", region, 1, 1.0, "1.00", 1) for i in range(20) for region in REGIONS
    ]
    found = run(Shape(groups_per_unit_max=2, rows_per_group_max=1), rows)
    expected: dict[object, int] = dict.fromkeys([*REGIONS, None], 0)
    for i in range(20):
        tags = {
            region: hmac.new(
                bytes.fromhex(SECRET),
                b"keyong kept groups v1\0" + f"u{i}".encode() + canonical(region),
                hashlib.sha256,
            ).hexdigest()
            for region in REGIONS
        }
        for region in sorted(REGIONS, key=tags.__getitem__)[:2]:
            expected[region] += 1
    assert found.moments[0] == tuple(expected[region] for (region,) in found.keys)
    assert sum(found.moments[0]) == 40 and found.moments[0] == found.moments[1]


def test_a_group_to_which_a_unit_adds_nothing_takes_no_place():
    """Otherwise a FILTER would waste the few groups a unit may keep."""
    rows: list[Row] = [("a", region, 1, 1.0, None, int(region == "west")) for region in REGIONS]
    only = Call(Op.GT, (UNITS, Literal(BIGINT, 0)), BOOLEAN)
    count = (AggregateName.COUNT, Argument(None, only, WHOLE, 0, 1))
    assert sum(run(Shape(aggregates=(count,), groups_per_unit_max=1), rows).moments[0]) == 1


def test_totals_are_clamped_before_the_noise():
    (moment,) = plan_of(Shape(aggregates=(SUM_UNITS,))).measurement.moments
    moment = replace(moment, row_upper=STEPS_MAX, partial_upper=2**62)
    rows: list[Row] = [(f"u{i}", "east", 1, 1.0, None, 2**62) for i in range(3)]
    with snapshot(rows) as connection:
        measurement = replace(plan_of(Shape()).measurement, moments=(moment,))
        assert max(execute(measurement, connection).moments[0]) == 3 * STEPS_MAX
        wide = replace(moment, row_upper=2**62)
        measurement = replace(measurement, moments=(wide,))
        assert max(execute(measurement, connection).moments[0]) == 2**62


# ---- keys


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
    assert found == ExactAggregates(((0.0,), (1.5,), (None,)), ((2, 1, 1),))
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


# ---- steps


def nearest(value: Fraction) -> int:
    return int(value + Fraction(1, 2)) if value >= 0 else -int(-value + Fraction(1, 2))


def reference(value: Scalar, exponent: int, base: int, lower: int, upper: int) -> int | None:
    if value is None or value != value:
        return None
    assert isinstance(value, (int, float, Decimal))
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return upper if value > 0 else lower
    return max(lower, min(upper, nearest(Fraction(value) * Fraction(base) ** exponent)))


WIDE, FINE, ROUGH = (SqlType(TypeKind.DECIMAL, p, s) for p, s in ((38, 10), (38, 38), (38, 0)))
SMALL, MONEY = SqlType(TypeKind.DECIMAL, 4, 1), SqlType(TypeKind.DECIMAL, 12, 2)
NUMBERS: dict[SqlType, list[Scalar]] = {
    INTEGER: [0, 1, -1, 7, 2**31 - 1, -(2**31)],
    BIGINT: [0, 15, -25, 2**63 - 1, -(2**63), 149, 150],
    HUGEINT: [0, 2**127 - 1, -(2**127), 5],
    SMALL: [Decimal(x) for x in ("0", "0.1", "-999.9", "999.9", "15.0", "-4.5", "14.9")],
    MONEY: [Decimal(x) for x in ("0", "0.01", "9999999999.99", "-9999999999.99", "0.05", "-0.05")],
    WIDE: [Decimal("9" * 28 + "." + "9" * 10), Decimal("-" + "9" * 28), Decimal("0.0000000005")],
    FINE: [
        Decimal("0." + "9" * 38),
        Decimal("-0." + "9" * 38),
        Decimal("0." + "4" * 38),
        Decimal(0),
    ],
    ROUGH: [Decimal("9" * 38), Decimal("-" + "9" * 38), Decimal(25), Decimal(14), Decimal(-15)],
    DOUBLE: [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1e308,
        -1e308,
        5e-324,
        float("inf"),
        float("-inf"),
        float("nan"),
        0.03125,
        2.5,
        1e12,
    ],
}
BOUNDS = [(0, 1), (-1, 0), (-STEPS_MAX, STEPS_MAX), (-7, 100), (3, 9), (-90, -20), (0, 0)]


@pytest.mark.parametrize("type_", NUMBERS, ids=str)
def test_steps_are_the_nearest_whole_number_within_the_bounds(type_):
    """All types, steps from 10**-18 to 10**18 and 2**-60 to 2**60, values at the ends of each type."""
    connection = duckdb.connect()
    values = [*NUMBERS[type_], None]
    base = StepBase.TWO if type_ == DOUBLE else StepBase.TEN
    exponents = (-60, -3, 0, 4, 30, 60) if type_ == DOUBLE else (-18, -3, -1, 0, 1, 2, 9, 18)
    compared = 0
    for exponent in exponents:
        for lower, upper in BOUNDS:
            spec = MomentSpec(MomentKind.SUM, Column(0, "x", type_), base, exponent, lower, upper)
            moment = moment_of(spec, Shape(), PURE)
            rendering = scalars(lambda _: "x", {})
            text = row_steps("x", moment, rendering)
            found = connection.execute(
                f"SELECT {text}, typeof({text}) FROM (SELECT unnest(CAST($values AS {type_}[])) AS x)",
                {**rendering.parameters, "values": listed(values, type_)},
            ).fetchall()
            for value, (steps, name) in zip(values, found, strict=True):
                expected = reference(value, exponent, 2 if type_ == DOUBLE else 10, lower, upper)
                assert (steps, name) == (expected, "BIGINT"), (value, exponent, lower, upper)
                compared += 1
    assert compared > 200


def test_steps_of_another_kind_of_value_are_refused():
    moment = plan_of(Shape(aggregates=(SUM_COST,))).measurement.moments[0]
    for wrong in (
        replace(moment, value=REGION),
        replace(moment, step_base=StepBase.TWO),
        replace(moment, step_exponent=19),
        replace(moment, value=INCOME),
    ):
        with pytest.raises(NotRenderable):
            row_steps("x", wrong, scalars(lambda _: "x", {}))


def test_the_unit_of_a_step_is_written_out():
    assert SUM_UNITS[1].steps == Steps(StepBase.TEN, 0) and UNIT.name == UNIT_COLUMN
