"""Gate 1: noise off and bounds inert, the answer is plain DuckDB's, right-joined to the declared keys.

Ordinary databases are compared with the question's own words; databases of extremes with the differences of
docs/DIFFERENCES.md written into each operator. Nothing else may differ: not a group, not a cent, not the order of rows.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from sandbox.boundary import GroupKey, Measurement, Plan
from sandbox.worker import execute, steps
from tests.fuzz.grammar import question
from tests.fuzz.rows import NASTY, ORDINARY, Mood
from tests.fuzz.trial import noise_off, seeded, trial
from tests.lab import bench

QUESTIONS = 8
MOODS = {"ordinary": ORDINARY, "nasty": NASTY}


def problems_of(seed: int, mood: Mood) -> list[str]:
    """Ask some questions of one database; every problem names its question."""
    world, rows, rng = seeded(seed, mood)
    found: list[str] = []
    compared = 0
    with trial(world, rows, mood) as where:
        for _ in range(QUESTIONS):
            query = question(world, rng)
            verdict = noise_off(where, query)
            compared += verdict.compared
            found += [f"{problem}: {query.sql}" for problem in verdict.problems]
    assert compared > 0
    return found


@pytest.mark.parametrize("seed", range(3000, 3020))
@pytest.mark.parametrize("mood", MOODS)
def test_without_noise_and_bounds_it_is_plain_sql(mood: str, seed: int) -> None:
    assert problems_of(seed, MOODS[mood]) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30_000, 30_400))
@pytest.mark.parametrize("mood", MOODS)
def test_more_of_it_is_plain_sql(mood: str, seed: int) -> None:
    assert problems_of(seed, MOODS[mood]) == []


# ---- the gate has power: each of these is a small lie about what was asked


@contextmanager
def _instead(target: Any, name: str, made: Any) -> Iterator[None]:
    with patch.object(target, name, made(getattr(target, name))):
        yield


def where_dropped() -> AbstractContextManager[None]:
    def drop(original: Any) -> Any:
        return lambda relation, *rest: original(getattr(relation, "input", relation), *rest)

    return _instead(execute, "render_relation", drop)


def null_at_the_upper_bound() -> AbstractContextManager[None]:
    """DuckDB's least and greatest skip NULL: a clamp without a look at NULL first makes it the bound."""

    def unsettled(original: Any) -> Any:
        def row_steps(value: str, moment: Any, rendering: Any) -> str:
            text = str(original(value, moment, rendering))
            return text.replace(f"CASE WHEN {value} IS NOT NULL", "CASE WHEN true")

        return row_steps

    return _instead(execute, "row_steps", unsettled)


def rounded_down() -> AbstractContextManager[None]:
    def floored(original: Any) -> Any:
        return lambda *arguments: str(original(*arguments)).replace("round(", "floor(")

    return _instead(steps, "_from_double", floored)


def having_ignored() -> AbstractContextManager[None]:
    def without(original: Any) -> Any:
        def finish(plan: Plan, *rest: Any) -> Any:
            return original(replace(plan, post=replace(plan.post, having=None)), *rest)

        return finish

    return _instead(bench, "post_process", without)


def undeclared_keys_in_the_first_group() -> AbstractContextManager[None]:
    def merged(original: Any) -> Any:
        def placed(domains: Any) -> tuple[str, str]:
            joins, group = original(domains)
            return joins.replace(" JOIN ", " LEFT JOIN "), group.replace(
                "CAST((", "CAST(coalesce((", 1
            )[: -len(" AS INTEGER)")] + ", 0) AS INTEGER)" if domains else group

        return placed

    return _instead(execute, "_placed", merged)


def keys_without_null() -> AbstractContextManager[None]:
    def without(original: Any) -> Any:
        def run(measurement: Measurement, connection: Any) -> Any:
            keys = tuple(
                replace(key, with_null=False) if isinstance(key, GroupKey) else key
                for key in measurement.keys
            )
            return original(replace(measurement, keys=keys), connection)

        return run

    return _instead(bench, "execute", without)


LIES = (
    where_dropped,
    null_at_the_upper_bound,
    rounded_down,
    having_ignored,
    undeclared_keys_in_the_first_group,
    keys_without_null,
)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_small_lie_is_caught(lie: Any) -> None:
    def told() -> bool:
        for seed in (3004, *range(3000, 3004)):
            for mood in (ORDINARY, NASTY):
                with lie():
                    try:
                        found = problems_of(seed, mood)
                    except Exception:
                        return True  # plain SQL would not have raised
                if found:
                    return True
        return False

    assert told()
