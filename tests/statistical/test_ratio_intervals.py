"""The simulated intervals of spreads, pairs and derived sums hold the truth 92 to 98 times in 100.

Statistic   The share of groups whose interval holds the value without noise, n groups with one draw of noise each, all over
            the same 6 000 rows of two values that hang together.
Threshold   92 and 98 %. At a true coverage of 95 % and n = 2 000 a share outside is a deviation of 6 standard errors: a false
            alarm below 1e-8 for each column.
Power       With half the noise that the intervals were made for no share may be below 98 %; with 1.6 times the noise every
            share must be below 92 %.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import duckdb
import pytest

from policies.terms import NANO, Accountant, AggregateName, PrivacyLoss
from sandbox.algebra import AggregateRef
from sandbox.boundary import (
    DomainSource,
    GroupKey,
    NoisyAggregate,
    NoisyAggregates,
    Plan,
    ValueSeries,
)
from sandbox.privacy import measurements
from sandbox.privacy.aggregates import Argument
from sandbox.privacy.aggregates.pairs import Pair
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process
from tests.unit.worker_world import (
    CENTS,
    CODE,
    COST,
    HUGEINT,
    UNITS,
    WHOLE,
    Row,
    Shape,
    plan_of,
    snapshot,
    with_post,
)

pytestmark = pytest.mark.statistical

OF_UNITS = Argument(UNITS, None, WHOLE, 0, 60)
OF_BOTH = Pair(COST, None, CENTS, 0, 9_000, other=OF_UNITS)
ASKED = (
    (AggregateName.AVG, OF_UNITS),
    (AggregateName.VAR_POP, OF_UNITS),
    (AggregateName.STDDEV_SAMP, OF_UNITS),
    (AggregateName.COVAR_SAMP, OF_BOTH),
    (AggregateName.CORR, OF_BOTH),
    (AggregateName.REGR_SLOPE, OF_BOTH),
    (AggregateName.REGR_INTERCEPT, OF_BOTH),
    (AggregateName.REGR_R2, OF_BOTH),
)
NAMES = (*(name for name, _ in ASKED), AggregateName.SUM)


def rows() -> list[Row]:
    dice = random.Random(5)
    found: list[Row] = []
    for n in range(6_000):
        units = min(60, max(0, round(dice.gauss(30, 12))))
        cost = min(90.0, max(0.0, 10 + units + dice.gauss(0, 8)))
        found.append((f"u{n}", None, 1, None, f"{cost:.2f}", units))
    return found


def plan_over(groups: int, loss: PrivacyLoss) -> Plan:
    """Return a plan of every asked aggregate, and of the sum that follows from the average's measurements."""
    key = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(1, groups)),), False)
    shape = Shape(
        aggregates=ASKED, keys=(key,), loss=loss, rows_per_group_max=1, groups_per_unit_max=1
    )
    plan = plan_of(shape)
    average = plan.aggregates[0]
    total = NoisyAggregate(AggregateName.SUM, average.moments, average.offsets, HUGEINT, 0, 60)
    plan = replace(plan, aggregates=(*plan.aggregates, total))
    return with_post(
        plan, *(AggregateRef(index, each.type) for index, each in enumerate(plan.aggregates))
    )


@cache
def truth() -> tuple[int, ...]:
    """Return the exact total of each moment over the one group that has rows."""
    measurement = plan_over(1, PrivacyLoss(Accountant.PURE_EPS, NANO, 0)).measurement
    with snapshot(rows()) as connection:
        return tuple(vector[0] for vector in execute(measurement, connection).moments)


def answers(plan: Plan, moments: tuple[tuple[int, ...], ...]) -> list[list[Any]]:
    noisy = NoisyAggregates(tuple((i + 1,) for i in range(len(moments[0]))), moments)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        return [[*row] for row in post_process(plan, noisy, connection).rows]


def shares(accountant: Accountant, groups: int, drawn_scale: Callable[[str], str]) -> list[float]:
    """Return, for each aggregate, how often its interval holds the value without noise."""
    primary = 4 * NANO if accountant is Accountant.PURE_EPS else NANO // 2
    plan = plan_over(groups, PrivacyLoss(accountant, primary, 0))
    exact = [cell.value for cell in answers(plan, tuple((total,) for total in truth()))[0]]
    moments = tuple(
        measurements.draw(claim.loss.accountant, drawn_scale(claim.scale), (total,) * groups)
        for claim, total in zip(plan.measurement.moments, truth(), strict=True)
    )
    held = [0] * len(exact)
    for row in answers(plan, moments):
        for index, (cell, value) in enumerate(zip(row, exact, strict=True)):
            held[index] += cell.lower <= value <= cell.upper
    return [count / groups for count in held]


CASES = [
    pytest.param(400, id="small"),
    pytest.param(2_000, id="large", marks=pytest.mark.long),
]


@pytest.mark.parametrize("accountant", Accountant)
@pytest.mark.parametrize("groups", CASES)
def test_intervals_hold_the_truth_as_often_as_they_say(accountant, groups):
    # of 400 groups five standard errors reach to 89 %, and the upper end says nothing: the twin below does
    lower, upper = (0.92, 0.98) if groups >= 2_000 else (0.89, 1.0)
    for name, share in zip(NAMES, shares(accountant, groups, lambda scale: scale), strict=True):
        assert lower <= share <= upper, name


def rescaled(factor: float) -> Callable[[str], str]:
    return lambda scale: (float.fromhex(scale) * factor).hex()


@pytest.mark.parametrize(
    "accountant",
    [Accountant.PURE_EPS, pytest.param(Accountant.APPROX_ZCDP, marks=pytest.mark.long)],
)
def test_other_noise_than_claimed_is_seen(accountant):
    """The negative twins: with half the noise the intervals are too wide, with 1.6 times the noise too narrow."""
    for name, share in zip(NAMES, shares(accountant, 400, rescaled(0.5)), strict=True):
        assert share > 0.98, name
    for name, share in zip(NAMES, shares(accountant, 400, rescaled(1.6)), strict=True):
        assert share < 0.92, name
