"""Over grouping sets one person moves each vector at most as far as claimed, and the answer's totals fit."""

import random
from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import pytest

from sandbox.boundary import IntervalMethod, MomentKind, Plan, Release
from sandbox.privacy import grouping
from sandbox.privacy.contribution import Reach
from sandbox.privacy.grouping import sets_of
from sandbox.worker import set_totals
from sandbox.worker.add_noise import NoisyAggregates, add_noise
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.keys import TooManyKeys
from sandbox.worker.post_process import post_process
from sandbox.worker.twin import diagnose
from tests.unit.set_world import CUBE, KEYS, ROLLUP, SHAPE, set_plan
from tests.unit.test_worker_neighbours import claims, holds, moves
from tests.unit.worker_world import (
    COUNT_ROWS,
    REGIONS,
    SUM_UNITS,
    ZCDP,
    Row,
    Shape,
    snapshot,
    some_rows,
)

LIMITS = EngineLimits(memory_bytes=256 << 20, threads=1)


def spread_rows() -> list[Row]:
    """Return one unit in every group of every set with the largest partials, and light ones around it."""
    rows: list[Row] = [
        ("m", region, code, 1.0, cost, 10**6)
        for region in (*REGIONS, None)
        for code in (0, 1, 2)
        for cost in ("99.00", "1.00", None)
        for _ in range(3)
    ]
    return rows + [(unit, "east", 0, 1.0, "1.00", 1) for unit in "abxy"]


def exact(plan: Plan, rows: list[Row]) -> ExactAggregates:
    with snapshot(rows) as connection:
        return execute(plan.measurement, connection)


def answer(plan: Plan, noisy: NoisyAggregates) -> Release:
    with open_empty(LIMITS) as connection:
        return post_process(plan, noisy, connection)


def without_noise(plan: Plan, rows: list[Row]) -> Release:
    found = exact(plan, rows)
    return answer(plan, NoisyAggregates(found.keys, found.moments, found.sizes))


def values(release: Release) -> list[tuple[object, ...]]:
    return [tuple(cell.value for cell in row) for row in release.rows]


# ---- how far one person moves a set


@pytest.mark.parametrize("seed", range(4))
def test_no_unit_moves_a_set_further_than_claimed(seed: int) -> None:
    dice = random.Random(seed)
    shape = replace(
        SHAPE,
        rows_per_group_max=dice.randrange(1, 4),
        groups_per_unit_max=dice.randrange(1, 9),
        loss=dice.choice((SHAPE.loss, ZCDP)),
    )
    sets = tuple(dice.sample(CUBE, 3)) if seed % 2 else CUBE
    if not {0, 1, 2} <= {key for keys in sets for key in keys}:
        sets = CUBE
    assert holds(set_plan(shape, sets).measurement, some_rows(200 + seed, 8))


@pytest.mark.parametrize("groups", [1, 3, 45])
def test_the_claims_of_the_finest_set_and_the_total_are_attained(groups: int) -> None:
    """All kept groups of a unit lie in the one group of (): noise for less would be a lie, for more a waste."""
    plan = set_plan(replace(SHAPE, groups_per_unit_max=groups), ((0, 1, 2), ()))
    found, claimed = moves(plan.measurement, spread_rows()), claims(plan.measurement)
    if (
        groups == 45
    ):  # as many as there are: the claim counts one value more for the column that may be NULL
        assert all(l1 <= c1 and l2 <= c2 for (l1, l2), (c1, c2) in zip(found, claimed, strict=True))
        return
    assert found == claimed


def test_a_set_in_between_is_attained_when_its_groups_are_full() -> None:
    """One region, six groups in it, all of them kept: the region moves by all six."""
    rows: list[Row] = [
        ("m", "east", code, 1.0, cost, 10**6)
        for code in (0, 1, 2)
        for cost in ("99.00", "1.00")
        for _ in range(2)
    ]
    shape = Shape(aggregates=(COUNT_ROWS, SUM_UNITS), keys=KEYS, groups_per_unit_max=6)
    plan = set_plan(shape, ((0, 1, 2), (0,)))
    assert moves(plan.measurement, rows) == claims(plan.measurement)


def test_the_reach_of_the_finest_set_is_too_short_for_a_total() -> None:
    """The counterexample: claims that forget that kept groups fall together do not hold."""

    def forgetful(keys: object, most: int, chosen: object) -> Reach:
        return Reach(most, 1, most)

    plan = set_plan(SHAPE, ((0, 1, 2), (0,), ()))
    with patch("tests.unit.set_world.reach_of", forgetful):
        wrong = set_plan(SHAPE, ((0, 1, 2), (0,), ()))
    assert holds(plan.measurement, spread_rows())
    assert not holds(wrong.measurement, spread_rows())


def test_presences_that_are_added_up_move_a_total_too_far() -> None:
    """The counterexample: a person in four groups of a region is one person of it."""
    plan = set_plan(SHAPE, ((0, 1, 2), ()))
    original = set_totals._totals

    def added(*arguments: object) -> str:
        return original(*arguments).replace("max(p", "sum(p")  # type: ignore[arg-type]

    with patch.object(set_totals, "_totals", added):
        assert not holds(plan.measurement, spread_rows())


