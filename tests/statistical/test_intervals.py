"""A 95 % interval holds the truth 92 to 98 times in 100, where no bound cuts anything.

Statistic   The share of groups whose interval holds the exact value, n groups with one draw of noise each.
Threshold   92 and 98 %. At a true coverage of 95 % and n = 2 000 a share outside is a deviation of 6 standard errors: a
            false alarm below 1e-8 for each column. Where the scale is under 5 steps only the lower end is tested.
Power       With noise of 1.6 times the scale the intervals were made for, every share must fall below 92 %.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.algebra import AggregateRef, Call, Column, Expr, Literal, Op
from sandbox.boundary import DomainSource, GroupKey, Plan, ValueSeries
from sandbox.privacy import measurements
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.post_process import post_process
from tests.unit.worker_world import BIGINT, DOUBLE, HUGEINT, INTEGER, Shape, plan_of, with_post

pytestmark = pytest.mark.statistical

CODE = Column(0, "code", INTEGER)
# The truth in every group: rows, units, cents, whole units, sixteenths of income - 50, rows with an income.
TRUTH = (9_000, 1_500, 12_345_600, 90_000, 4_560_000 - 800 * 8_900, 8_900)


def plan_over(groups: int, loss: PrivacyLoss) -> Plan:
    """Return a plan with bare aggregates and three kinds of expressions over them."""
    key = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(0, groups - 1)),), False)
    plan = plan_of(Shape(keys=(key,), loss=loss))
    count, units, cost, whole, average = (
        AggregateRef(index, found.type) for index, found in enumerate(plan.aggregates)
    )
    line = Call(Op.SUB, (Call(Op.MUL, (count, Literal(BIGINT, 3)), HUGEINT), units), HUGEINT)
    ratio = Call(Op.DIV, (cost, count), DOUBLE)
    root = Call(Op.SQRT, (Call(Op.CAST, (whole,), DOUBLE),), DOUBLE)
    outputs: tuple[Expr, ...] = (count, units, cost, whole, average, line, ratio, root)
    return with_post(plan, *outputs)


def answers(plan: Plan, moments: tuple[tuple[int, ...], ...]) -> list[list[Any]]:
    noisy = NoisyAggregates(tuple((i,) for i in range(len(moments[0]))), moments)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        return [[*row] for row in post_process(plan, noisy, connection).rows]


def shares(plan: Plan, groups: int, drawn_scale: Callable[[str], str]) -> list[float]:
    """Return, for each output, how often its interval holds the value without noise."""
    exact = [cell.value for cell in answers(plan, tuple((total,) for total in TRUTH))[0]]
    moments = tuple(
        measurements.draw(claim.loss.accountant, drawn_scale(claim.scale), (total,) * groups)
        for claim, total in zip(plan.measurement.moments, TRUTH, strict=True)
    )
    held = [0] * len(exact)
    for row in answers(plan, moments):
        for index, (cell, value) in enumerate(zip(row, exact, strict=True)):
            held[index] += cell.lower <= value <= cell.upper
    return [count / groups for count in held]


def loss_of(accountant: Accountant, tenths: int) -> PrivacyLoss:
    return PrivacyLoss(accountant, tenths * NANO // 10, 0)


CASES = [
    pytest.param(2_000, Accountant.PURE_EPS, 10, id="laplace"),
    pytest.param(2_000, Accountant.APPROX_ZCDP, 1, id="gaussian"),
    *(
        pytest.param(
            20_000, accountant, tenths, id=f"{accountant}-{tenths}", marks=pytest.mark.long
        )
        for accountant in Accountant
        for tenths in (1, 5, 20)
    ),
]


@pytest.mark.parametrize(("groups", "accountant", "tenths"), CASES)
def test_intervals_hold_the_truth_as_often_as_they_say(groups, accountant, tenths):
    plan = plan_over(groups, loss_of(accountant, tenths))
    coarse = min(float.fromhex(m.scale) for m in plan.measurement.moments) < 5
    for share in shares(plan, groups, lambda scale: scale):
        assert 0.92 <= share
        assert share <= 0.98 or coarse


@pytest.mark.parametrize("accountant", Accountant)
def test_more_noise_than_claimed_is_seen(accountant):
    """The negative twin: the intervals of a claim that is too small do not hold."""
    plan = plan_over(2_000, loss_of(accountant, 10 if accountant is Accountant.PURE_EPS else 1))
    louder = shares(plan, 2_000, lambda scale: (float.fromhex(scale) * 1.6).hex())
    assert all(share < 0.92 for share in louder)


def test_where_steps_are_coarse_the_interval_is_wide_enough():
    """Scale near 1: whole numbers cannot hold 95 % exactly, so they hold more."""
    shape = Shape(
        rows_per_group_max=1, groups_per_unit_max=1, loss=loss_of(Accountant.PURE_EPS, 60)
    )
    key = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(0, 1_999)),), False)
    plan = plan_of(replace(shape, keys=(key,)))
    plan = with_post(plan, AggregateRef(0, BIGINT), AggregateRef(1, BIGINT))
    for share in shares(plan, 2_000, lambda scale: scale):
        assert share >= 0.94
