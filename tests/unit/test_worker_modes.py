"""Modes beside the data: neighbours, the law of the choice, claims bent by one, and rows that are no choice."""

from collections import Counter
from dataclasses import replace

import pytest
from scipy import stats

from policies.terms import NANO, Accountant, AggregateName, PrivacyLoss, Scalar
from sandbox.algebra import AggregateRef, Call, Literal, Op
from sandbox.boundary import Failure, IntervalMethod, Plan, RankSide, Release, StepBase
from sandbox.privacy.aggregates.mode import choice_among
from sandbox.privacy.ranks import CHOICES_MAX, scores
from sandbox.worker.accept import accept
from sandbox.worker.add_noise import add_noise
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.post_process import post_process
from sandbox.worker.query import read_columns
from tests.neighbours.pairs import moves_of
from tests.unit.test_privacy_ranks import law
from tests.unit.test_worker_ranks import Edit, aggregate, moment, ranked
from tests.unit.worker_world import (
    BIGINT,
    CODE,
    PURE,
    REGION,
    REGIONS,
    UNITS,
    Row,
    Shape,
    meta_of,
    plan_of,
    snapshot,
    some_rows,
    with_post,
)

OF_REGIONS = (AggregateName.MODE, choice_among(REGION, None, REGIONS))
OF_UNITS = (AggregateName.MODE, choice_among(UNITS, None, tuple(range(-9, 30))))
OF_CODES = (AggregateName.MODE, choice_among(CODE, None, (1, 2, 3, 4, 5)))
ALL = (OF_UNITS, OF_CODES, OF_REGIONS)
RHO = PrivacyLoss(Accountant.APPROX_ZCDP, NANO // 2, 0)


def exact(shape: Shape, rows: list[Row], threads: int = 1) -> tuple[tuple[int, ...], ...]:
    with snapshot(rows, threads) as connection:
        return execute(plan_of(shape).measurement, connection).moments


def answered(plan: Plan, rows: list[Row]) -> Release:
    with snapshot(rows) as connection:
        found = add_noise(plan.measurement, execute(plan.measurement, connection))
    with snapshot([]) as empty:
        return post_process(plan, found, empty)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("bounds", [(1, 1), (3, 2), (100, 9)])
def test_a_unit_moves_scores_as_claimed(seed: int, bounds: tuple[int, int]) -> None:
    per_group, groups = bounds
    shape = Shape(ALL, rows_per_group_max=per_group, groups_per_unit_max=groups)
    rows = some_rows(seed, 8)
    claims = plan_of(shape).measurement.moments
    full = exact(shape, rows)
    for unit in sorted({row[0] for row in rows}):
        less = exact(shape, [row for row in rows if row[0] != unit])
        for claim, here, there in zip(claims, full, less, strict=True):
            moves = moves_of(claim, here, there)
            assert sum(map(abs, moves)) <= claim.sensitivity_l1
            assert sum(move * move for move in moves) <= claim.sensitivity_l2_squared


def test_half_the_sensitivity_does_not_hold() -> None:
    """The twin: somebody whose rows all hold one value, where another value has more, moves that score as claimed."""
    places = ("east", "north")
    rows: list[Row] = [("u", region, 1, None, None, 1) for region in places for _ in range(3)]
    rows += [
        (f"v{n}", region, 2, None, None, 2) for region in places for n in range(9) for _ in range(3)
    ]
    shape = Shape((OF_UNITS, OF_CODES), rows_per_group_max=3, groups_per_unit_max=2)
    claims = plan_of(shape).measurement.moments
    full, less = exact(shape, rows), exact(shape, [row for row in rows if row[0] != "u"])
    for claim, here, there in zip(claims, full, less, strict=True):
        assert sum(map(abs, moves_of(claim, here, there))) == claim.sensitivity_l1


def test_rows_within_the_bound_are_counted_by_value_and_others_not_at_all() -> None:
    rows = some_rows(3)
    shape = Shape(ALL, keys=(), rows_per_group_max=1_000, groups_per_unit_max=1)
    found = exact(shape, rows)
    units, known, codes, _, regions, _ = found
    assert list(units) == [sum(row[5] == value for row in rows) for value in range(-9, 30)]
    assert list(codes) == [sum(row[2] == value for row in rows) for value in range(1, 6)]
    assert list(regions) == [sum(row[1] == region for row in rows) for region in REGIONS]
    assert known == (sum(row[5] is not None for row in rows),)
    assert exact(shape, rows[::-1], threads=4) == found


@pytest.mark.parametrize("most", [1, 2, 5])
def test_of_a_unit_with_more_rows_so_many_count(most: int) -> None:
    rows: list[Row] = [("u", "east", n % 5 + 1, None, None, n % 39 - 9) for n in range(400)]
    shape = Shape(ALL, keys=(), rows_per_group_max=most, groups_per_unit_max=1)
    found = exact(shape, rows)
    assert [sum(found[index]) for index in (0, 2, 4)] == [most] * 3


def test_what_nearly_everybody_has_comes_back_without_an_interval() -> None:
    rows: list[Row] = [(f"u{i}", "north", 3, None, None, 7) for i in range(3_000)]
    shape = Shape(ALL, keys=(), rows_per_group_max=1, groups_per_unit_max=1)
    for loss in (PURE, RHO):
        plan = plan_of(replace(shape, loss=loss))
        release = answered(plan, rows)
        assert [cell.value for cell in release.rows[0]] == [7, 3, "north"]
        for column, cell in zip(release.columns, release.rows[0], strict=True):
            assert column.interval is IntervalMethod.NONE
            assert (cell.lower, cell.upper, cell.deviation) == (None, None, None)
        above = with_post(plan, Call(Op.ADD, (AggregateRef(0, BIGINT), Literal(BIGINT, 1)), BIGINT))
        assert answered(above, rows).columns[0].interval is IntervalMethod.NONE


def test_nobody_and_nobody_declared_have_an_answer_or_null() -> None:
    """NULL follows the sign of a noisy count, so both come up where nobody is."""
    strange: list[Row] = [("u", "nowhere", 99, None, None, 2**62)]
    for rows in ([], strange):
        plan = plan_of(Shape(ALL, keys=(), rows_per_group_max=1, groups_per_unit_max=1))
        found = [[cell.value for cell in answered(plan, rows).rows[0]] for _ in range(30)]
        regions: set[Scalar] = {row[2] for row in found}
        assert None in regions and regions <= {None, *REGIONS} and len(regions) > 2
        assert {row[1] for row in found} <= {None, 1, 2, 3, 4, 5}


@pytest.mark.statistical
@pytest.mark.parametrize("loss", [PURE, RHO])
def test_choices_follow_the_law_and_half_the_scale_does_not(loss: PrivacyLoss) -> None:
    """Chi-square over five values, from rows per value to the choice; each assertion has a false alarm of 1e-9."""
    plan = plan_of(
        Shape((OF_CODES,), keys=(), rows_per_group_max=1, groups_per_unit_max=1, loss=loss)
    )
    counts, draws = (20, 19, 17, 17, 14), 4_000
    claim = plan.measurement.moments[0]
    assert claim.rank is not None
    weighed = law(loss.accountant, scores(counts, claim.rank, 0), float.fromhex(claim.scale))
    expected = [draws * share for share in weighed]

    def p_value(spent: Plan) -> float:
        exact_ = ExactAggregates(((),), (counts, (sum(counts),)))
        seen = Counter(add_noise(spent.measurement, exact_).moments[0][0] for _ in range(draws))
        return float(stats.chisquare([seen[i] for i in range(5)], expected).pvalue)

    twice = PrivacyLoss(loss.accountant, loss.primary * (2 if loss is PURE else 4), 0)
    halved = plan_of(
        Shape((OF_CODES,), keys=(), rows_per_group_max=1, groups_per_unit_max=1, loss=twice)
    )
    assert p_value(plan) > 1e-9
    assert p_value(halved) < 1e-9


PLAN = plan_of(Shape(ALL))
FIRST = PLAN.measurement.moments[0]
BENT: dict[str, Edit] = {
    "a unit moves less": moment(0, sensitivity_l1=FIRST.sensitivity_l1 - 1),
    "less in square": moment(0, sensitivity_l2_squared=FIRST.sensitivity_l2_squared - 1),
    "fewer rows": moment(0, partial_upper=1),
    "more rows": moment(0, partial_upper=3),
    "a smaller scale": moment(0, scale=(float.fromhex(FIRST.scale) / 2).hex()),
    "another loss": moment(0, loss=replace(FIRST.loss, primary=FIRST.loss.primary + 1)),
    "a fraction": ranked(0, numerator=1),
    "half a row": ranked(0, denominator=2),
    "a rank of its choices": ranked(0, side=RankSide.POINT),
    "no choices": ranked(0, choices=()),
    "a choice twice": ranked(2, choices=(1, 2, 3, 4, 4)),
    "no value": ranked(2, choices=(1, 2, 3, 4, None)),
    "a choice less": ranked(2, choices=(1, 2, 3, 4)),
    "a choice more": ranked(2, choices=(1, 2, 3, 4, 5, 6)),
    "wide bins": ranked(2, bin_steps=2),
    "places in tenths": moment(2, step_exponent=1),
    "places in halves": moment(2, step_base=StepBase.TWO),
    "places from one on": moment(2, row_lower=1, row_upper=5),
    "too many": moment(
        2,
        row_upper=CHOICES_MAX,
        rank=replace(FIRST.rank, choices=tuple(range(CHOICES_MAX + 1))),  # type: ignore[type-var]
    ),
    "choices of a sum": moment(1, rank=FIRST.rank),
    "more groups": lambda plan: replace(
        plan, measurement=replace(plan.measurement, groups_per_unit_max=3)
    ),
    "a minimum for a mode": aggregate(0, name=AggregateName.MIN),
    "no count": aggregate(0, moments=(0,), offsets=(0,)),
    "another type": aggregate(2, type=BIGINT),
}


def accepted(plan: Plan) -> Failure | None:
    with snapshot([]) as connection:
        return accept(plan, meta_of(plan.loss), read_columns(connection))


def test_the_plan_as_it_is_is_accepted() -> None:
    assert accepted(PLAN) is None
    assert accepted(plan_of(Shape(ALL, loss=RHO))) is None


@pytest.mark.parametrize("bent", BENT)
def test_a_claim_bent_by_one_is_refused(bent: str) -> None:
    plan = BENT[bent](PLAN)
    assert plan != PLAN
    assert accepted(plan) is Failure.PLAN_NOT_ACCEPTED


def test_each_of_many_choices_comes_back_as_it_is() -> None:
    """The comparisons above the release tell all choices apart, the first and the last too."""
    whole = (AggregateName.MODE, choice_among(UNITS, None, tuple(range(CHOICES_MAX))))
    plan = plan_of(Shape((whole,), keys=(), rows_per_group_max=1, groups_per_unit_max=1))
    assert accepted(plan) is None
    for value in (0, 1, 511, 512, CHOICES_MAX - 1):
        rows: list[Row] = [(f"u{i}", None, None, None, None, value) for i in range(2_000)]
        assert answered(plan, rows).rows[0][0].value == value
