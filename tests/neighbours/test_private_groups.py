"""Neighbours over groups that nobody declared: what one unit moves, and named bugs that must be seen.

A group that only one of the two databases has may have no unit but the one that left (its showing is what delta pays
for); all others must be in both, and their counts, and those of the moments, move as claimed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import duckdb
import pytest

from sandbox.boundary import Measurement, Plan
from sandbox.worker import execute, present_keys
from sandbox.worker.execute import ExactAggregates
from sandbox.worker.present_keys import Present, PresentTotals
from tests.unit.selection_world import private_plan
from tests.unit.worker_world import (
    AVG_INCOME,
    CODE,
    COUNT_ROWS,
    COUNT_UNITS,
    REGION,
    SUM_COST,
    Row,
    Shape,
    snapshot,
    some_rows,
)

Found = Mapping[tuple[object, ...], tuple[int, ...]]
SHAPE = Shape(
    aggregates=(COUNT_ROWS, COUNT_UNITS, SUM_COST, AVG_INCOME),
    rows_per_group_max=2,
    groups_per_unit_max=2,
)
SEEDS = range(6)


def measured(plan: Plan, rows: list[Row]) -> Found:
    """Return the number of units and the totals of each present group."""
    with snapshot(rows) as connection:
        exact: ExactAggregates = execute.execute(plan.measurement, connection)
    assert exact.present is not None
    vectors = (exact.present.units, *exact.moments)
    return {key: tuple(vector[i] for vector in vectors) for i, key in enumerate(exact.keys)}


def told_apart(plan: Plan, full: Found, less: Found) -> list[str]:
    """Return every way in which one unit does more than the plan claims."""
    measurement = plan.measurement
    nothing = (0,) * (1 + len(measurement.moments))
    problems = []
    if not less.keys() <= full.keys():
        problems.append("a group appears because somebody leaves")
    if any(full[key][0] != 1 for key in full.keys() - less.keys()):
        problems.append("a group of several units disappears")
    moves = [
        [a - b for a, b in zip(full.get(key, nothing), less.get(key, nothing), strict=True)]
        for key in full.keys() | less.keys()
    ]
    most = measurement.groups_per_unit_max
    if sum(abs(move[0]) for move in moves) > most or any(abs(move[0]) > 1 for move in moves):
        problems.append("a unit counts in more groups than claimed")
    for index, moment in enumerate(measurement.moments):
        if sum(move[index + 1] ** 2 for move in moves) > moment.sensitivity_l2_squared:
            problems.append(f"m{index} moves further than claimed")
    return problems


def search(plan: Plan) -> list[str]:
    for seed in SEEDS:
        rows = some_rows(seed)
        full = measured(plan, rows)
        for unit in ("unit 000", "unit 003", rows[-1][0]):
            less = measured(plan, [row for row in rows if row[0] != unit])
            if problems := told_apart(plan, full, less):
                return problems
    return []


@contextmanager
def _instead(target: Any, name: str, made: Callable[[Any], Any]) -> Iterator[None]:
    with patch.object(target, name, made(getattr(target, name))):
        yield


def groups_not_bounded() -> AbstractContextManager[None]:
    """A unit counts in every group it has rows in."""

    def none(_: Any) -> Any:
        return lambda measurement, connection: connection.execute(
            "CREATE OR REPLACE TEMP TABLE _ky_chosen AS SELECT 0 AS u, 0 AS g WHERE false"
        )

    return _instead(execute, "_choose_groups", none)


def groups_chosen_by_dense_code() -> AbstractContextManager[None]:
    """The keyed choice uses the unit's number: removing one person re-draws everybody's groups."""

    def numbered(original: Any) -> Any:
        def choose(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
            connection.execute("CREATE TEMP TABLE _kept AS FROM _ky_units")
            connection.execute("UPDATE _ky_units SET unit_key = encode(code::VARCHAR)")
            original(measurement, connection)
            connection.execute("DELETE FROM _ky_units")
            connection.execute("INSERT INTO _ky_units FROM _kept")

        return choose

    return _instead(execute, "_choose_groups", numbered)


def groups_chosen_by_their_number() -> AbstractContextManager[None]:
    """The keyed choice hashes a group's number, which moves when a group before it leaves."""

    def numbered(original: Any) -> Any:
        def load(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
            original(measurement, connection)
            connection.execute("UPDATE _ky_groups SET canon = encode(g::VARCHAR)")

        return load

    return _instead(execute, "load_present_keys", numbered)


def presence_only_where_something_counts() -> AbstractContextManager[None]:
    """A unit is present where its income is known, and counts elsewhere all the same."""

    def picky(original: Any) -> Any:
        def counted(measurement: Measurement) -> Measurement:
            found: Measurement = original(measurement)
            *others, presence = found.moments
            return replace(found, moments=(*others, replace(presence, value=others[-1].value)))

        return counted

    return _instead(execute, "with_presence", picky)


def surplus_dropped_before_the_noise() -> AbstractContextManager[None]:
    """Of too many present groups the first by hash stay, before anybody is hidden by noise."""

    def early(original: Any) -> Any:
        def totals(*arguments: Any) -> PresentTotals:
            found: PresentTotals = original(*arguments)
            order = sorted(range(len(found.keys)), key=lambda i: found.present.places[i])
            stay = sorted(order[:20])
            return PresentTotals(
                tuple(found.numbers[i] for i in stay),
                tuple(found.keys[i] for i in stay),
                tuple(tuple(v[i] for i in stay) for v in found.totals),
                Present(
                    tuple(found.present.units[i] for i in stay),
                    tuple(found.present.places[i] for i in stay),
                ),
            )

        return totals

    return _instead(execute, "present_totals", early)


def rows_counted_instead_of_units() -> AbstractContextManager[None]:
    """A group's size is its number of rows."""

    def rows(original: Any) -> Any:
        def text(measurement: Measurement) -> tuple[str, ...]:
            found: tuple[str, ...] = original(measurement)
            return (*found[:-1], "sum(p0)")

        return text

    return _instead(execute, "_sums", rows)


MUTANTS = (
    groups_not_bounded,
    groups_chosen_by_dense_code,
    groups_chosen_by_their_number,
    presence_only_where_something_counts,
    surplus_dropped_before_the_noise,
    rows_counted_instead_of_units,
)


def plans() -> tuple[Plan, ...]:
    return private_plan(SHAPE, CODE), private_plan(SHAPE, REGION, CODE)


def test_one_unit_does_no_more_than_the_plan_claims() -> None:
    assert [search(plan) for plan in plans()] == [[], []]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_seeded_bug_is_caught(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    with mutant():
        assert any(search(plan) for plan in plans())


def test_the_label_of_a_shown_group_is_not_that_of_a_kept_one() -> None:
    """Were the labels equal, the hash that ranks surplus groups would tell which groups a keyless unit keeps."""
    assert present_keys._SHOWN_GROUPS != execute._KEPT_GROUPS
