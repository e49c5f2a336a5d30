"""Over grouping sets a 95 % interval holds the truth 92 to 98 times in 100, in every set and of every kind of column.

Statistic   Bare totals: for each set and moment, the share of cells within the half-width of their error law, over DRAWS
            draws of all noise. Expressions: the share of all cells whose interval holds the value without noise.
Threshold   92 and 98 %. The least set has one cell, so DRAWS independent ones: at a true coverage of 95 % a share outside is
            a deviation of 5 standard errors, a false alarm below 1e-6. Noise in steps is coarse: whole half-widths of
            deviations under 5 steps may hold more.
Power       With noise of 1.6 times the scale the intervals were made for, every share must fall below 92 %.
"""

from collections.abc import Callable
from math import prod

import pytest

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.algebra import AggregateRef, Call, Expr, Literal, Op
from sandbox.boundary import Plan
from sandbox.privacy import measurements
from sandbox.privacy.consistency import Keys
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process
from sandbox.worker.set_cells import cells_of, error_laws
from tests.unit.set_world import CUBE, KEYS, ROLLUP, set_plan
from tests.unit.worker_world import (
    BIGINT,
    COUNT_ROWS,
    COUNT_UNITS,
    DOUBLE,
    HUGEINT,
    SUM_UNITS,
    Shape,
    snapshot,
    some_rows,
    with_post,
)

pytestmark = pytest.mark.statistical

DRAWS = 1_500
ALPHA = 0.05
COARSE = 5.0
LIMITS = EngineLimits(memory_bytes=256 << 20, threads=1)
ROWS = some_rows(77, 300)
NOTHING: frozenset[Keys] = frozenset()

Louder = Callable[[str], str]


def plan_over(loss: PrivacyLoss, sets: tuple[Keys, ...], unmeasured: frozenset[Keys]) -> Plan:
    shape = Shape(
        aggregates=(COUNT_ROWS, COUNT_UNITS, SUM_UNITS),
        keys=KEYS,
        rows_per_group_max=1,
        groups_per_unit_max=2,
        loss=loss,
    )
    return set_plan(shape, sets, unmeasured)


def measured(plan: Plan) -> NoisyAggregates:
    with snapshot(ROWS) as rows:
        exact = execute(plan.measurement, rows)
    return NoisyAggregates(exact.keys, exact.moments, exact.sizes)


def drawn(plan: Plan, exact: NoisyAggregates, louder: Louder) -> NoisyAggregates:
    moments = tuple(
        measurements.draw(claim.loss.accountant, louder(claim.scale), totals)
        for claim, totals in zip(plan.measurement.moments, exact.moments, strict=True)
    )
    return NoisyAggregates(exact.keys, moments, exact.sizes)


def shares(plan: Plan, louder: Louder, draws: int) -> dict[tuple[int, int], float]:
    """Return, for each set and moment, how often the half-width holds the error of a cell."""
    exact = measured(plan)
    laws = error_laws(plan, exact.sizes)
    truth = cells_of(plan, exact).moments
    held = {(s, m): 0 for s in range(len(laws)) for m in range(len(laws[0]))}
    widths = {place: laws[place[0]][place[1]].half_width(ALPHA) for place in held}
    for _ in range(draws):
        cells = cells_of(plan, drawn(plan, exact, louder))
        for moment, (found, true) in enumerate(zip(cells.moments, truth, strict=True)):
            for of_set, a, b in zip(cells.sets, found, true, strict=True):
                held[of_set, moment] += abs(a - b) <= widths[of_set, moment]
    groups = [prod(exact.sizes[key] for key in each.keys) for each in plan.measurement.sets]
    return {place: count / (draws * groups[place[0]]) for place, count in held.items()}


PURE = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
RHO = PrivacyLoss(Accountant.APPROX_ZCDP, NANO // 20, 0)
CASES = [
    pytest.param(PURE, ROLLUP, NOTHING, id="laplace-rollup"),
    pytest.param(RHO, ROLLUP, NOTHING, id="gaussian-rollup"),
    pytest.param(PURE, ROLLUP, frozenset(ROLLUP[1:]), id="laplace-parts-only"),
    pytest.param(RHO, CUBE, frozenset({(0, 1), (2,)}), id="gaussian-cube", marks=pytest.mark.long),
    pytest.param(PURE, CUBE, NOTHING, id="laplace-cube", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("loss", "sets", "unmeasured"), CASES)
def test_half_widths_hold_the_error_as_often_as_they_say(
    loss: PrivacyLoss, sets: tuple[Keys, ...], unmeasured: frozenset[Keys]
) -> None:
    plan = plan_over(loss, sets, unmeasured)
    laws = error_laws(plan, measured(plan).sizes)
    for (of_set, moment), share in shares(plan, lambda scale: scale, DRAWS).items():
        coarse = laws[of_set][moment].deviation < COARSE
        assert 0.92 <= share, (of_set, moment)
        assert share <= 0.98 or coarse, (of_set, moment)


def test_more_noise_than_claimed_is_seen() -> None:
    """The negative twin: the intervals of a claim that is too small do not hold."""
    louder = shares(
        plan_over(PURE, ROLLUP, NOTHING), lambda scale: (float.fromhex(scale) * 1.6).hex(), 500
    )
    assert all(share < 0.92 for share in louder.values())


def over_cells(plan: Plan) -> Plan:
    count, units, whole = (
        AggregateRef(index, found.type) for index, found in enumerate(plan.aggregates)
    )
    line = Call(Op.SUB, (Call(Op.MUL, (count, Literal(BIGINT, 3)), HUGEINT), whole), HUGEINT)
    part = Call(Op.MUL, (Call(Op.CAST, (whole,), DOUBLE), Literal(DOUBLE, 0.25)), DOUBLE)
    outputs: tuple[Expr, ...] = (units, line, part)
    return with_post(plan, *outputs)


def test_intervals_of_expressions_hold_in_every_set() -> None:
    plan = over_cells(plan_over(RHO, ROLLUP, NOTHING))
    exact = measured(plan)
    held = [0, 0, 0]
    draws = 60
    with open_empty(LIMITS) as released:
        truth = [[c.value for c in row] for row in post_process(plan, exact, released).rows]
        for _ in range(draws):
            noisy = drawn(plan, exact, lambda scale: scale)
            for row, true in zip(post_process(plan, noisy, released).rows, truth, strict=True):
                for index, (cell, value) in enumerate(zip(row, true, strict=True)):
                    held[index] += cell.lower <= value <= cell.upper  # type: ignore[operator]
    assert all(0.92 <= count / (draws * len(truth)) <= 0.98 for count in held)
