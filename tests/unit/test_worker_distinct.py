"""Counts of distinct values: exact where no bound cuts, moved by one person at most as far as claimed where one does."""

import random
from dataclasses import replace
from unittest.mock import patch

import pytest

from policies.terms import AggregateName, Scalar
from sandbox.algebra import Call, Literal, Op
from sandbox.boundary import MomentKind, StepBase
from sandbox.privacy.aggregates import Argument
from sandbox.worker import distinct
from sandbox.worker.execute import execute
from tests.unit.selection_world import private_plan
from tests.unit.test_worker_accept import Edit, accepted, measured
from tests.unit.test_worker_neighbours import claims, holds, moves
from tests.unit.worker_world import (
    BOOLEAN,
    CODE,
    COST,
    INCOME,
    REGION,
    REGIONS,
    UNITS,
    WHOLE,
    ZCDP,
    Row,
    Shape,
    plan_of,
    run,
    snapshot,
    some_rows,
)

CHEAP = Call(Op.LT, (UNITS, Literal(UNITS.type, 5)), BOOLEAN)


def counting(*values, condition=None):
    return tuple(
        (AggregateName.COUNT_DISTINCT, Argument(value, condition, WHOLE, 0, 1)) for value in values
    )


EVERY = counting(REGION, CODE, INCOME, COST, UNITS) + counting(CODE, condition=CHEAP)
FEW = Shape(aggregates=counting(CODE, INCOME), rows_per_group_max=2, groups_per_unit_max=2)


@pytest.mark.parametrize("seed", range(3))
def test_without_bounds_the_counts_are_plain_duckdbs(seed):
    rows = [*some_rows(seed), ("z", "east", 1, -0.0, None, 0), ("z", "east", 1, 0.0, None, 0)]
    found = run(Shape(aggregates=EVERY, rows_per_group_max=1000, groups_per_unit_max=100), rows)
    with snapshot(rows) as connection:
        plain = connection.execute(
            "SELECT region, count(DISTINCT region), count(DISTINCT code), count(DISTINCT income),"
            " count(DISTINCT cost), count(DISTINCT units), count(DISTINCT code) FILTER (units < 5)"
            " FROM visits GROUP BY region"
        ).fetchall()
    by_region = {region: tuple(counts) for region, *counts in plain}
    for place, (region,) in enumerate(found.keys):
        assert tuple(v[place] for v in found.moments) == by_region.get(region, (0,) * 6)


@pytest.mark.parametrize("seed", range(4))
def test_no_unit_moves_a_count_further_than_claimed(seed):
    dice = random.Random(seed)
    shape = Shape(
        aggregates=EVERY,
        rows_per_group_max=dice.randrange(1, 4),
        groups_per_unit_max=dice.randrange(1, 6),
        loss=dice.choice((Shape().loss, ZCDP)),
    )
    assert holds(plan_of(shape).measurement, some_rows(200 + seed, 9))


def heavy_rows() -> list[Row]:
    """Return one unit with values of its own in every group, and others who share theirs."""
    rows: list[Row] = [
        ("m", region, 100 + 10 * place + i, 0.5 + i, None, 0)
        for place, region in enumerate(REGIONS)
        for i in range(6)
    ]
    rows += [
        (unit, region, i, 1.0, None, 0) for unit in "abyz" for region in REGIONS for i in range(4)
    ]
    return rows


@pytest.mark.parametrize(("groups", "most"), [(1, 1), (2, 3), (4, 6), (3, 9)])
def test_the_claim_is_attained(groups, most):
    shape = Shape(aggregates=counting(CODE), rows_per_group_max=most, groups_per_unit_max=groups)
    ((l1, l2),) = moves(plan_of(shape).measurement, heavy_rows())
    ((claimed_l1, claimed_l2),) = claims(plan_of(shape).measurement)
    own = min(most, 6)
    assert (l1, l2) == (groups * own, groups * own**2)
    assert (l1, l2) == (claimed_l1, claimed_l2) or most > 6


def test_a_unit_keeps_the_same_values_whoever_else_is_there():
    measurement = plan_of(FEW).measurement
    kept = []
    for rows in (heavy_rows(), [row for row in heavy_rows() if row[0] != "a"]):
        with snapshot(rows) as connection:
            execute(measurement, connection)
            kept.append(
                connection.execute("SELECT x FROM _ky_kept0 WHERE x >= 100 ORDER BY x").fetchall()
            )
    assert kept[0] == kept[1] and len(kept[0]) == 2 * 2


