"""The gates that seeded bugs must not pass. Each answers whether it found something wrong."""

from collections.abc import Sequence
from contextlib import nullcontext
from random import Random

from sandbox.boundary import Failure
from sandbox.worker import query as worker
from tests.fuzz.nested import Nested
from tests.fuzz.oracle import open_plain
from tests.fuzz.rows import NASTY, NEIGHBOURLY, ORDINARY, generate, without, write
from tests.fuzz.test_nested import differences
from tests.fuzz.test_plain_sql import problems_of
from tests.fuzz.world import LOSS, PURPOSE
from tests.fuzz.worlds import people
from tests.lab.bench import SOURCE, bench, scratch, uncapped
from tests.mutants.mutant import Mutant
from tests.neighbours import test_private_groups
from tests.neighbours.fuzzed import units
from tests.neighbours.pairs import opened, seen, violations

SEEDS = (9, 0, 4, 8)


def told_apart(mutant: Mutant | None, questions: Sequence[str], seeds: Sequence[int]) -> bool:
    """Gate 2: tell whether some question tells a database from one without one person, beyond what its plan claims."""
    for seed in seeds:
        rng, world = Random(seed), people(groups=2)
        rows = generate(world, rng, NEIGHBOURLY)
        with mutant() if mutant else nullcontext(), opened(world, rows) as full:
            plans = [full.plan(sql, PURPOSE, LOSS).plan for sql in questions]
            shown = [seen(full, plan, None) for plan in plans]
            for unit in units(world, rows, full, rng):
                with opened(world, without(world, rows, unit)) as less:
                    pairs = zip(plans, shown, strict=True)
                    if any(violations(plan, each, less) for plan, each in pairs):
                        return True
    return False


def not_plain(mutant: Mutant | None, questions: Sequence[Nested], seeds: Sequence[int]) -> bool:
    """Gate 1: tell whether some answer without noise differs from plain DuckDB's."""
    for seed in seeds:
        rng, world = Random(seed), people(with_items=False)
        rows = generate(world, rng, ORDINARY)
        with scratch() as folder, open_plain(world, rows) as plain:
            write(world, rows, folder / SOURCE)
            with (
                mutant() if mutant else nullcontext(),
                bench(uncapped(world.dataset()), world.policy(), folder) as where,
            ):
                for asked in questions:
                    found = differences(where, plain, asked)
                    if found is None:
                        raise AssertionError(f"refused: {asked.sql}")
                    if found:
                        return True
    return False


def raises(mutant: Mutant | None, questions: Sequence[str], seeds: Sequence[int]) -> bool:
    """Gate 3: tell whether an accepted question fails on rows at the ends of their types."""
    for seed in seeds:
        rng, world = Random(seed), people()
        with scratch() as folder:
            write(world, generate(world, rng, NASTY), folder / SOURCE)
            with (
                mutant() if mutant else nullcontext(),
                bench(world.dataset(), world.policy(), folder) as where,
            ):
                for sql in questions:
                    plan = where.plan(sql, PURPOSE, LOSS).plan
                    if isinstance(worker.run(plan, where.connection, where.empty), Failure):
                        return True
    return False


def lies_told(mutant: Mutant | None) -> bool:
    """Gate 1 on random flat questions: tell whether some answer is not plain DuckDB's, or plain SQL would not have raised."""
    for seed in (3004, 3010, *range(3000, 3004)):
        for mood in (ORDINARY, NASTY):
            with mutant() if mutant else nullcontext():
                try:
                    found = problems_of(seed, mood)
                except Exception:
                    return True
            if found:
                return True
    return False


def private_groups_differ(mutant: Mutant | None) -> bool:
    """Gate 2 on groups that nobody declared: tell whether one unit does more than the plan claims."""
    plans = test_private_groups.plans()
    with mutant() if mutant else nullcontext():
        return any(test_private_groups.search(plan) for plan in plans)
