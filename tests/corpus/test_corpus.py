"""The corpora: attacks are refused, total, silent or bounded as each must be; benign questions are answered and right.

No runtime and no ledger take part: a refusal happens before either is asked, so nothing can have been spent.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import isclose
from pathlib import Path

import duckdb
import pytest

from gateway.accuracy import step
from policies.documents import load_access_policy
from policies.terms import PrivacyLoss
from tests.corpus import world
from tests.lab.answers import Answer, answer
from tests.lab.bench import SOURCE, Bench, bench, uncapped
from tests.lab.declared import declare
from tests.lab.values import plain

ATTACKS = world.questions("attacks.jsonl")
BENIGN = world.questions("benign.jsonl")
ALICE = 17
# The answers of DuckDB and ours may differ by a rounding of each row of a DOUBLE, see docs/DIFFERENCES.md.
RELATIVE = 1e-9
ROUNDING = 400 * 2.0**-20


@contextmanager
def opened(fill, caps: bool) -> Iterator[tuple[Bench, Path]]:
    """Make a raw database and bring it in under the drafted policy."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as name:
        raw = Path(name) / SOURCE
        fill(raw)
        policy = load_access_policy(world.drafted_policy(raw), "drafted")
        dataset = declare(raw, policy)
        with bench(dataset if caps else uncapped(dataset), policy, raw.parent) as found:
            yield found, raw


@pytest.fixture(scope="module")
def sound() -> Iterator[tuple[Bench, Path]]:
    with opened(world.sound_database, caps=False) as found:
        yield found


@pytest.fixture(scope="module")
def nasty() -> Iterator[tuple[Bench, Path]]:
    with opened(world.nasty_database, caps=True) as found:
        yield found


def asked(found: tuple[Bench, Path], sql: str, mode: str) -> Answer:
    return answer(found[0], mode, {"sql": sql})


def of_kind(must: str) -> list:
    return [pytest.param(q, id=q.name) for q in ATTACKS if q.must == must]


def test_the_corpus_is_whole() -> None:
    assert (len(ATTACKS), len(BENIGN)) == (271, 45)


@pytest.mark.parametrize("question", of_kind("reject"))
def test_what_must_be_refused_is_refused(sound, question) -> None:
    found = asked(sound, question.sql, "check")
    assert (found.verdict, found.loss) == ("refused", None)
    assert found.message


@pytest.mark.parametrize("question", of_kind("total"))
def test_what_must_be_total_never_fails_on_any_data(sound, nasty, question) -> None:
    for found in (sound, nasty):
        for mode in ("check", "bounded", "exact"):
            assert asked(found, question.sql, mode).verdict in ("accepted", "refused")


def test_plain_duckdb_fails_on_most_of_them(nasty) -> None:
    """The twin: these questions do raise where nothing makes them total."""
    raised = 0
    with duckdb.connect(str(nasty[1]), read_only=True) as connection:
        for question in ATTACKS:
            if question.must == "total":
                try:
                    connection.execute(question.sql).fetchall()
                except duckdb.Error:
                    raised += 1
    assert raised > 20


@pytest.mark.parametrize("question", [*of_kind("no_leak"), *of_kind("total"), *of_kind("reject")])
def test_a_refusal_says_the_same_whatever_the_rows_hold(sound, nasty, question) -> None:
    """Text, code and place depend on SQL, schema and policy: two databases with nothing in common get one sentence."""
    one, other = (asked(found, question.sql, "check") for found in (sound, nasty))
    assert (one.verdict, one.code, one.message) == (other.verdict, other.code, other.message)


@pytest.mark.parametrize("question", [*of_kind("no_leak"), *of_kind("bounded")])
def test_one_person_moves_an_accepted_answer_no_further_than_claimed(sound, question) -> None:
    full = asked(sound, question.sql, "bounded")
    if full.verdict == "refused":
        return
    with opened(without_alice, caps=False) as found:
        fewer = asked(found, question.sql, "bounded")
    assert (full.verdict, fewer.verdict) == ("accepted", "accepted")
    keys = len(full.columns) - len(full.moments)
    assert [row[:keys] for row in full.rows] == [row[:keys] for row in fewer.rows]
    for index, moment in enumerate(full.moments):
        moved = sum(
            abs(int(str(a[keys + index])) - int(str(b[keys + index])))
            for a, b in zip(full.rows, fewer.rows, strict=True)
        )
        assert moved <= int(str(moment["sensitivity_l1"]))


def without_alice(path: Path) -> None:
    world.sound_database(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"DELETE FROM claims WHERE person_id = {ALICE}")
        connection.execute(f"DELETE FROM persons WHERE person_id = {ALICE}")


@pytest.mark.parametrize("question", [pytest.param(q, id=q.name) for q in BENIGN])
def test_what_is_benign_is_answered_as_duckdb_would_or_owed(sound, question) -> None:
    found = asked(sound, question.sql, "exact")
    if question.name in world.not_yet():
        assert found.verdict == "refused", "accepted at last: take its line out of not_yet.txt"
        return
    assert found.verdict == "accepted", found.message
    with duckdb.connect(str(sound[1]), read_only=True) as connection:
        wanted = connection.execute(question.sql).fetchall()
    room = max(ROUNDING, widest_bin(sound[0], question.sql))
    assert_same(found.rows, tuple(tuple(plain(v) for v in row) for row in wanted), room)


def test_at_least_twenty_benign_questions_are_answered() -> None:
    assert len(BENIGN) - len(world.not_yet()) >= 20


def widest_bin(here: Bench, sql: str) -> float:
    """Return how coarse the order statistics of a question are: an answer is one of so many."""
    policy = here.policy
    loss = PrivacyLoss(policy.budget.accountant, policy.budget.per_query_max, 0)
    moments = here.plan(sql, policy.purposes[0].code, loss).plan.measurement.moments
    return max((m.rank.bin_steps * step(m) for m in moments if m.rank is not None), default=0.0)


def assert_same(ours, theirs, room: float) -> None:
    """Every row of DuckDB is among ours; what we have more are declared keys that nobody has."""
    rest = list(ours)
    for row in theirs:
        match = next((mine for mine in rest if alike(mine, row, room)), None)
        assert match is not None, f"{row} is missing"
        rest.remove(match)
    assert all(any(value in (0, None, "0", "0.00", 0.0) for value in row) for row in rest), rest


def alike(mine, row, room: float) -> bool:
    return len(mine) == len(row) and all(same(a, b, room) for a, b in zip(mine, row, strict=True))


def same(a, b, room: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return isclose(a, b, rel_tol=RELATIVE, abs_tol=room)
    return a == b
