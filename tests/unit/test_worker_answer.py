"""What is made of noisy totals: types, order, selection and error bars; total on any noise whatever."""

import itertools
import random
import statistics
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox import wire
from sandbox.algebra import AggregateRef, Call, Column, Expr, KeyRef, Literal, Op, TimeUnit
from sandbox.boundary import (
    ColumnRole,
    DomainSource,
    GroupKey,
    IntervalMethod,
    ListedValues,
    Mechanism,
    Plan,
    Release,
    SortTerm,
    ValueSeries,
)
from sandbox.privacy import accuracy
from sandbox.privacy.aggregates import Argument
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.error_bar import Shown
from sandbox.worker.intervals import DRAWS, exact_bars, simulated_bars
from sandbox.worker.post_process import post_process
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    BY_REGION,
    COUNT_ROWS,
    DATE,
    DOUBLE,
    HUGEINT,
    INTEGER,
    REGIONS,
    TIMESTAMP,
    VARCHAR,
    WHOLE,
    ZCDP,
    Shape,
    plan_of,
    with_post,
)

PLAN = plan_of(Shape())
ROWS, UNITS_SEEN, COST_SUM, UNIT_SUM, INCOME_AVG = (
    AggregateRef(index, found.type) for index, found in enumerate(PLAN.aggregates)
)
KEYS = tuple((region,) for region in (*REGIONS, None))
# moments: rows, units, cents, whole units, sixteenths of income - 50, rows with an income
NOISY = NoisyAggregates(
    KEYS,
    (
        (900, 901, -3, 40, 0),
        (300, 300, 2, 10, 0),
        (512_345, 600_000, -17, 1_001, 0),
        (2_500, 2_600, 12, -9, 0),
        (800_000 - 800 * 850, 16_000 - 800 * 880, 3 + 800, 9_000 - 800 * 30, -5),
        (850, 880, -1, 30, 0),
    ),
)


def answer(plan: Plan, noisy: NoisyAggregates = NOISY) -> Release:
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        return post_process(plan, noisy, connection)


def cells(release: Release) -> list[list[Any]]:
    """Return the cells row by row; a test knows which type it expects of a value."""
    return [[*row] for row in release.rows]


def values(release: Release) -> list[tuple[object, ...]]:
    return [tuple(cell.value for cell in row) for row in release.rows]


def test_aggregates_are_finished_in_their_own_types():
    release = answer(PLAN)
    assert values(release)[0] == ("east", 900, 300, Decimal("5123.45"), 2_500, 800_000 / 16 / 850)
    assert [type(cell.value) for cell in release.rows[0]] == [str, int, int, Decimal, int, float]
    assert [column.type for column in release.columns] == [o.expr.type for o in PLAN.post.outputs]
    assert [row[0] for row in values(release)] == [*REGIONS, None]
    assert wire.decode_answer(wire.encode(release)) == release


def test_columns_say_what_they_are_and_noise_is_listed():
    text = Call(
        Op.CASE,
        (Call(Op.GT, (ROWS, Literal(BIGINT, 9)), BOOLEAN), Literal(VARCHAR, "many")),
        VARCHAR,
    )
    double = Call(Op.MUL, (ROWS, Literal(BIGINT, 2)), HUGEINT)
    upper = Call(Op.UPPER, (KeyRef(0, VARCHAR),), VARCHAR)
    release = answer(
        with_post(PLAN, ROWS, COST_SUM, INCOME_AVG, double, text, upper, Literal(INTEGER, 3))
    )
    assert [(c.role, c.interval) for c in release.columns] == [
        (ColumnRole.NOISY, IntervalMethod.EXACT_NOISE_LAW),
        (ColumnRole.NOISY, IntervalMethod.EXACT_NOISE_LAW),
        (ColumnRole.NOISY, IntervalMethod.SIMULATED_NOISE_LAW),
        (ColumnRole.NOISY, IntervalMethod.SIMULATED_NOISE_LAW),
        (ColumnRole.NOISY, IntervalMethod.NONE),
        (ColumnRole.KEY, IntervalMethod.NONE),
        (ColumnRole.CONSTANT, IntervalMethod.NONE),
    ]
    assert [(n.mechanism, n.scale, n.loss) for n in release.noise] == [
        (Mechanism.DISCRETE_LAPLACE, m.scale, m.loss) for m in PLAN.measurement.moments
    ]
    for row in release.rows:
        for cell in row[4:]:
            assert (cell.deviation, cell.lower, cell.upper) == (None, None, None)


def test_bare_counts_and_sums_carry_the_noise_law_itself():
    release = answer(PLAN)
    for place, step in ((1, 1), (2, 1), (3, Decimal("0.01")), (4, 1)):
        claim = PLAN.measurement.moments[place - 1]
        half = accuracy.half_width(Mechanism.DISCRETE_LAPLACE, claim.scale, 0.05)
        deviation = accuracy.deviation(Mechanism.DISCRETE_LAPLACE, claim.scale) * float(step)
        for row in cells(release):
            cell = row[place]
            assert cell.deviation == pytest.approx(deviation)
            assert cell.upper == cell.value + half * step and cell.lower == cell.value - half * step
            assert type(cell.lower) is type(cell.value)


