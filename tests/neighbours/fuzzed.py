"""One world, its neighbours and some questions: the fuzzer's unit of work."""

from dataclasses import dataclass
from random import Random

from policies.refusals import Refused
from sandbox.boundary import Plan
from tests.fuzz.grammar import question
from tests.fuzz.rows import NEIGHBOURLY, Rows, generate, without
from tests.fuzz.world import PURPOSE, World, loss_under
from tests.lab.bench import Bench
from tests.neighbours.pairs import (
    Seen,
    moves_too_far,
    opened,
    removable,
    same_face,
    seen,
    violations,
)

QUESTIONS = 3
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """An accepted question and what it shows of the full database."""

    sql: str
    plan: Plan
    shown: Seen


@dataclass(frozen=True, slots=True)
class Found:
    """What one world showed: how many pairs of databases, how many questions on each, and everything that went wrong."""

    pairs: int
    removals: tuple[str, ...]
    problems: tuple[str, ...]


def neighbours_of(world: World, rng: Random) -> Found:
    """Make a database and remove its most telling units, one at a time; ask the same of each pair."""
    rows = generate(world, rng, NEIGHBOURLY)
    problems: list[str] = []
    reasons: list[str] = []
    with opened(world, rows) as full:
        asked = questions(world, full, rng)
        found = units(world, rows, full, rng)
        for unit, why in found.items():
            reasons.append(why)
            with opened(world, without(world, rows, unit)) as less:
                if not same_face(full, less):
                    problems.append(f"without {unit} ({why}) the catalogue differs")
                for index, each in enumerate(asked):
                    # every byte of one answer, every moment of all of them
                    compare = violations if index == 0 else moves_too_far
                    for problem in compare(each.plan, each.shown, less):
                        problems.append(f"without {unit} ({why}): {problem}: {each.sql}")
    return Found(len(found), tuple(reasons), tuple(problems))


def questions(world: World, full: Bench, rng: Random) -> list[Asked]:
    """Return accepted questions with what they show of the full database."""
    found: list[Asked] = []
    for _ in range(_ATTEMPTS):
        sql = question(world, rng).sql
        try:
            plan = full.plan(sql, PURPOSE, loss_under(full.policy)).plan
        except Refused:
            continue
        found.append(Asked(sql, plan, seen(full, plan, None)))
        if len(found) == QUESTIONS:
            break
    return found


def units(world: World, rows: Rows, full: Bench, rng: Random) -> dict[str, str]:
    """Return the units to remove, each once, with every reason for it."""
    found: dict[str, str] = {}
    for why, unit in removable(world, rows, full, rng).items():
        found[unit] = f"{found[unit]}, {why}" if unit in found else why
    return found