def test_the_declared_sizes_are_never_below_the_real_ones() -> None:
    found = exact(set_plan(), spread_rows())
    assert all(
        real <= grouping.values_at_most(key) for real, key in zip(found.sizes, KEYS, strict=True)
    )


# ---- the answer


def test_exact_totals_are_the_sums_of_their_parts() -> None:
    plan = set_plan(sets=ROLLUP)
    found = exact(plan, some_rows(1, 40))
    sets = sets_of(plan.measurement)
    finest = found.moments[0]
    for each in sets:
        place = each.moments[0]
        assert place is not None
        assert sum(found.moments[place]) == sum(finest)


@pytest.mark.parametrize("unmeasured", [frozenset(), frozenset(CUBE[1:])])
def test_the_answer_without_noise_is_plain_sql(unmeasured: frozenset[tuple[int, ...]]) -> None:
    wide = replace(SHAPE, rows_per_group_max=10_000, groups_per_unit_max=100)
    rows = [row for row in some_rows(2, 30) if row[1] != "nowhere"]
    rows = [
        (*row[:2], row[2] % 3 if row[2] is not None else 0, *row[3:5], abs(row[5] or 0) % 9)
        for row in rows
    ]
    release = without_noise(set_plan(wide, unmeasured=unmeasured), rows)
    with snapshot(rows) as connection:
        plain = connection.execute(
            "SELECT region, code, cost > 10 AS dear, grouping(region, code, dear), count(*),"
            " count(DISTINCT _ky_unit), sum(units) FROM visits GROUP BY CUBE (region, code, dear)"
        ).fetchall()
    ours = Counter(row for row in values(release) if row[4])
    assert ours == Counter(row for row in plain if row[4])
    assert all(row[4:] == (0, 0, 0) for row in values(release) if not row[4])


@pytest.mark.parametrize("loss", [SHAPE.loss, ZCDP])
@pytest.mark.parametrize("unmeasured", [frozenset(), frozenset({(0, 1), (0,), ()})])
def test_noisy_counts_and_sums_add_up(loss: object, unmeasured: frozenset[tuple[int, ...]]) -> None:
    plan = set_plan(replace(SHAPE, loss=loss), ROLLUP, unmeasured)  # type: ignore[arg-type]
    release = answer(plan, add_noise(plan.measurement, exact(plan, some_rows(3, 40))))
    for column in (4, 6):
        totals: dict[tuple[object, ...], list[int]] = {}
        for region, _code, _dear, level, *rest in values(release):
            value = int(str(rest[column - 4]))
            totals.setdefault((level, region if level != 7 else None), []).append(value)
            if level == 0:
                totals.setdefault(("parts", region), []).append(value)
        for region in (*REGIONS, None):
            assert sum(totals["parts", region]) == sum(totals[3, region])
        assert sum(sum(v) for (level, _), v in totals.items() if level == 3) == totals[7, None][0]


def test_a_repeated_set_repeats_its_rows_and_their_noise() -> None:
    plan = set_plan(SHAPE, ROLLUP, shown=(3, 2, 2, 0))
    found = values(answer(plan, add_noise(plan.measurement, exact(plan, some_rows(4, 20)))))
    assert found[0][:4] == (None, None, None, 7)
    assert found[1:6] == found[6:11]
    assert len(found) == 1 + 5 + 5 + 45


def test_the_intervals_say_how_they_were_found() -> None:
    plan = set_plan(sets=ROLLUP)
    release = answer(plan, add_noise(plan.measurement, exact(plan, some_rows(5, 20))))
    methods = [column.interval for column in release.columns]
    assert methods == [*[IntervalMethod.NONE] * 4, *[IntervalMethod.RECONCILED_NOISE_LAW] * 3]
    deviations = {(row[3].value, row[4].deviation) for row in release.rows}
    assert len(deviations) == len(ROLLUP)  # one error law for each set


def test_more_rows_than_a_release_holds_are_refused() -> None:
    plan = set_plan(SHAPE, ROLLUP, shown=(0,) * 60)
    with patch("sandbox.worker.set_cells.KEYS_MAX", 45 * 59), pytest.raises(TooManyKeys):
        without_noise(plan, some_rows(6, 5))
    with patch("sandbox.worker.set_totals.KEYS_MAX", 60), pytest.raises(TooManyKeys):
        exact(plan, some_rows(6, 5))


def test_the_twin_rehearses_sets_and_counts_repeated_rows() -> None:
    plan = set_plan(SHAPE, ROLLUP, shown=(0, 0, 3))
    with open_empty(LIMITS) as rows, open_empty(LIMITS) as released:
        found = diagnose(plan, rows, released)
    assert (found.code.value, found.keys) == ("ready", 45 + 45 + 1)


def test_sets_of_few_sums_are_measured_in_one_pass_over_units() -> None:
    """Only presences need the units of a coarse group one by one."""
    shape = Shape(aggregates=(COUNT_ROWS, SUM_UNITS), keys=KEYS, groups_per_unit_max=2)
    plan = set_plan(shape, ROLLUP)
    text = set_totals._totals(plan.measurement, plan.measurement.sets[1], [0, 1], "t", (5, 3, 3))
    assert "GROUP BY u" not in text
    assert all(m.kind is MomentKind.SUM for m in plan.measurement.moments)
