"""Gate 2 on people, their claims and the items of a claim: no question tells two neighbours apart by more than it claims.

Each seed makes a raw database, removes its most telling units one at a time (the heaviest, the first and the last code, one
that is in one table only, the only one of a value, any), ingests everything from scratch, and asks three questions of
each pair: every clipped moment moves at most its claimed L1 and L2, in whole numbers, and of the first question, with the
noisy totals fixed, every byte that leaves the worker is the same.
"""

from random import Random

import pytest

from tests.fuzz.worlds import people
from tests.neighbours.fuzzed import neighbours_of

SEEDS = range(1000, 1000 + 36)
LONG_SEEDS = range(10 * 1000, 10 * 1000 + 1500)
PAIRS_LEAST = 130
_pairs: dict[int, int] = {}


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbours_differ_as_claimed(seed: int) -> None:
    rng = Random(seed)
    found = neighbours_of(people(rng.randint(1, 3), with_items=seed % 3 == 0), rng)
    _pairs[seed] = found.pairs
    assert found.problems == ()


def test_there_were_enough_pairs() -> None:
    if len(_pairs) < len(SEEDS):
        pytest.skip("only some of the seeds ran")
    assert sum(_pairs.values()) >= PAIRS_LEAST


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_more_neighbours_differ_as_claimed(seed: int) -> None:
    rng = Random(seed)
    assert neighbours_of(people(rng.randint(1, 3), with_items=seed % 3 == 0), rng).problems == ()
