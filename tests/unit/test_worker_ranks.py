"""Order statistics beside the data: rows per bin, neighbours, claims bent by one, and every way a value can be missing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from random import Random

import duckdb
import pytest

from policies.terms import NANO, Accountant, AggregateName, PrivacyLoss
from sandbox.algebra import Call, Literal, Op, TimeUnit
from sandbox.boundary import Failure, IntervalMethod, Mechanism, Moment, Plan, Rank, RankSide
from sandbox.privacy.aggregates import Argument
from sandbox.privacy.ranks import candidates_of
from sandbox.worker.accept import accept
from sandbox.worker.add_noise import add_noise
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process
from sandbox.worker.query import read_columns
from sandbox.worker.render import released_reference
from sandbox.worker.scalars import scalars
from tests.neighbours.pairs import moves_of
from tests.unit.worker_world import (
    BIGINT,
    CENTS,
    COST,
    DATE,
    INCOME,
    PURE,
    SIXTEENTHS,
    TIMESTAMP,
    UNITS,
    WHOLE,
    Row,
    Shape,
    meta_of,
    plan_of,
    snapshot,
    some_rows,
)

HALF = Rank(1, 2, RankSide.POINT, 100)
MEDIAN_COST = (AggregateName.MEDIAN, Argument(COST, None, CENTS, 0, 3_999, HALF))
UPPER_UNITS = (
    AggregateName.QUANTILE_DISC,
    Argument(UNITS, None, WHOLE, -9, 29, Rank(9, 10, RankSide.POINT, 1)),
)
MAX_INCOME = (
    AggregateName.MAX,
    Argument(INCOME, None, SIXTEENTHS, 0, 1_600, Rank(1, 1, RankSide.POINT, 16)),
)
ALL = (MEDIAN_COST, UPPER_UNITS, MAX_INCOME)
ZCDP = PrivacyLoss(Accountant.APPROX_ZCDP, NANO // 2, 0)


def exact(shape: Shape, rows: list[Row], threads: int = 1) -> tuple[tuple[int, ...], ...]:
    with snapshot(rows, threads) as connection:
        return execute(plan_of(shape).measurement, connection).moments


def groups_of(moment: Moment, vector: tuple[int, ...]) -> list[tuple[int, ...]]:
    bins = candidates_of(moment)
    return [vector[start : start + bins] for start in range(0, len(vector), bins)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("bounds", [(1, 1), (3, 2), (100, 9)])
def test_a_unit_moves_scores_as_claimed(seed: int, bounds: tuple[int, int]) -> None:
    """Everybody leaves once, and everything is brought in anew without them."""
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
    """The twin: a unit with as many rows as count, in as many groups as count, all at one end, moves a score as claimed."""
    rows: list[Row] = [
        ("u", region, 1, 99.0, "39.99", 29) for region in ("east", "north") for _ in range(3)
    ]
    rows += [("v", region, 1, 1.0, "0.00", -9) for region in ("east", "north") for _ in range(3)]
    shape = Shape(ALL, rows_per_group_max=3, groups_per_unit_max=2)
    claims = plan_of(shape).measurement.moments
    full, less = exact(shape, rows), exact(shape, [row for row in rows if row[0] != "u"])
    moved = [sum(map(abs, moves_of(*each))) for each in zip(claims, full, less, strict=True)]
    assert [m for m, c in zip(moved, claims, strict=True) if 2 * m <= c.sensitivity_l1] == []


def test_rows_within_the_bound_are_all_counted_in_their_bins() -> None:
    rows = some_rows(3)
    shape = Shape((MEDIAN_COST,), keys=(), rows_per_group_max=1_000, groups_per_unit_max=1)
    counts = exact(shape, rows)[0]
    wanted = [0] * len(counts)
    for row in rows:
        if row[4] is not None:
            cents = min(3_999, max(0, round(float(row[4]) * 100)))
            wanted[cents // 100] += 1
    assert list(counts) == wanted


@pytest.mark.parametrize("most", [1, 2, 5])
def test_of_a_unit_with_more_rows_so_many_count_spread_over_its_own(most: int) -> None:
    rows: list[Row] = [
        ("u", "east", 1, None, f"{cents / 100:.2f}", 0) for cents in range(0, 4_000, 10)
    ]
    shape = Shape((MEDIAN_COST,), keys=(), rows_per_group_max=most, groups_per_unit_max=1)
    counts = exact(shape, rows)[0]
    places = [index for index, count in enumerate(counts) for _ in range(count)]
    assert len(places) == most
    gaps = [b - a for a, b in pairwise(places)]
    assert all(abs(gap - len(counts) / most) <= 1 for gap in gaps)


def test_the_rows_per_bin_do_not_depend_on_threads_or_order() -> None:
    rows = some_rows(5, 60)
    shape = Shape(ALL, rows_per_group_max=2)
    shuffled = Random(1).sample(rows, len(rows))
    assert exact(shape, rows) == exact(shape, shuffled) == exact(shape, rows, threads=4)


def test_nothing_and_nonsense_have_an_answer() -> None:
    nothing: list[Row] = [("u", "east", None, None, None, None)]
    strange: list[Row] = [
        ("u", "east", 1, value, "-7.25", 2**62) for value in (float("nan"), float("inf"), -1e308)
    ]
    for rows in ([], nothing, strange):
        for loss in (PURE, ZCDP):
            plan = plan_of(Shape(ALL, loss=loss))
            release = answered(plan, rows)
            assert {used.mechanism for used in release.noise} == {
                Mechanism.NOISY_MAX,
                *(
                    used.mechanism
                    for used in release.noise
                    if used.mechanism is not Mechanism.NOISY_MAX
                ),
            }
            for row in release.rows:
                for cell in row[1:]:
                    assert cell.value is None or cell.lower <= cell.value <= cell.upper


def answered(plan: Plan, rows: list[Row]):
    with snapshot(rows) as connection:
        found = add_noise(plan.measurement, execute(plan.measurement, connection))
    with snapshot([]) as empty:
        return post_process(plan, found, empty)


def test_equal_values_come_back_whatever_the_noise() -> None:
    rows: list[Row] = [(f"u{i}", "east", 1, 50.0, "20.50", 7) for i in range(3_000)]
    shape = Shape(ALL, keys=(), rows_per_group_max=1, groups_per_unit_max=1)
    median, units, most = answered(plan_of(shape), rows).rows[0]
    assert float(median.value) == pytest.approx(20.5, abs=1) and units.value == 7
    assert most.value == pytest.approx(50.0, abs=1)
    assert (units.lower, units.upper) == (7, 7)


def test_few_rows_say_so_in_the_interval() -> None:
    rows: list[Row] = [(f"u{i}", "east", 1, 50.0, "20.50", 7) for i in range(12)]
    shape = Shape((UPPER_UNITS,), keys=(), rows_per_group_max=1, groups_per_unit_max=1)
    release = answered(plan_of(shape), rows)
    (cell,) = release.rows[0]
    assert release.columns[0].interval is IntervalMethod.RELEASED_RANKS
    assert (cell.lower, cell.upper, cell.deviation) == (-9, 29, None)


def test_a_day_is_made_of_any_number_without_an_error() -> None:
    """Above the release a number may be anything; what is no day of the years 1 to 9999 is NULL."""
    numbers = (0, -1, 2_932_896, 2_932_897, -719_162, -719_163, 2**63 - 1, -(2**63))
    found = {}
    for unit, type_ in ((TimeUnit.DAY, DATE), (TimeUnit.SECOND, TIMESTAMP)):
        for number in numbers:
            rendering = scalars(released_reference, {})
            text = rendering.render(Call(Op.FROM_EPOCH, (Literal(BIGINT, number),), type_, unit))
            with duckdb.connect() as connection:
                ((value,),) = connection.execute(f"SELECT {text}", rendering.parameters).fetchall()
            found[unit, number] = value
    assert found[TimeUnit.DAY, 0] == date(1970, 1, 1)
    assert found[TimeUnit.DAY, 2_932_896] == date(9999, 12, 31)
    assert found[TimeUnit.DAY, -719_162] == date(1, 1, 1)
    assert found[TimeUnit.SECOND, -1] == datetime(1969, 12, 31, 23, 59, 59)
    for unit in (TimeUnit.DAY, TimeUnit.SECOND):
        assert found[unit, 2**63 - 1] is None and found[unit, -(2**63)] is None
    assert found[TimeUnit.DAY, 2_932_897] is None and found[TimeUnit.DAY, -719_163] is None


Edit = Callable[[Plan], Plan]


def moment(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        moments = list(plan.measurement.moments)
        moments[index] = replace(moments[index], **changes)  # type: ignore[arg-type]
        return replace(plan, measurement=replace(plan.measurement, moments=tuple(moments)))

    return edit


def ranked(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        found = plan.measurement.moments[index].rank
        assert found is not None
        return moment(index, rank=replace(found, **changes))(plan)  # type: ignore[arg-type]

    return edit


def aggregate(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        found = list(plan.aggregates)
        found[index] = replace(found[index], **changes)  # type: ignore[arg-type]
        return replace(plan, aggregates=tuple(found))

    return edit


PLAN = plan_of(Shape(ALL))
FIRST = PLAN.measurement.moments[0]
BENT: dict[str, Edit] = {
    "a unit moves less": moment(0, sensitivity_l1=FIRST.sensitivity_l1 - 1),
    "less in square": moment(0, sensitivity_l2_squared=FIRST.sensitivity_l2_squared - 1),
    "fewer rows": moment(0, partial_upper=1),
    "more rows": moment(0, partial_upper=3),
    "negative rows": moment(0, partial_lower=-1),
    "a smaller scale": moment(0, scale=(float.fromhex(FIRST.scale) / 2).hex()),
    "the scale of a sum": moment(0, scale=PLAN.measurement.moments[3].scale),
    "a larger loss": moment(0, loss=PURE),
    "another loss": moment(0, loss=replace(FIRST.loss, primary=FIRST.loss.primary + 1)),
    "no rank": moment(0, rank=None),
    "a rank of a sum": moment(3, rank=FIRST.rank),
    "a steeper fraction": ranked(0, numerator=99, denominator=100),
    "a fraction not in lowest terms": ranked(0, numerator=2, denominator=4),
    "a fraction above 1": ranked(0, numerator=3),
    "no denominator": ranked(0, denominator=0),
    "bins without width": ranked(0, bin_steps=0),
    "too many bins": moment(0, row_upper=2**30, rank=replace(HALF, bin_steps=1)),
    "other bins than its interval": ranked(0, bin_steps=7),
    "an end for the answer": ranked(0, side=RankSide.LOWER),
    "an interval of other values": moment(1, value=INCOME),
    "more groups": lambda plan: replace(
        plan, measurement=replace(plan.measurement, groups_per_unit_max=3)
    ),
    "a maximum for a median": aggregate(0, name=AggregateName.MAX),
    "a median for a maximum": aggregate(2, name=AggregateName.MEDIAN),
    "an upper for a median": aggregate(1, name=AggregateName.MEDIAN),
    "no count": aggregate(0, moments=(0, 1, 2), offsets=(0, 0, 0)),
    "an average of bins": aggregate(0, name=AggregateName.AVG),
    "a count of money": aggregate(0, moments=(0, 1, 2, 4)),
}


def accepted(plan: Plan) -> Failure | None:
    with snapshot([]) as connection:
        return accept(plan, meta_of(plan.loss), read_columns(connection))


def test_the_plan_as_it_is_is_accepted() -> None:
    assert accepted(PLAN) is None
    assert accepted(plan_of(Shape(ALL, loss=ZCDP))) is None


@pytest.mark.parametrize("bent", BENT)
def test_a_claim_bent_by_one_is_refused(bent: str) -> None:
    plan = BENT[bent](PLAN)
    assert plan != PLAN
    assert accepted(plan) is Failure.PLAN_NOT_ACCEPTED
