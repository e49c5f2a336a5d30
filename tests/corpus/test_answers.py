"""Answers to the attacks that are accepted: charged, and silent about every row.

`test_corpus.py` asks each question for its verdict. Here the accepted ones run as in the query worker, dice included, and every
byte that leaves is looked at.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from policies.access.model import AccessPolicy
from policies.documents import load_access_policy
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox import wire
from sandbox.boundary import Answered, ColumnRole, Pick, Plan, Reuse
from sandbox.worker import query as worker
from sandbox.worker.engine import EngineLimits
from sandbox.worker.finish import serve_finish
from tests.corpus import world
from tests.corpus.world import questions
from tests.lab.__main__ import open_lab
from tests.lab.bench import Bench, scratch
from tests.neighbours.pairs import seen, violations

LOSS = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
ALICE = 17
CARD = b"31000019700000"  # how every identity card of the sound database begins
ACCEPTED_LEAST = 15
FINISH_LIMITS = EngineLimits(memory_bytes=1 << 28, threads=1)


@contextmanager
def database(nasty: bool, policy: AccessPolicy | None, without: int | None) -> Iterator[Bench]:
    """Open one of the databases; `without` removes a person from the raw rows first."""
    with scratch() as folder:
        raw = folder / "raw.duckdb"
        (world.nasty_database if nasty else world.sound_database)(raw)
        policy = policy or load_access_policy(world.drafted_policy(raw), "drafted.yaml")
        if without is not None:
            with duckdb.connect(str(raw)) as connection:
                for table in ("persons", "claims"):
                    connection.execute(f"DELETE FROM {table} WHERE person_id = {without}")
        with open_lab(raw, policy, None, "bounded") as opened:
            yield opened


@pytest.fixture(scope="module")
def sound() -> Iterator[Bench]:
    with database(False, None, None) as opened:
        yield opened


@pytest.fixture(scope="module")
def nasty(sound: Bench) -> Iterator[Bench]:
    with database(True, sound.policy, None) as opened:
        yield opened


@pytest.fixture(scope="module")
def without_alice(sound: Bench) -> Iterator[Bench]:
    with database(False, sound.policy, ALICE) as opened:
        yield opened


def accepted(where: Bench, file: str = "attacks.jsonl") -> list[tuple[str, Plan]]:
    """Return every attack, or other question, that is accepted, with its plan."""
    found = []
    for question in questions(file):
        try:
            made = where.plan(question.sql, "research", LOSS).plan
            where.rehearse(made)
        except Refused:
            continue
        found.append((question.name, made))
    return found


def test_an_accepted_attack_is_charged_and_tells_alice_as_little_as_claimed(
    sound: Bench, without_alice: Bench
) -> None:
    """Most of them ask for her: with and without her the moments move as claimed, and equal noisy totals leave as equal bytes."""
    found = accepted(sound)
    assert len(found) >= ACCEPTED_LEAST
    for name, made in found:
        assert sum(moment.loss.primary for moment in made.measurement.moments) > 0, name
        shown = seen(sound, made, None)
        assert shown.exact is not None and violations(made, shown, without_alice) == [], name


def test_an_accepted_attack_is_answered_on_the_worst_database(nasty: Bench) -> None:
    for name, made in accepted(nasty):
        assert isinstance(worker.run(made, nasty.connection, nasty.empty), Answered), name


def test_every_answer_is_made_again_from_its_totals_alone(nasty: Bench) -> None:
    """To the byte: whatever is answered, the worker without a file makes the same of what was kept."""
    found = accepted(nasty, "benign.jsonl")
    assert len(found) >= ACCEPTED_LEAST
    for name, made in found:
        answer = worker.run(made, nasty.connection, nasty.empty)
        assert isinstance(answer, Answered), name
        picks = tuple(Pick(0, index) for index in range(len(made.measurement.moments)))
        request = wire.encode(Reuse(made, (answer.noisy,), picks))
        assert serve_finish(request, FINISH_LIMITS) == wire.encode(answer.release), name


def test_an_answer_holds_no_text_of_a_row(sound: Bench) -> None:
    """Every text in an answer is a declared key or a constant of the question."""
    declared = declared_texts()
    for name, made in accepted(sound):
        answer = worker.run(made, sound.connection, sound.empty)
        assert isinstance(answer, Answered), name
        assert CARD not in wire.encode(answer), name
        for row in answer.release.rows:
            for cell, column in zip(row, answer.release.columns, strict=True):
                if isinstance(cell.value, str):
                    assert column.role is not ColumnRole.NOISY and cell.value in declared, name


def declared_texts() -> set[str]:
    facts = json.loads((world.HERE / "public_facts.json").read_text(encoding="utf-8"))
    return {value for values in facts["domains"].values() for value in values}
