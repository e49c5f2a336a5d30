"""Many random questions, each compiled as the gateway would and judged as the worker would, on few databases.

Compiling and the worker's own derivation of every claim take milliseconds and need no rows, so thousands of questions fit where
executing them would not. A refusal has a code and a place; a crash of the compiler, a plan that the worker does not accept or
that its own spelling does not bring back fails.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import duckdb
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from policies.refusals import Refused
from policies.terms import Accountant
from sandbox import wire
from sandbox.worker.accept import accept
from sandbox.worker.query import read_columns, read_meta
from tests.fuzz.grammar import question
from tests.fuzz.nested import nested_question
from tests.fuzz.oracle import open_plain
from tests.fuzz.rows import ORDINARY, generate, write
from tests.fuzz.test_nested import differences, world_of
from tests.fuzz.world import PURPOSE, loss_under
from tests.fuzz.worlds import people
from tests.lab.bench import SOURCE, Bench, bench, scratch, uncapped
from tests.neighbours.pairs import opened

SEEDS = range(6)
QUESTIONS = 300
LONG_SEEDS = range(100, 200)
LONG_QUESTIONS = 2_000
ACCEPTED_LEAST = 0.6
_judged: dict[int, int] = {}


def judged(seed: int, questions: int) -> tuple[int, list[str]]:
    """Ask a database questions, nested and flat by turns; return how many were accepted, and what went wrong."""
    rng = Random(seed)
    world = world_of(seed, rng)
    if seed % 3 == 0:
        world = replace(world, accountant=Accountant.APPROX_ZCDP)
    accepted = 0
    problems: list[str] = []
    with opened(world, generate(world, rng, ORDINARY)) as where:
        for turn in range(questions):
            sql = (question(world, rng) if turn % 3 == 0 else nested_question(world, rng)).sql
            verdict = _verdict(where, sql)
            accepted += verdict is None
            problems += [f"{verdict}: {sql}"] if verdict else []
    return accepted, problems


def _verdict(where: Bench, sql: str) -> str | None:
    """Return None for an accepted question, nothing to say of a refused one, and else what is wrong."""
    try:
        plan = where.plan(sql, PURPOSE, loss_under(where.policy)).plan
    except Refused as refused:
        return "" if refused.code else "refused without a code"
    failure = accept(plan, read_meta(where.connection), read_columns(where.connection))
    if failure is not None:
        return f"the worker says {failure}"
    return None if wire.decode_plan(wire.encode(plan)) == plan else "its spelling is another plan"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_worker_accepts_what_the_compiler_does(seed: int) -> None:
    accepted, problems = judged(seed, QUESTIONS)
    _judged[seed] = QUESTIONS
    assert problems == []
    assert accepted >= ACCEPTED_LEAST * QUESTIONS


def test_there_were_enough_questions() -> None:
    if len(_judged) < len(SEEDS):
        pytest.skip("only some of the seeds ran")
    print("questions judged:", sum(_judged.values()))
    assert sum(_judged.values()) >= 1_800


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_the_worker_accepts_very_much(seed: int) -> None:
    accepted, problems = judged(seed, LONG_QUESTIONS)
    assert problems == []
    assert accepted >= ACCEPTED_LEAST * LONG_QUESTIONS


def test_the_long_run_asks_enough() -> None:
    assert len(LONG_SEEDS) * LONG_QUESTIONS >= 200_000


def test_a_plan_with_a_lie_in_it_is_not_accepted() -> None:
    """The twin: the same judge, and a smaller sensitivity than the question has."""
    world = people(with_items=False)
    with opened(world, generate(world, Random(1), ORDINARY)) as where:
        plan = where.plan("SELECT count(*) FROM claims", PURPOSE, loss_under(where.policy)).plan
        moment = plan.measurement.moments[0]
        less = replace(moment, sensitivity_l1=moment.sensitivity_l1 - 1)
        lie = replace(plan, measurement=replace(plan.measurement, moments=(less,)))
        assert accept(lie, read_meta(where.connection), read_columns(where.connection)) is not None


# ---- questions that shrink


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Bench, duckdb.DuckDBPyConnection]]:
    world = people(with_items=False)
    rows = generate(world, Random(12), ORDINARY)
    with scratch() as folder, open_plain(world, rows) as plain:
        write(world, rows, folder / SOURCE)
        with bench(uncapped(world.dataset()), world.policy(), folder) as where:
            yield where, plain


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(dice=st.randoms(use_true_random=False))
def test_a_drawn_question_is_plain_sql(
    both: tuple[Bench, duckdb.DuckDBPyConnection], dice: Random
) -> None:
    """Every choice is drawn, so a question that fails is cut down to the shortest that does."""
    asked = nested_question(people(with_items=False), dice)
    assert (differences(*both, asked) or []) == [], asked.sql


def test_a_drawn_question_that_fails_shrinks() -> None:
    """The twin: of all questions with a join, what is left names few relations."""
    found = find(
        st.randoms(use_true_random=False).map(
            lambda dice: nested_question(people(with_items=False), dice).sql
        ),
        lambda sql: "JOIN" in sql,
        settings=settings(max_examples=200, deadline=None, database=None, derandomize=True),
    )
    assert found.count("SELECT") <= 4
