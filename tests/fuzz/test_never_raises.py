"""Gate 3: an accepted question answers on every database, whatever the rows hold.

An error that only one person's row causes is an answer without noise. So every question that passes the gateway runs here as
in the query worker, on databases of which at least 30 % of the cells are NULL, undeclared or at the end of their type: NaN,
infinities, the smallest and largest whole numbers and decimals, days outside the calendar, empty tables, one heavy unit.
"""

from collections import Counter
from random import Random

import pytest

from policies.catalogue import Catalogue
from policies.refusals import Refused
from sandbox.client import Question, plan
from sandbox.compiler.check import Asker
from tests.fuzz.grammar import question
from tests.fuzz.rows import NASTY, Mood, generate, write
from tests.fuzz.trial import answered, seeded
from tests.fuzz.world import LOSS, PURPOSE, World
from tests.fuzz.worlds import people, random_world
from tests.lab.bench import SOURCE, bench, scratch

QUESTIONS = 8
ACCEPTED_LEAST = 0.6
SAMPLES_LEAST = 6  # of a production, before its share says anything
HEAVY_ROWS = 100_000


def ask(world: World, mood: Mood, rng: Random, count: int) -> int:
    """Ask questions of one database and return how many were accepted; an accepted one that raises fails the test."""
    rows = generate(world, rng, mood)
    accepted = 0
    with scratch() as folder:
        write(world, rows, folder / SOURCE)
        with bench(world.dataset(), world.policy(), folder) as opened:
            for _ in range(count):
                accepted += answered(opened, question(world, rng)) is None
    return accepted


@pytest.mark.parametrize("seed", range(5000, 5030))
def test_no_accepted_question_raises(seed: int) -> None:
    world, _, rng = seeded(seed, NASTY)
    assert ask(world, NASTY, rng, QUESTIONS) > 0


def test_no_accepted_question_raises_beside_one_unit_with_very_many_rows() -> None:
    assert ask(people(), Mood(extreme=0.3, heavy=HEAVY_ROWS, tidy=False), Random(1), 6) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(50_000, 50_600))
def test_still_no_accepted_question_raises(seed: int) -> None:
    world, _, rng = seeded(seed, NASTY)
    ask(world, NASTY, rng, QUESTIONS)


# ---- how much of the grammar is accepted


def shares(questions: int) -> dict[str, tuple[int, int]]:
    """Return, for each production of the grammar, how many questions held it and how many of them were accepted."""
    asked: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for seed in range(questions):
        rng = Random(seed)
        world = people() if seed % 2 else random_world(rng)
        query = question(world, rng)
        names = {*query.productions, "*"}
        asked.update(names)
        if _is_accepted(world, query.sql):
            accepted.update(names)
    return {name: (count, accepted[name]) for name, count in sorted(asked.items())}


def _is_accepted(world: World, sql: str) -> bool:
    policy = world.policy()
    public = {
        f"{sheet.name}.{field.name}": field.listed
        for sheet in world.public
        for field in sheet.fields
    }
    catalogue = Catalogue(1, world.dataset(), "00" * 32, public, ())
    asker = Asker(policy.operator.id, PURPOSE, policy.effective.start, suspended=False)
    try:
        plan(Question(sql, policy, catalogue, asker, LOSS))
    except Refused:
        return False
    return True


def test_most_of_every_production_is_accepted() -> None:
    """A gate that refuses everything never raises either."""
    found = shares(500)
    told = {name: round(yes / all_, 2) for name, (all_, yes) in found.items()}
    print("accepted, by production:", told)
    assert told["*"] >= ACCEPTED_LEAST
    few = {
        n: told[n]
        for n, (all_, _) in found.items()
        if all_ >= SAMPLES_LEAST and told[n] < ACCEPTED_LEAST
    }
    assert few == {}


def test_the_databases_are_nasty() -> None:
    """More than 30 % of them hold NULL and three kinds of extremes, or the gate would prove little."""
    kinds = ("nan", "inf", "-inf", "infinity", str(2**63 - 1), str(-(2**31)), "1e308", "9999-12-31")
    nasty = 0
    for seed in range(5000, 5030):
        _, rows, _ = seeded(seed, NASTY)
        cells = {cell for table in rows.values() for row in table for cell in row}
        nasty += None in cells and sum(kind in cells for kind in kinds) >= 3
    assert nasty > 0.3 * 30
