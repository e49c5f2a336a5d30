"""The ledger step by step: each state, each refusal, each repeat."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from audit.again import NoSuchSource
from audit.charge import Charge, Unit
from audit.log import events
from audit.log.commitment import opens
from audit.request import (
    Conflict,
    Insufficient,
    NotStored,
    Outcome,
    Posting,
    Replayed,
    Reserved,
    Reused,
)
from audit.store.accounts import UnknownAccount
from audit.store.operations import FenceRejected, State
from audit.store.schema import STEPS
from audit.store.sqlite import Store
from tests.unit.audit_steps import DUE, HALF, assert_folds, kinds, reserved, stands
from tests.unit.audit_world import (
    EPS,
    FEE,
    World,
    ask,
    ask_again,
    furnish,
    open_world,
    terms,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    furnish(opened.ledger)
    yield opened
    opened.store.close()


def test_an_answer_is_held_then_posted_with_its_usage(world: World) -> None:
    permit = reserved(world, "a")
    assert (stands(world, EPS), stands(world, FEE)) == ((0, HALF), (0, DUE))
    world.ledger.start("q-a", permit.fence)
    posted = world.ledger.post(Posting("q-a", permit.fence, b"noisy", "cell-a", None))
    assert (stands(world, EPS), stands(world, FEE)) == ((HALF, 0), (DUE, 0))
    assert kinds(world)[permit.index :] == ["query.accepted", "query.released", "usage.recorded"]
    assert (posted.index, posted.usage_index) == (permit.index + 1, permit.index + 2)
    outcome = world.ledger.outcome("op-1", "key-a")
    assert outcome is not None and outcome.release is not None
    assert (outcome.state, outcome.index, outcome.release.content) == (
        State.RELEASED,
        posted.index,
        b"noisy",
    )
    leaf = events.decode(world.journal.entries(posted.index, posted.index + 1)[0])
    assert opens(str(leaf.data["commitment"]), outcome.release.salt, b"noisy")
    assert_folds(world)


@pytest.mark.parametrize(
    ("reason", "touched", "kind"),
    [
        ("cancelled", False, "query.voided"),
        ("runtime_unavailable", False, "query.failed"),
        ("memory_exceeded", True, "query.failed"),
    ],
)
def test_a_failure_spends_only_what_was_touched(
    world: World, reason: str, touched: bool, kind: str
) -> None:
    permit = reserved(world, "a")
    if kind == "query.failed":
        world.ledger.start("q-a", permit.fence)
    world.ledger.fail("q-a", permit.fence, reason, touched)
    assert (stands(world, EPS), stands(world, FEE)) == ((HALF if touched else 0, 0), (0, 0))
    assert kinds(world)[-1] == kind
    assert_folds(world)


def test_no_refund_for_a_reason_that_may_depend_on_data(world: World) -> None:
    permit = reserved(world, "a")
    world.ledger.start("q-a", permit.fence)
    for reason in ("memory_exceeded", "crash", "timeout", "cancelled"):
        with pytest.raises(ValueError, match="no row was read"):
            world.ledger.fail("q-a", permit.fence, reason, touched=False)
    assert stands(world, EPS) == (0, HALF)


def test_what_never_started_cannot_have_touched(world: World) -> None:
    permit = reserved(world, "a")
    with pytest.raises(ValueError, match="never started"):
        world.ledger.fail("q-a", permit.fence, "crash", touched=True)


def test_one_worker_ever_and_one_ending(world: World) -> None:
    permit = reserved(world, "a")
    with pytest.raises(FenceRejected):
        world.ledger.post(Posting("q-a", permit.fence, b"early", "cell", None))
    with pytest.raises(FenceRejected):
        world.ledger.start("q-a", "0" * 32)
    world.ledger.start("q-a", permit.fence)
    with pytest.raises(FenceRejected):
        world.ledger.start("q-a", permit.fence)
    with pytest.raises(FenceRejected):
        world.ledger.post(Posting("q-a", "0" * 32, b"foreign", "cell", None))
    world.ledger.post(Posting("q-a", permit.fence, b"first", "cell", None))
    size = world.journal.size()
    with pytest.raises(FenceRejected):
        world.ledger.post(Posting("q-a", permit.fence, b"second", "cell", None))
    with pytest.raises(FenceRejected):
        world.ledger.fail("q-a", permit.fence, "late", touched=True)
    assert world.journal.size() == size
    assert stands(world, EPS) == (HALF, 0)


def test_all_accounts_or_none(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    furnish(world.ledger, fee_cap=DUE)
    reserved(world, "a")
    size = world.journal.size()
    short = world.ledger.reserve(ask("b", HALF))
    assert short == Insufficient(FEE, DUE, 0, DUE)
    assert (stands(world, EPS), world.journal.size()) == ((0, HALF), size)
    # The key of a refused request stays free: with more credit the same request may go through.
    world.ledger.open_account(FEE, Unit.MICRO_YUAN, 2 * DUE, "contract-8")
    reserved(world, "b")
    assert_folds(world)
    world.store.close()


def test_the_last_nano_may_be_spent_but_not_one_more(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    furnish(world.ledger, eps_cap=2 * HALF)
    reserved(world, "a")
    assert isinstance(world.ledger.reserve(ask("b", HALF + 1)), Insufficient)
    reserved(world, "c", HALF)
    assert isinstance(world.ledger.reserve(ask("d", 1)), Insufficient)
    world.store.close()


def test_a_lower_cap_stops_spending_and_keeps_what_was_spent(world: World) -> None:
    reserved(world, "a")
    assert world.ledger.open_account(EPS, Unit.EPS_NANO, 40 * 10**9, "hn_visits@1") is None
    assert world.ledger.open_account(EPS, Unit.EPS_NANO, HALF - 1, "hn_visits@2") is not None
    balance = world.ledger.balance(EPS)
    assert balance is not None and balance.available == -1
    assert isinstance(world.ledger.reserve(ask("b", 1)), Insufficient)
    assert kinds(world)[-1] == "account.cap_changed"
    assert_folds(world)


def test_threads_share_one_budget(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    furnish(world.ledger, eps_cap=10 * HALF)

    def run(name: int) -> str:
        result = world.ledger.reserve(ask(f"t{name}", HALF))
        if not isinstance(result, Reserved):
            return type(result).__name__
        world.ledger.start(f"q-t{name}", result.fence)
        world.ledger.post(Posting(f"q-t{name}", result.fence, b"x", f"cell-{name}", None))
        assert world.ledger.balance(EPS) is not None
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, range(30)))
    assert (results.count("answered"), results.count("Insufficient")) == (10, 20)
    assert stands(world, EPS) == (10 * HALF, 0)
    assert_folds(world)
    world.store.close()


def test_threads_with_one_key_get_one_reservation(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: world.ledger.reserve(ask("same", HALF)), range(16)))
    assert sum(isinstance(result, Reserved) for result in results) == 1
    assert sum(isinstance(result, Replayed) for result in results) == 15
    assert stands(world, EPS) == (0, HALF)


def test_a_repeated_request_is_answered_from_the_record(world: World) -> None:
    world.answer("a", HALF)
    size = world.journal.size()
    again = world.ledger.reserve(replace(ask("a", HALF), operation_id="q-other"))
    assert isinstance(again, Replayed)
    assert again.outcome.release is not None and again.outcome.release.content == b"answer a"
    assert world.journal.size() == size


def test_a_key_for_another_question_is_a_conflict(world: World) -> None:
    reserved(world, "a")
    other = replace(ask("b", HALF), idempotency_key="key-a")
    assert world.ledger.reserve(other) == Conflict("q-a")
    assert world.ledger.reserve(
        replace(other, idempotency_key="key-new", operation_id="q-a")
    ) == Conflict("q-a")
    # Another client may use the same word.
    assert isinstance(world.ledger.reserve(replace(other, client_id="op-2")), Reserved)


def test_a_retry_while_it_runs_or_after_a_failure_never_runs_again(world: World) -> None:
    permit = reserved(world, "a")
    waiting = world.ledger.reserve(ask("a", HALF))
    assert isinstance(waiting, Replayed) and waiting.outcome.state is State.RESERVED
    world.ledger.start("q-a", permit.fence)
    world.ledger.fail("q-a", permit.fence, "worker_died", touched=True)
    spent = world.ledger.reserve(ask("a", HALF))
    assert isinstance(spent, Replayed)
    assert (spent.outcome.state, spent.outcome.touched, spent.outcome.release) == (
        State.FAILED,
        True,
        None,
    )
    assert stands(world, EPS) == (HALF, 0)


def test_a_stored_answer_costs_a_fee_and_no_loss(world: World) -> None:
    first = world.answer("a", HALF)
    before = stands(world, EPS)
    reused = world.ledger.reuse(ask_again("again", "op-2"), "cell-a")
    assert isinstance(reused, Reused)
    assert (reused.release.content, reused.release.index) == (b"answer a", first)
    assert stands(world, EPS) == before
    assert kinds(world)[-2:] == ["query.reused", "usage.recorded"]
    replay = world.ledger.reuse(ask_again("again", "op-2"), "cell-a")
    assert isinstance(replay, Replayed) and replay.outcome.release == reused.release
    assert isinstance(world.ledger.reuse(ask_again("third"), "cell-unknown"), NotStored)
    assert world.ledger.outcome("op-1", "key-third") is None
    assert_folds(world)


def test_another_answer_from_stored_totals_costs_a_fee_and_no_loss(world: World) -> None:
    first = [world.answer(name, HALF // 2) for name in "ab"]
    before = stands(world, EPS)
    made = (b"made of both", ("q-b", "q-a"))
    derived = world.ledger.derive(ask_again("new", "op-2"), made)
    assert isinstance(derived, Reused)
    assert stands(world, EPS) == before
    event = list(world.journal.events_of("query.derived", 0, world.journal.size()))[-1][1]
    assert event.data["released"] == sorted(first)
    assert opens(str(event.data["commitment"]), derived.release.salt, b"made of both")
    assert world.ledger.derive(ask_again("new", "op-2"), made) == Replayed(
        Outcome("q-new", State.REUSED, derived.index, None, None, derived.release)
    )
    assert_folds(world)


def test_vectors_are_found_oldest_first_with_their_noise(world: World) -> None:
    index = world.answer("a", HALF)
    assert world.ledger.vectors("vector-b") == ()
    (found,) = world.ledger.vectors("vector-a")
    assert (found.operation_id, found.index, found.vector.scale) == ("q-a", index, "0x1.0p+1")
    assert world.ledger.totals("q-a") == b"totals a"


@pytest.mark.parametrize("sources", [(), ("q-nobody",), ("q-a", "q-nobody")])
def test_nothing_is_made_of_totals_that_are_not_there(
    world: World, sources: tuple[str, ...]
) -> None:
    world.answer("a", HALF)
    with pytest.raises(NoSuchSource):
        world.ledger.derive(ask_again("new"), (b"x", sources))
    assert world.ledger.outcome("op-1", "key-new") is None


def test_nothing_is_made_of_totals_about_other_data(world: World) -> None:
    world.answer("a", HALF)
    asked = ask_again("new")
    other = replace(asked, terms=replace(asked.terms, snapshots=("hmac-sha256:" + "6" * 64,)))
    with pytest.raises(NoSuchSource, match="another family or snapshot"):
        world.ledger.derive(other, (b"x", ("q-a",)))


def test_a_database_of_the_first_layout_grows_and_keeps_its_answers(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(STEPS[0])
        old.execute("INSERT INTO account VALUES ('a', 'eps_nano', 'x', 9, 4, 0)")
        old.commit()
    store = Store(path)
    with store.read() as tx:
        assert tx.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert tx.execute("SELECT posted FROM account").fetchall() == [(4,)]
        assert tx.execute("SELECT count(*) FROM vector").fetchone() == (0,)
    store.close()


def test_the_first_answer_of_a_cell_stays_its_answer(world: World) -> None:
    """Two operators asked at once and both paid: from then on everybody sees the first draw."""
    permits = {name: reserved(world, name) for name in "ab"}
    for name, permit in permits.items():
        world.ledger.start(f"q-{name}", permit.fence)
    for name, permit in permits.items():
        world.ledger.post(Posting(f"q-{name}", permit.fence, name.encode(), "cell", None))
    stored = world.ledger.cell("cell")
    assert stored is not None and stored.content == b"a"
    assert_folds(world)


def test_a_stored_answer_about_other_data_is_never_handed_out(world: World) -> None:
    world.answer("a", HALF)
    asked = ask_again("again")
    other = replace(asked, terms=replace(asked.terms, snapshots=("hmac-sha256:" + "6" * 64,)))
    with pytest.raises(ValueError, match="another family or snapshot"):
        world.ledger.reuse(other, "cell-a")
    assert world.ledger.outcome("op-1", "key-again") is None


def test_a_failure_account_bounds_failures_under_concurrency(world: World) -> None:
    """A count looked up before the reservation could be passed by several at once; a held charge cannot."""
    world.ledger.open_account("failures/op-1", Unit.FAILURES, 2, "policy@1")
    asks = [ask(name, 1) for name in "abc"]
    asks = [
        replace(a, charges=(*a.charges, Charge("failures/op-1", Unit.FAILURES, 1))) for a in asks
    ]
    permits = [world.ledger.reserve(a) for a in asks]
    assert isinstance(permits[2], Insufficient) and permits[2].account_id == "failures/op-1"
    assert isinstance(permits[0], Reserved) and isinstance(permits[1], Reserved)
    world.ledger.start("q-a", permits[0].fence)
    world.ledger.post(Posting("q-a", permits[0].fence, b"x", "cell", None))
    world.ledger.start("q-b", permits[1].fence)
    world.ledger.fail("q-b", permits[1].fence, "worker_died", touched=True)
    assert stands(world, "failures/op-1") == (1, 0)
    assert_folds(world)


@pytest.mark.parametrize(
    "bad",
    [
        replace(ask("x", HALF), charges=()),
        replace(ask("x", HALF), charges=ask("x", HALF).charges[1:]),
        replace(ask("x", HALF), charges=(Charge(EPS, Unit.EPS_NANO, 0),)),
        replace(ask("x", HALF), charges=(Charge(EPS, Unit.EPS_NANO, -HALF),)),
        replace(ask("x", HALF), charges=(Charge(EPS, Unit.EPS_NANO, 2**63),)),
        replace(ask("x", HALF), charges=(*ask("x", HALF).charges, Charge(EPS, Unit.EPS_NANO, 1))),
        replace(
            ask("x", HALF),
            charges=(ask("x", HALF).charges[0], Charge(FEE, Unit.MICRO_YUAN, DUE - 1)),
        ),
        replace(ask("x", HALF), terms=terms(0)),
        replace(ask("x", HALF), idempotency_key=""),
        replace(ask("x", HALF), request_digest="abc"),
    ],
)
def test_a_request_that_no_correct_gateway_makes_is_refused(world: World, bad: object) -> None:
    size = world.journal.size()
    with pytest.raises(ValueError):
        world.ledger.reserve(bad)  # type: ignore[arg-type]
    assert world.journal.size() == size


def test_an_unknown_account_is_a_bug_not_a_refusal(world: World) -> None:
    for charge in (Charge("nobody", Unit.EPS_NANO, 1), Charge(EPS, Unit.RHO_NANO, 1)):
        with pytest.raises(UnknownAccount):
            world.ledger.reserve(replace(ask("x", HALF), charges=(charge,)))
    with pytest.raises(UnknownAccount):
        world.ledger.open_account(EPS, Unit.RHO_NANO, 1, "hn_visits@1")


def test_steps_cannot_be_forged_through_record(world: World) -> None:
    data = {"operation": "q-1", "accepted": 0, "reason": "crash", "touched": False}
    with pytest.raises(ValueError, match="own steps"):
        world.ledger.record("query.failed", "q-1.end", "op-1", data)