def test_avg_is_null_exactly_where_the_noisy_count_is_not_positive():
    for count, expected in ((-1, None), (0, None), (1, 100.0), (2, 62.5), (10**6, 0.002)):
        noisy = NoisyAggregates(((),), ((0,), (0,), (0,), (0,), (2_000 - 800 * count,), (count,)))
        plan = with_post(plan_of(Shape(keys=())), INCOME_AVG)
        cell = answer(plan, noisy).rows[0][0]
        assert cell.value == (expected if count != 10**6 else pytest.approx(0.000125))
        if count <= 2:  # the count may be 0: the declared interval is all that is known
            assert (cell.lower, cell.upper, cell.deviation) == (0.0, 100.0, None)


def test_order_is_that_of_keys_unless_asked_and_ties_keep_it():
    parity = Call(Op.MOD, (ROWS, Literal(BIGINT, 2)), BIGINT)
    term = SortTerm(parity, True, False)
    found = values(answer(with_post(PLAN, KeyRef(0, VARCHAR), order=(term,))))
    assert [key for (key,) in found] == ["north", "east", "west", None, "south"]
    by_key = SortTerm(KeyRef(0, VARCHAR), True, True)
    found = values(answer(with_post(PLAN, KeyRef(0, VARCHAR), order=(by_key,))))
    assert [key for (key,) in found] == [None, "west", "south", "north", "east"]


def test_having_limit_and_offset_act_on_noisy_values():
    some = Call(Op.GT, (ROWS, Literal(BIGINT, 0)), BOOLEAN)
    plan = with_post(PLAN, KeyRef(0, VARCHAR), having=some)
    assert values(answer(plan)) == [("east",), ("north",), ("west",)]
    assert values(answer(with_post(PLAN, KeyRef(0, VARCHAR), having=some, limit=1, offset=1))) == [
        ("north",)
    ]
    assert values(answer(with_post(plan, KeyRef(0, VARCHAR), offset=7))) == []
    assert values(answer(with_post(plan, KeyRef(0, VARCHAR), limit=0))) == []
    unknown = Call(Op.GT, (INCOME_AVG, Literal(DOUBLE, 0.5)), BOOLEAN)
    found = values(answer(with_post(PLAN, KeyRef(0, VARCHAR), INCOME_AVG, having=unknown)))
    assert [key for key, _ in found] == ["east", "north", "west"]  # NULL is not true


def test_an_answer_without_groups_is_empty():
    noisy = NoisyAggregates((), ((),) * 6)
    release = answer(PLAN, noisy)
    assert release.rows == () and len(release.columns) == 6


def test_the_same_noisy_totals_give_the_same_bytes():
    assert wire.encode(answer(PLAN)) == wire.encode(answer(PLAN))


def everything_over(a: Expr, b: Expr) -> list[Expr]:
    """Return expressions of many kinds over two noisy numbers."""
    doubled = (Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MOD)
    found: list[Expr] = [Call(op, (a, b), DOUBLE) for op in doubled]
    found += [Call(op, (a, b), BOOLEAN) for op in (Op.EQ, Op.LT, Op.IS_DISTINCT)]
    found += [Call(op, (a,), DOUBLE) for op in (Op.SQRT, Op.LN, Op.EXP, Op.ABS, Op.ROUND)]
    found += [Call(Op.CAST, (a,), type_) for type_ in (INTEGER, BIGINT, HUGEINT, DOUBLE, VARCHAR)]
    found += [Call(Op.CAST, (a,), SqlType(TypeKind.DECIMAL, 5, 2))]
    whole = Call(Op.CAST, (b,), BIGINT)
    found += [
        Call(op, (Call(Op.CAST, (a,), BIGINT), whole), HUGEINT)
        for op in (Op.MUL, Op.INT_DIV, Op.SUB)
    ]
    return found


def test_everything_above_the_noise_is_total():
    """Noise can be anything: the ends of i64, 0, negative counts; at every pair of them, for every pair of aggregates."""
    ends = (0, 1, -1, 2**63 - 1, -(2**63), 2**62, 12_345)
    dice = random.Random(11)
    moments = tuple(tuple(dice.choice(ends) for _ in range(40)) for _ in range(6))
    key = GroupKey(
        Column(0, "code", INTEGER),
        (),
        (DomainSource(Column(0, "code", INTEGER), ValueSeries(0, 39)),),
        False,
    )
    plan = plan_of(Shape(keys=(key,)))
    noisy = NoisyAggregates(tuple((i,) for i in range(40)), moments)
    refs = [AggregateRef(index, found.type) for index, found in enumerate(plan.aggregates)]
    outputs: list[Expr] = list(refs)
    for a, b in itertools.product(refs, refs[::-1]):
        outputs += dice.sample(everything_over(a, b), 5)
    release = answer(with_post(plan, *outputs), noisy)
    assert len(release.rows) == 40
    assert wire.decode_answer(wire.encode(release))
    for row in cells(release):
        for cell in row:
            if cell.value is not None and cell.lower is not None:
                assert cell.lower <= cell.value <= cell.upper or cell.value != cell.value


