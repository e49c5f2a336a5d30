"""The gates have power: each seeded bug is found by the gate that should, and without a bug that gate finds nothing.

All of them take many minutes, so a run of the ordinary tests takes six, others every day; `make test-long` takes all.
"""

from datetime import UTC, datetime

import pytest

from tests.mutants.registry import MUTANTS

EVERY_RUN = 6
NAMES = sorted(MUTANTS)
_DAY = datetime.now(UTC).toordinal()
TODAY = [NAMES[(_DAY * EVERY_RUN + place) % len(NAMES)] for place in range(EVERY_RUN)]


def test_there_are_enough() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", TODAY)
def test_a_seeded_bug_is_found(name: str) -> None:
    mutant, gate = MUTANTS[name]
    assert gate(mutant)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_seeded_bug_is_found(name: str) -> None:
    mutant, gate = MUTANTS[name]
    assert gate(mutant)


@pytest.mark.long
@pytest.mark.parametrize("gate", dict.fromkeys(gate for _, gate in MUTANTS.values()))
def test_without_a_bug_nothing_is_found(gate) -> None:
    assert not gate(None)