def without_choice(index, moment, kept, connection):
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _ky_kept{index} AS"
        f" SELECT g, unnest(x{index}) AS x FROM {kept}"
    )


def one_too_many(original):
    return lambda index, moment, *rest: original(
        index, replace(moment, partial_upper=moment.partial_upper + 1), *rest
    )


def by_number_of_people(original):
    def keep(index, moment, kept, connection):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE _ky_units AS SELECT code, unit_key ||"
            " encode((SELECT count(*) FROM memory.main._ky_units)::VARCHAR) AS unit_key"
            " FROM memory.main._ky_units"
        )
        original(index, moment, kept, connection)

    return keep


MISTAKES = {
    "no choice": lambda _: without_choice,
    "one value too many": one_too_many,
    "chosen by the number of people": by_number_of_people,
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake):
    # values are shared, so that a new draw of everybody's choice shows
    rows: list[Row] = [
        (f"u{unit}", region, 3 * unit + value, 1.0, None, 0)
        for unit in range(16)
        for region in REGIONS
        for value in range(9)
    ]
    rows += [("m", region, 1_000 + value, 1.0, None, 0) for region in REGIONS for value in range(9)]
    shape = Shape(aggregates=counting(CODE), rows_per_group_max=2, groups_per_unit_max=4)
    measurement = plan_of(shape).measurement
    assert holds(measurement, rows)
    spoiled = MISTAKES[mistake](vars(distinct)["_keep_values"])
    with patch.object(distinct, "_keep_values", spoiled):
        assert not holds(measurement, rows)


PLAN = plan_of(FEW)
BENT: dict[str, dict[str, object]] = {
    "a row that brings two values": {"row_upper": 2},
    "a row that takes one away": {"row_lower": -1},
    "a partial below 0": {"partial_lower": -1},
    "more values for the same noise": {"partial_upper": 3},
    "fewer values than the noise": {"partial_upper": 1},
    "another l1": {"sensitivity_l1": 3},
    "another l2": {"sensitivity_l2_squared": 7},
    "a presence": {"kind": MomentKind.PRESENCE},
    "steps of another size": {"step_exponent": 1},
    "steps of another base": {"step_base": StepBase.TWO},
    "half the noise": {"scale": (float.fromhex(PLAN.measurement.moments[0].scale) / 2).hex()},
}


def bent(changes: dict[str, object]) -> Edit:
    first, *rest = PLAN.measurement.moments
    return measured(moments=(replace(first, **changes), *rest))  # type: ignore[arg-type]


def test_the_untouched_plan_is_accepted():
    assert accepted(PLAN) is None


@pytest.mark.parametrize("claim", BENT)
def test_a_bent_claim_is_refused(claim):
    assert accepted(bent(BENT[claim])(PLAN)) is not None


# ---- over groups that nobody declared


def over_present(shape: Shape, rows: list[Row]) -> dict[tuple[Scalar, ...], tuple[int, ...]]:
    with snapshot(rows) as connection:
        exact = execute(private_plan(shape, REGION).measurement, connection)
    return {key: tuple(v[place] for v in exact.moments) for place, key in enumerate(exact.keys)}


def test_over_undeclared_groups_the_counts_are_plain_duckdbs_too():
    rows = some_rows(7)
    shape = Shape(aggregates=EVERY, rows_per_group_max=1000, groups_per_unit_max=100)
    with snapshot(rows) as connection:
        plain = connection.execute(
            "SELECT region, count(DISTINCT region), count(DISTINCT code), count(DISTINCT income),"
            " count(DISTINCT cost), count(DISTINCT units), count(DISTINCT code) FILTER (units < 5)"
            " FROM visits GROUP BY region"
        ).fetchall()
    assert over_present(shape, rows) == {(region,): tuple(counts) for region, *counts in plain}


def test_over_undeclared_groups_no_unit_moves_a_count_further_than_claimed():
    rows = heavy_rows()
    full = over_present(FEW, rows)
    for unit in ("m", "a"):
        less = over_present(FEW, [row for row in rows if row[0] != unit])
        for index, claim in enumerate(private_plan(FEW, REGION).measurement.moments):
            moves = [full[key][index] - less.get(key, (0, 0))[index] for key in full]
            assert sum(move**2 for move in moves) <= claim.sensitivity_l2_squared
