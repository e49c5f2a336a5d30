"""Answer from what was released before: the same bytes, or other ones made from the same noisy totals.

Every function works inside the caller's transaction. No loss moves: the noise was drawn and paid for once.
"""

import secrets
from dataclasses import replace
from sqlite3 import Connection

from audit import settle
from audit.log import events
from audit.log.commitment import commit
from audit.request import Request
from audit.store import accounts, entries, operations
from audit.store.operations import Operation, State, StoredRelease


class NoSuchSource(ValueError):
    """An answer names totals that are not there, or are of another family or snapshot."""


def repeat(
    tx: Connection, request: Request, row: Operation, release: StoredRelease, now: str
) -> int:
    """Give the stored bytes again; return the index of the leaf."""
    _refuse_other(tx, request, release.accepted_index)
    data = {
        "operation": request.operation_id,
        "released": release.index,
        "commitment": release.commitment,
        "charges": request.charge_fields(),
        **request.terms.fields(),
    }
    index = entries.append(tx, settle.event("query.reused", "end", row, now, data))
    _end(tx, request, replace(row, accepted_index=index, release_of=release.operation_id), now)
    return index


def derive(
    tx: Connection, request: Request, row: Operation, made: tuple[bytes, tuple[str, ...]], now: str
) -> StoredRelease:
    """Keep an answer made from the noisy totals of earlier operations: (its bytes, their ids)."""
    content, sources = made
    found = [operations.release_of(tx, source) for source in sources]
    if not found or not all(found):
        raise NoSuchSource("the operations an answer is made from have released something")
    for source in found:
        _refuse_other(tx, request, source.accepted_index if source else -1)
    sealed = commit(content)
    data = {
        "operation": request.operation_id,
        "released": sorted({source.index for source in found if source}),
        "commitment": sealed.digest,
        "charges": request.charge_fields(),
        **request.terms.fields(),
    }
    index = entries.append(tx, settle.event("query.derived", "end", row, now, data))
    _end(tx, request, replace(row, accepted_index=index, release_of=row.id), now)
    return StoredRelease(row.id, index, index, content, sealed.salt, sealed.digest)


def _end(tx: Connection, request: Request, row: Operation, now: str) -> None:
    ended = replace(row, state=State.REUSED, ended_index=row.accepted_index)
    terms = (request.terms.family, request.terms.shape)
    operations.insert(tx, ended, request.idempotency_key, secrets.token_hex(16), terms)
    accounts.post_at_once(tx, request.charges)
    settle.record_usage(tx, ended, row.accepted_index, now)


def _refuse_other(tx: Connection, request: Request, accepted_index: int) -> None:
    # Pair assertion: a digest that forgot the snapshot would hand out an answer about other data.
    accepted = events.decode(entries.leaf(tx, accepted_index)).data
    terms = request.terms.fields()
    if any(accepted[name] != terms[name] for name in ("family", "snapshots")):
        raise NoSuchSource(
            "stored answer is of another family or snapshot; the cell digest is wrong"
        )
