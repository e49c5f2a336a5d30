"""Nested relations before the gates: plain SQL without noise, no error on any rows, and nobody moves more than claimed.

The world holds tables of every type; questions nest subqueries, joins of every side, set operations, windows, EXISTS, IN and
scalar subqueries up to DEPTH_MAX deep.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

import duckdb
import pytest

from policies.refusals import Refused
from sandbox import wire
from sandbox.boundary import Failure
from sandbox.worker import query as worker
from tests.fuzz.measures import agree
from tests.fuzz.nested import Nested, nested_question
from tests.fuzz.oracle import open_plain
from tests.fuzz.rows import NASTY, NEIGHBOURLY, ORDINARY, generate, without, write
from tests.fuzz.world import PURPOSE, World, loss_under
from tests.fuzz.worlds import people, random_world
from tests.lab.bench import SOURCE, Bench, bench, scratch, uncapped
from tests.neighbours.fuzzed import units
from tests.neighbours.pairs import moves_too_far, opened, seen

QUESTIONS = 12
ACCEPTED_LEAST = 0.6
SAMPLES_LEAST = 12


def world_of(seed: int, rng: Random) -> World:
    return people(with_items=False) if seed % 2 else random_world(rng)


def problems_of(seed: int) -> tuple[list[str], int]:
    """Compare answers without noise with plain DuckDB's; every problem names its question."""
    rng = Random(seed)
    world = world_of(seed, rng)
    rows = generate(world, rng, ORDINARY)
    found: list[str] = []
    compared = 0
    with scratch() as folder, open_plain(world, rows) as plain:
        write(world, rows, folder / SOURCE)
        with bench(uncapped(world.dataset()), world.policy(), folder) as where:
            for _ in range(QUESTIONS):
                asked = nested_question(world, rng)
                told = differences(where, plain, asked)
                if told is not None:
                    compared += 1
                    found += [f"{problem}: {asked.sql}" for problem in told]
    return found, compared


def differences(where: Bench, plain: duckdb.DuckDBPyConnection, asked: Nested) -> list[str] | None:
    """Return where an answer differs from plain DuckDB's, None for a question that either of them refuses."""
    try:
        plan = where.plan(asked.sql, PURPOSE, loss_under(where.policy)).plan
        expected = plain.execute(asked.plain or asked.sql).fetchall()
    except (Refused, duckdb.Error):
        return None
    width = asked.keys
    ours = {tuple(c.value for c in row[:width]): row[width:] for row in where.exact(plan).rows}
    theirs = {tuple(row[:width]): row[width:] for row in expected}
    problems = []
    for group, cells in ours.items():
        counterpart = theirs.get(group, (None,) * len(asked.aggregates))
        for place, name in enumerate(asked.aggregates):
            ours_, value = cells[place].value, counterpart[place]
            if not agree(name, ours_, value, (plan, place)):
                problems.append(f"{group} {name}: {ours_} is {value} in DuckDB")
    whole = [group for group in theirs if None not in group or "grouping(" in asked.sql]
    return problems + [f"{group} is lost" for group in whole if group not in ours]


@pytest.mark.parametrize("seed", range(7000, 7018))
def test_a_nested_question_is_plain_sql(seed: int) -> None:
    found, _ = problems_of(seed)
    assert found == []


@pytest.mark.parametrize("seed", range(7100, 7112))
def test_a_nested_question_never_raises(seed: int) -> None:
    """On rows at the ends of their types, with the dice, in the code of the query worker."""
    rng = Random(seed)
    world = world_of(seed, rng)
    rows = generate(world, rng, NASTY)
    with scratch() as folder:
        write(world, rows, folder / SOURCE)
        with bench(world.dataset(), world.policy(), folder) as where:
            for _ in range(QUESTIONS):
                sql = nested_question(world, rng).sql
                try:
                    plan = where.plan(sql, PURPOSE, loss_under(where.policy)).plan
                except Refused:
                    continue
                answer = worker.run(plan, where.connection, where.empty)
                assert not isinstance(answer, Failure), f"{answer} to {sql}"
                wire.encode(answer)


@pytest.mark.parametrize("seed", range(7200, 7210))
def test_nobody_moves_a_nested_answer_further_than_claimed(seed: int) -> None:
    rng = Random(seed)
    world = world_of(seed, rng)
    assert moved_too_far(world, rng, questions=6) == []


def moved_too_far(world: World, rng: Random, questions: int) -> list[str]:
    """Remove telling units one at a time and return every moment that moved further than it claims."""
    rows = generate(world, rng, NEIGHBOURLY)
    found: list[str] = []
    with opened(world, rows) as full:
        asked = []
        for _ in range(questions):
            sql = nested_question(world, rng).sql
            try:
                plan = full.plan(sql, PURPOSE, loss_under(full.policy)).plan
            except Refused:
                continue
            asked.append((sql, plan, seen(full, plan, None)))
        for unit, why in units(world, rows, full, rng).items():
            with opened(world, without(world, rows, unit)) as less:
                for sql, plan, shown in asked:
                    found += [
                        f"without {unit} ({why}): {p}: {sql}"
                        for p in moves_too_far(plan, shown, less)
                    ]
    return found


def shares(questions: int) -> dict[str, tuple[int, int]]:
    """Return, for each production, how many questions held it and how many of them were accepted."""
    asked: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for world, rng in _worlds():
        with opened(world, generate(world, rng, ORDINARY)) as where:
            for _ in range(questions):
                found = nested_question(world, rng)
                names = {*found.productions, "*"}
                asked.update(names)
                try:
                    where.plan(found.sql, PURPOSE, loss_under(where.policy))
                except Refused:
                    continue
                accepted.update(names)
    return {name: (count, accepted[name]) for name, count in sorted(asked.items())}


def _worlds() -> Sequence[tuple[World, Random]]:
    return [(people(with_items=False), Random(1)), (random_world(Random(5)), Random(2))]


def test_most_of_every_production_is_accepted() -> None:
    """A gate that refuses everything never raises either."""
    found = shares(250)
    told = {name: round(yes / all_, 2) for name, (all_, yes) in found.items()}
    print("accepted, by production:", told)
    few = {
        n: told[n]
        for n, (all_, _) in found.items()
        if all_ >= SAMPLES_LEAST and told[n] < ACCEPTED_LEAST
    }
    assert few == {}
