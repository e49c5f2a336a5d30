"""Gate 1: noise off and bounds inert, the answer is plain DuckDB's, right-joined to the declared keys.

Ordinary databases are compared with the question's own words; databases of extremes with the differences of
docs/DIFFERENCES.md written into each operator. Nothing else may differ: not a group, not a cent, not the order of rows.
"""

import pytest

from tests.fuzz.grammar import question
from tests.fuzz.rows import NASTY, ORDINARY, Mood
from tests.fuzz.trial import noise_off, seeded, trial

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
