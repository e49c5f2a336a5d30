"""The way of a batch: planned whole, reserved whole, run one after the other, posted whole; then what follows is given.

    A crash before the reservation     nothing happened
    after it, before the start         given back, all of it
    after the start                    spent, all of it; the key says so, and no member is ever run again
    after the posting                  the key brings every answer back, and what follows from them is made again for nothing

One word tells how the measured members ended: which of them failed would be more than one bit.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from audit.charge import Unit
from audit.request import Conflict, Insufficient, Posting, Replayed, Request, Reserved
from audit.store.operations import FenceRejected, State
from gateway.accounts import open_accounts
from gateway.amounts import loss_text
from gateway.asked import Asked
from gateway.batch_answers import (
    member_key,
    recalled_batch,
    told_batch,
    unanswered_batch,
    written_batch,
)
from gateway.node import Node
from gateway.operation import (
    Written,
    reason_of,
    refuse_changed,
    refuse_quarantined,
    run_worker,
)
from gateway.outcome import ledger_request, new_operation, not_reserved
from gateway.places import Late, Place
from gateway.prepare import Prepared
from gateway.unanswered import Unanswered
from gateway.workload import Batch, Part, Workload, plan_workload
from policies.refusals import Refused
from sandbox.client import Failed


@dataclass(frozen=True, slots=True)
class _Head:
    """A member that is measured: its operation, its key and its face."""

    part: Part
    key: str
    asked: Asked


def ask_batch(node: Node, batch: Batch, key: str) -> bytes:
    """Answer every question of a batch or none, once; again under the same key for as long as the ledger lives.

    Refuses  with the member that may not be asked; logged, nothing spent, the key stays free.
    """
    before = recalled_batch(node, batch, key)
    if before is not None:
        return before
    operation = new_operation(node)
    try:
        with node.places.admitted():
            return _first_time(node, batch, (operation, key))
    except Refused as refused:
        node.ledger.refuse(operation, batch.operator, refused.stage.value, refused.code)
        raise


def _first_time(node: Node, batch: Batch, ids: tuple[str, str]) -> bytes:
    workload = plan_workload(node, batch)
    node.fault("prepared")
    if not workload.measured:
        return written_batch(node, batch, ids[1], None)
    for part in workload.measured:
        refuse_quarantined(node, part.prepared)
    size = node.settings.size_classes[workload.measured[0].prepared.size_class]
    # One instant for so many questions of a size class: a public number, whatever each of them takes.
    release_s = size.release_s * len(workload.measured)
    with node.places.place(release_s - node.settings.settle_s, release_s) as place:
        return _reserved(node, batch, ids, workload, place)


def _reserved(
    node: Node, batch: Batch, ids: tuple[str, str], workload: Workload, place: Place
) -> bytes:
    heads = _heads(node, batch, ids, workload)
    first = heads[0].part
    refuse_changed(node, first.ask, first.prepared)
    for head in heads:
        open_accounts(node.ledger, tuple(load.account for load in head.part.prepared.loads))
        node.asked.put(head.asked)
    reserved = node.ledger.reserve_all(tuple(_request(node, batch, h, len(heads)) for h in heads))
    if isinstance(reserved, Replayed):
        return told_batch(node, batch, ids[1], reserved.outcome)
    if isinstance(reserved, Conflict | Insufficient):
        not_reserved(node, first.ask, reserved, _all_loads(heads))
        raise AssertionError("what is not reserved is refused")
    opened = _opened(heads, reserved)
    try:
        node.fault("reserved")
        node.ledger.start_all(opened)
        node.fault("started")
        done = place.run(lambda: _run(node, heads))
        node.fault("ran")
        place.wait_until_settling()
        node.fault("settling")
        _settle(node, heads, opened, done, place)
    except Exception as bug:
        if not isinstance(bug, Unanswered):
            _settle_after_bug(node, opened)
        raise
    answers = written_batch(node, batch, ids[1], heads[0].asked)
    place.wait_until_release()
    node.fault("released")
    return answers


def _opened(
    heads: tuple[_Head, ...], reserved: tuple[Reserved, ...]
) -> tuple[tuple[str, str], ...]:
    return tuple((h.asked.operation, r.fence) for h, r in zip(heads, reserved, strict=True))


def _all_loads(heads: tuple[_Head, ...]) -> Prepared:
    prepared = heads[0].part.prepared
    return replace(prepared, loads=tuple(load for h in heads for load in h.part.prepared.loads))


def _heads(node: Node, batch: Batch, ids: tuple[str, str], workload: Workload) -> tuple[_Head, ...]:
    """Name the operations. The first has the key of the batch and remembers the others."""
    parts = workload.measured
    names = (ids[0], *(new_operation(node) for _ in parts[1:]))
    whole = {
        "members": {str(part.number): name for part, name in zip(parts, names, strict=True)},
        "charged": loss_text(sum(part.prepared.loss.primary for part in parts)),
    }
    heads = []
    for place, (part, name) in enumerate(zip(parts, names, strict=True)):
        digest, face = part.ask.digest, part.prepared.face
        if place == 0:
            digest, face = batch.digest, {**face, "batch": whole}
        key = ids[1] if place == 0 else member_key(ids[1], part.number)
        heads.append(_Head(part, key, Asked(name, batch.operator, digest, face)))
    return tuple(heads)


def _request(node: Node, batch: Batch, head: _Head, members: int) -> Request:
    made = ledger_request(node, head.part.ask, (head.asked.operation, head.key), head.part.prepared)
    size = node.settings.size_classes[head.part.prepared.size_class]
    charges = made.charges
    if head.asked.request_digest != batch.digest:
        # They end with one word, so together they set one failure aside.
        charges = tuple(charge for charge in charges if charge.unit is not Unit.FAILURES)
    return replace(
        made,
        request_digest=head.asked.request_digest,
        charges=charges,
        deadline=made.deadline + timedelta(seconds=size.release_s * members),
    )


def _run(node: Node, heads: tuple[_Head, ...]) -> "tuple[Written, ...] | Failed":
    done: list[Written] = []
    for head in heads:
        written = run_worker(node, head.asked, head.part.prepared)
        if isinstance(written, Failed):
            # Those before it have read rows, whatever this one did.
            return Failed(written.reason, written.touched or bool(done))
        done.append(written)
    return tuple(done)


def _settle(
    node: Node,
    heads: tuple[_Head, ...],
    opened: tuple[tuple[str, str], ...],
    done: "tuple[Written, ...] | Failed | Late[tuple[Written, ...] | Failed]",
    place: Place,
) -> None:
    if not isinstance(done, tuple):
        reason, touched = reason_of(done)
        node.ledger.fail_all(opened, reason, touched)
        node.fault("posted")
        place.wait_until_release()
        raise unanswered_batch(heads[0].asked, touched)
    node.ledger.post_all(
        tuple(
            Posting(
                operation, fence, written.content, head.part.prepared.planned.digest, written.kept
            )
            for head, (operation, fence), written in zip(heads, opened, done, strict=True)
        )
    )
    node.fault("posted")


def _settle_after_bug(node: Node, opened: tuple[tuple[str, str], ...]) -> None:
    """End what a bug of ours left open, as a crash would be ended; if even that fails, the next start does it."""
    with suppress(FenceRejected, OSError, sqlite3.Error):
        outcome = node.ledger.outcome_of(opened[0][0])
        started = outcome is not None and outcome.state is State.RUNNING
        node.ledger.fail_all(opened, "gateway_fault", started)