def test_dates_beyond_the_calendar_are_null():
    day = Column(0, "day", DATE)
    key = GroupKey(
        day, (), (DomainSource(day, ListedValues((date(9999, 12, 31), date(2024, 1, 31)))),), False
    )
    plan = plan_of(Shape(keys=(key,), aggregates=(COUNT_ROWS,)))
    moved = Call(Op.DATE_ADD, (KeyRef(0, DATE), Literal(INTEGER, 1)), TIMESTAMP, TimeUnit.MONTH)
    parsed = Call(Op.CAST, (Literal(VARCHAR, "infinity"),), DATE)
    noisy = NoisyAggregates(((date(2024, 1, 31),), (date(9999, 12, 31),)), ((1, 2),))
    found = values(answer(with_post(plan, moved, parsed), noisy))
    assert found == [(datetime(2024, 2, 29), None), (None, None)]


def test_a_simulated_interval_of_a_line_is_the_exact_one_scaled():
    three = Call(Op.MUL, (ROWS, Literal(BIGINT, 3)), HUGEINT)
    exact, simulated = cells(answer(with_post(PLAN, ROWS, three)))[0]
    width = exact.upper - exact.lower
    assert (simulated.upper - simulated.lower) == pytest.approx(3 * width, rel=0.06)
    assert simulated.deviation == pytest.approx(3 * exact.deviation, rel=0.06)
    assert type(simulated.lower) is int


@pytest.mark.parametrize("loss", [Shape().loss, ZCDP])
def test_a_simulated_ratio_agrees_with_dice(loss):
    """20 000 independent draws of the noise law by inversion, against 400 evenly spread points."""
    plan = plan_of(Shape(loss=loss))
    ratio = Call(Op.DIV, (COST_SUM, ROWS), DOUBLE)
    cell = cells(answer(with_post(plan, ratio)))[0][0]
    dice = random.Random(12)
    mechanism = answer(plan).noise[0].mechanism
    cents, rows = (
        [
            accuracy.quantile(mechanism, plan.measurement.moments[i].scale, p)
            for p in (dice.random() or 0.5 for _ in range(20_000))
        ]
        for i in (2, 0)
    )
    drawn = sorted((512_345 - x) / 100 / (900 - y) for x, y in zip(cents, rows, strict=True))
    width = drawn[19_500] - drawn[500]
    assert cell.lower == pytest.approx(drawn[500], abs=0.06 * width)
    assert cell.upper == pytest.approx(drawn[19_500], abs=0.06 * width)
    assert cell.deviation == pytest.approx(statistics.stdev(drawn), rel=0.08)


def test_a_ratio_over_a_count_that_may_be_0_claims_no_interval():
    guarded = Call(Op.DIV, (COST_SUM, Call(Op.NULLIF, (ROWS, Literal(BIGINT, 0)), BIGINT)), DOUBLE)
    for cell in (row[0] for row in answer(with_post(PLAN, guarded)).rows[2:3]):
        assert cell.value is not None and (cell.lower, cell.upper) == (None, None)


def test_each_method_is_kept_to_what_it_can_do():
    with pytest.raises(ValueError), duckdb.connect() as connection:
        exact_bars(PLAN, Call(Op.NEG, (ROWS,), BIGINT), Shown((0,), ()), connection)
    assert DRAWS == 400 and callable(simulated_bars)


def test_sums_of_coarse_steps_come_back_in_the_columns_own_unit():
    wide = SqlType(TypeKind.DECIMAL, 18, 2)
    column = Column(0, "income", wide)
    for exponent, total, expected in (
        (-3, 7, Decimal(7000)),
        (0, 7, Decimal(7)),
        (2, 7, Decimal("0.07")),
    ):
        steps = type(WHOLE)(WHOLE.base, exponent)
        argument = Argument(column, None, steps, 0, 100)
        plan = plan_of(Shape(keys=(), aggregates=((AggregateName.SUM, argument),)))
        cell = answer(plan, NoisyAggregates(((),), ((total,),))).rows[0][0]
        assert cell.value == expected and plan.aggregates[0].type == SqlType(
            TypeKind.DECIMAL, 38, 2
        )


def test_null_keys_are_released_as_declared():
    plan = plan_of(Shape(keys=(BY_REGION,), aggregates=(COUNT_ROWS,)))
    missing = Call(Op.IS_NULL, (KeyRef(0, VARCHAR),), BOOLEAN)
    found = values(answer(with_post(plan, missing), NoisyAggregates(KEYS, (NOISY.moments[0],))))
    assert found == [(False,)] * 4 + [(True,)]
