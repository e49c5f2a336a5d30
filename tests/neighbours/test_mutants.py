"""The gate has power: with one seeded bug in the shipped code it must find two neighbours told apart, without it none."""

from contextlib import nullcontext
from random import Random

import pytest

from tests.fuzz.rows import NEIGHBOURLY, Rows, generate, without
from tests.fuzz.world import LOSS, PURPOSE, World
from tests.fuzz.worlds import people
from tests.neighbours.fuzzed import units
from tests.neighbours.mutants import MUTANTS, Mutant
from tests.neighbours.pairs import opened, seen, violations

QUESTIONS = (
    "SELECT icd, count(*), sum(amount) FROM claims GROUP BY icd",
    "SELECT count(DISTINCT person_id), avg(amount) FROM claims",
    "SELECT count(DISTINCT claim_id), stddev_samp(amount) FROM claims",
    "SELECT month(day), sum(amount) FROM claims GROUP BY ALL",
    "SELECT sum(-amount) FROM claims",
    "SELECT region, count(*), sum(income) FROM persons GROUP BY region",
    "SELECT p.sex, c.icd, sum(c.amount) FROM persons p JOIN claims c ON c.person_id = p.person_id GROUP BY ALL",
    "SELECT i.kind, sum(i.pieces) FROM items i JOIN claims c ON i.claim_ref = c.claim_id GROUP BY i.kind",
    "SELECT w.rain_mm > 90, count(*) FROM persons p JOIN weather w ON w.region = p.region GROUP BY ALL",
    "SELECT icd, count(*), count(DISTINCT person_id) FROM claims GROUP BY GROUPING SETS ((icd), (claim_id > -9), ())",
)
SEEDS = (9, 0, 4, 8)


def telling_apart(world: World, rows: Rows, rng: Random) -> list[str]:
    """Return the first violation that the questions find between the database and its neighbours, or nothing."""
    with opened(world, rows) as full:
        plans = [full.plan(sql, PURPOSE, LOSS).plan for sql in QUESTIONS]
        shown = [seen(full, plan, None) for plan in plans]
        for unit in units(world, rows, full, rng):
            with opened(world, without(world, rows, unit)) as less:
                for plan, each in zip(plans, shown, strict=True):
                    if problems := violations(plan, each, less):
                        return problems
    return []


def search(mutant: Mutant | None, seeds: tuple[int, ...]) -> list[str]:
    for seed in seeds:
        rng, world = Random(seed), people(groups=2)
        rows = generate(world, rng, NEIGHBOURLY)
        with mutant() if mutant else nullcontext():
            if problems := telling_apart(world, rows, rng):
                return problems
    return []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_caught(name: str) -> None:
    assert search(MUTANTS[name], SEEDS)


def test_without_a_bug_nothing_is_found() -> None:
    assert search(None, SEEDS[:1]) == []
