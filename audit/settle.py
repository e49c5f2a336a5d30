"""End an operation: the one path for a normal answer, a failure, a deadline and a crash.

Every function works inside the caller's transaction, so that an ending, its event and its postings are one fact.
"""

from collections.abc import Mapping
from dataclasses import replace
from sqlite3 import Connection

from audit.charge import UNTOUCHED_REASONS, Ending
from audit.log import events
from audit.log.commitment import Commitment, commit
from audit.request import Posted, Posting
from audit.store import accounts, cells, entries, operations
from audit.store.operations import FenceRejected, Operation, State, StoredRelease


def posted(tx: Connection, posting: Posting, now: str) -> Posted:
    """End with an answer and keep it, its totals and its usage record."""
    operation = operations.take(tx, posting.operation_id, posting.fence)
    sealed = commit(posting.content)
    index = released(tx, operation, sealed, now)
    usage_index = record_usage(tx, operation, index, now)
    release = StoredRelease(
        operation.id,
        operation.accepted_index,
        index,
        posting.content,
        sealed.salt,
        sealed.digest,
    )
    operations.insert_release(tx, release)
    operations.insert_cell(tx, posting.cell_digest, operation.id)
    if posting.kept is not None:
        cells.keep(tx, operation.id, posting.kept)
    return Posted(index, usage_index)


def released(tx: Connection, operation: Operation, sealed: Commitment, now: str) -> int:
    """End with an answer; return the index of its leaf."""
    if operation.state is not State.RUNNING:
        raise FenceRejected(f"operation `{operation.id}` was never started")
    ended = replace(operation, state=State.RELEASED, release_of=operation.id)
    return _end(tx, ended, Ending.RELEASED, {"commitment": sealed.digest}, now)


def unanswered(tx: Connection, operation: Operation, reason: str, touched: bool, now: str) -> int:
    """End without an answer: void what was never started, fail what was; return the index of the leaf."""
    if operation.state is State.RESERVED:
        if touched:
            raise ValueError(
                f"operation `{operation.id}` was never started, so nothing was touched"
            )
        ended = replace(operation, state=State.VOIDED, reason=reason, touched=False)
        return _end(tx, ended, Ending.VOIDED, {"reason": reason}, now)
    # A refund must not depend on data: after a start only reasons from before the data was opened qualify.
    if not touched and reason not in UNTOUCHED_REASONS:
        raise ValueError(f"reason `{reason}` cannot show that no row was read; pass touched=True")
    ended = replace(operation, state=State.FAILED, reason=reason, touched=touched)
    ending = Ending.FAILED_TOUCHED if touched else Ending.FAILED_UNTOUCHED
    return _end(tx, ended, ending, {"reason": reason, "touched": touched}, now)


def record_usage(tx: Connection, operation: Operation, index: int, now: str) -> int:
    """Log what an answer is billed for: what was accepted, whatever happened since."""
    accepted = events.decode(entries.leaf(tx, operation.accepted_index)).data
    names = ("operation", "plan", "agreement", "usage", "quote")
    data = {name: accepted[name] for name in names} | {"of": index}
    return entries.append(tx, event("usage.recorded", "usage", operation, now, data))


def _end(
    tx: Connection, operation: Operation, ending: Ending, data: dict[str, object], now: str
) -> int:
    data |= {"operation": operation.id, "accepted": operation.accepted_index}
    # Every ending has the same event id, so that the log's unique ids allow one ending and no more.
    index = entries.append(tx, event(f"query.{operation.state}", "end", operation, now, data))
    operations.end(tx, operation, index)
    accounts.settle(tx, operation.id, ending)
    return index


def event(
    kind: str, part: str, operation: Operation, now: str, data: Mapping[str, object]
) -> events.Event:
    """Return an operation's event. The source that accepted it names its ending, whichever process settles it."""
    return events.Event(
        kind, f"{operation.id}.{part}", operation.source, now, operation.client_id, data
    )
