"""The spine: the one function that knows the whole way of a question, from the door to the answer and back.

    recall     a key that was used before gives what became of it, and runs nothing
    prepare    dataset, policy, plan, rehearsal, price                     nothing is spent
    reuse      all it needs was measured of the same snapshot before       nothing is drawn anew
    reserve    loss and money are set aside                                durable before any row is read
    run        once, beside the data
    post       answer, loss, fee and log entry in one transaction          durable before the answer leaves
    release    at the instant of the size class, never early, never late

The comment before each step says what it means if the machine stops right there.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from audit.request import Conflict, Insufficient, Posting, Replayed
from audit.store.cells import Kept
from audit.store.operations import FenceRejected, State
from gateway.accounts import open_accounts
from gateway.again import from_store
from gateway.answer import Answer, compose, with_receipt
from gateway.ask import Ask
from gateway.asked import Asked
from gateway.cells import kept_of
from gateway.node import Node
from gateway.outcome import ledger_request, new_operation, not_reserved, recalled, unanswered
from gateway.places import Late, Place
from gateway.prepare import Prepared, prepare
from gateway.register import is_held
from gateway.unanswered import Unanswered
from policies.refusals import Refused, Stage
from sandbox import client, wire
from sandbox.client import Failed

T = TypeVar("T")

# Named so that a crash test can stop the process at each.
FAULT_POINTS = ("prepared", "reserved", "started", "ran", "settling", "posted", "released")


@dataclass(frozen=True, slots=True)
class _Open:
    """A reserved operation: its face, the right to settle it, and the cell its answer will be found by."""

    asked: Asked
    fence: str
    cell: str


@dataclass(frozen=True, slots=True)
class Written:
    """A release as the ledger keeps it, with its noisy totals, and as its asker reads it."""

    content: bytes
    composed: bytes
    kept: Kept


def ask_question(node: Node, ask: Ask, key: str) -> Answer:
    """Answer a question once, and again under the same key for as long as the ledger lives.

    Refuses  everything that may not be asked; logged, nothing spent, the key stays free.
    """
    # A crash before the reservation leaves no trace: the asker tries again, with the same key or another.
    before = recalled(node, ask, node.ledger.outcome(ask.operator, key))
    if before is not None:
        return before
    operation = new_operation(node)
    try:
        with node.places.admitted():
            return _first_time(node, ask, (operation, key))
    except Refused as refused:
        node.ledger.refuse(operation, ask.operator, refused.stage.value, refused.code)
        raise


def _first_time(node: Node, ask: Ask, ids: tuple[str, str]) -> Answer:
    prepared = prepare(node, ask)
    node.fault("prepared")
    # A crash in `reuse` is the database's: the stored answer was given out and metered, or nothing happened.
    given = from_store(node, ask, ids, prepared)
    if given is not None:
        return given
    refuse_quarantined(node, prepared)
    size = node.settings.size_classes[prepared.size_class]
    with node.places.place(size.release_s - node.settings.settle_s, size.release_s) as place:
        return _reserved(node, ask, ids, prepared, place)


def _reserved(
    node: Node, ask: Ask, ids: tuple[str, str], prepared: Prepared, place: Place
) -> Answer:
    operation, _ = ids
    refuse_changed(node, ask, prepared)
    # A crash while accounts are opened leaves accounts that nothing was charged to.
    open_accounts(node.ledger, tuple(load.account for load in prepared.loads))
    # The face comes before the reservation: a crash between them leaves names of columns that no answer will use.
    asked = Asked(operation, ask.operator, ask.digest, prepared.face)
    node.asked.put(asked)
    reserved = node.ledger.reserve(ledger_request(node, ask, ids, prepared))
    if isinstance(reserved, Replayed | Conflict | Insufficient):
        return not_reserved(node, ask, reserved, prepared)
    try:
        # A crash from here on leaves a hold; at the next start it is given back, for no worker had leave to start.
        node.fault("reserved")
        node.ledger.start(operation, reserved.fence)
        # A crash from here on spends: whether the worker had read a row cannot be known. The key says `failed, spent`.
        node.fault("started")
        done = place.run(lambda: run_worker(node, asked, prepared))
        node.fault("ran")
        # The log shows when an entry was made and the budget when it moved, so both wait for the fixed instant too.
        place.wait_until_settling()
        node.fault("settling")
        return _settled(node, _Open(asked, reserved.fence, prepared.planned.digest), done, place)
    except Exception as bug:
        if not isinstance(bug, Unanswered):
            _settle_after_bug(node, operation, reserved.fence)
        raise


def run_worker(node: Node, asked: Asked, prepared: Prepared) -> "Written | Failed":
    """Run the worker and write its answer down, all of it before the settling: long answers take time to write."""
    limits = node.settings.query_limits(prepared.size_class)
    plan, snapshot = prepared.planned.plan, prepared.served.snapshot
    done = client.run(plan, snapshot, node.isolation.runtime, limits)
    if isinstance(done, Failed):
        return done
    shown = done.release
    return Written(wire.encode(shown), compose(asked, shown), kept_of(prepared, done.noisy))


def _settled(
    node: Node, opened: "_Open", done: "Written | Failed | Late[Written | Failed]", place: Place
) -> Answer:
    asked, fence = opened.asked, opened.fence
    if not isinstance(done, Written):
        reason, touched = reason_of(done)
        node.ledger.fail(asked.operation, fence, reason, touched)
        # A crash from here on loses nothing: the key says `failed`, and what that cost.
        node.fault("posted")
        place.wait_until_release()
        raise unanswered(asked, touched)
    posted = node.ledger.post(Posting(asked.operation, fence, done.content, opened.cell, done.kept))
    # A crash from here on loses nothing: answer, loss, fee and log are one fact, and the key brings the answer back.
    node.fault("posted")
    receipt = node.asked.receipt(asked.operation, node.journal.receipt(posted.index))
    given = with_receipt(asked.operation, done.composed, receipt, posted.index)
    place.wait_until_release()
    node.fault("released")
    return given


def reason_of(done: "Failed | Late[T]") -> tuple[str, bool]:
    """Return the word for the ledger, and whether rows may have been read."""
    if isinstance(done, Late):
        return "deadline", True
    # The ledger gives a loss back for this one word only: the worker never stood, so nothing was handed to it.
    return ("runtime_unavailable", False) if not done.touched else (done.reason, True)


def _settle_after_bug(node: Node, operation: str, fence: str) -> None:
    """End what a bug of ours left open, as a crash would be ended; if even that fails, the next start does it."""
    with suppress(FenceRejected, OSError, sqlite3.Error):
        outcome = node.ledger.outcome_of(operation)
        started = outcome is not None and outcome.state is State.RUNNING
        node.ledger.fail(operation, fence, "gateway_fault", started)


def refuse_changed(node: Node, ask: Ask, prepared: Prepared) -> None:
    """Refuse what a holder has stopped or taken back while the question waited for its place."""
    known, policy = node.register.known(), prepared.policy
    current = known.policies.get(policy.metadata.id)
    if is_held(known, ask.dataset) or current is None or current.digest != policy.digest:
        raise Refused("policy_suspended", Stage.CHECK, policy=policy.metadata.id)
    if known.datasets[ask.dataset].commitment != prepared.served.commitment:
        # There is a newer snapshot; asked again, the question is planned for that.
        raise Refused("node_busy", Stage.DOOR)


def refuse_quarantined(node: Node, prepared: Prepared) -> None:
    """Refuse a question whose run has failed, until a holder has looked."""
    # One failure may have told one bit; asked again and again it could tell the rest, whoever asks.
    shape = prepared.terms.shape
    if node.ledger.shape_failures(shape) > prepared.known.reviewed.get(shape, 0):
        raise Refused("query_quarantined", Stage.LEDGER)
