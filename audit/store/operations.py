"""Operations as rows: who asked under which key, how far it got, and what was released."""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How far an operation got. The first two are open, the others final."""

    RESERVED = "reserved"
    RUNNING = "running"
    RELEASED = "released"
    FAILED = "failed"
    VOIDED = "voided"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `ended_index` and `reason` are None while it is open; `release_of` names whose bytes answer it.

    `together` is the first of the operations that were asked as one, None for one that was asked alone.
    """

    id: str
    client_id: str
    request_digest: str
    source: str
    state: State
    deadline: str
    accepted_index: int
    ended_index: int | None
    reason: str | None
    touched: bool | None
    release_of: str | None
    together: str | None


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """Released bytes with what opens their commitment; `index` is their leaf."""

    operation_id: str
    accepted_index: int
    index: int
    content: bytes
    salt: bytes
    commitment: str


# The name the gateway still asks for.
Release = StoredRelease


class FenceRejected(Exception):
    """The operation is not open for this caller: it ended, was never started, started already, or the fence is
    another's.

    A late worker's result meets this and must be thrown away: its loss was settled without it.
    """


_COLUMNS = "id, client, request_digest, source, state, deadline, accepted_idx, ended_idx, reason, touched, release_of, together"


def insert(
    tx: sqlite3.Connection,
    operation: Operation,
    idempotency_key: str,
    fence: str,
    terms: tuple[str, str],
) -> None:
    """Add a row; `terms` are the family and the shape."""
    tx.execute(
        "INSERT INTO operation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            operation.id,
            operation.client_id,
            idempotency_key,
            operation.request_digest,
            operation.source,
            fence,
            operation.state,
            operation.deadline,
            *terms,
            operation.accepted_index,
            operation.ended_index,
            operation.reason,
            operation.touched,
            operation.release_of,
            operation.together,
        ),
    )


def by_key(tx: sqlite3.Connection, client_id: str, idempotency_key: str) -> Operation | None:
    """Return what a client asked under a key."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM operation WHERE client = ? AND idempotency_key = ?",  # noqa: S608 (constant columns)
        (client_id, idempotency_key),
    ).fetchone()
    return None if row is None else _operation(row)


def by_id(tx: sqlite3.Connection, operation_id: str) -> Operation | None:
    """Return one operation."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM operation WHERE id = ?",  # noqa: S608 (constant columns)
        (operation_id,),
    ).fetchone()
    return None if row is None else _operation(row)


def open_of(tx: sqlite3.Connection, source: str) -> tuple[Operation, ...]:
    """Return the open operations that `source` accepted, oldest first."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM operation WHERE ended_idx IS NULL AND source = ? "  # noqa: S608 (constant columns)
        "ORDER BY accepted_idx",
        (source,),
    )
    return tuple(_operation(row) for row in rows)


def overdue(tx: sqlite3.Connection, now: str) -> tuple[Operation, ...]:
    """Return the open operations past their deadline, of every source. Times compare as text in the log's spelling."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM operation WHERE ended_idx IS NULL AND deadline < ? "  # noqa: S608 (constant columns)
        "ORDER BY accepted_idx",
        (now,),
    )
    return tuple(_operation(row) for row in rows)


def take(tx: sqlite3.Connection, operation_id: str, fence: str) -> Operation:
    """Return an open operation to the holder of its fence."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM operation WHERE id = ? AND fence = ? AND ended_idx IS NULL",  # noqa: S608
        (operation_id, fence),
    ).fetchone()
    if row is None:
        raise FenceRejected(f"operation `{operation_id}` is not open under this fence")
    return _operation(row)


def start(tx: sqlite3.Connection, operation_id: str) -> None:
    """Flip reserved to running, once."""
    changed = tx.execute(
        "UPDATE operation SET state = ? WHERE id = ? AND state = ?",
        (State.RUNNING, operation_id, State.RESERVED),
    ).rowcount
    if changed != 1:
        raise FenceRejected(f"operation `{operation_id}` has been started before")


def end(tx: sqlite3.Connection, operation: Operation, index: int) -> None:
    """Write the final state of an operation, taken from `operation`."""
    changed = tx.execute(
        "UPDATE operation SET state = ?, ended_idx = ?, reason = ?, touched = ?, release_of = ? "
        "WHERE id = ? AND ended_idx IS NULL",
        (
            operation.state,
            index,
            operation.reason,
            operation.touched,
            operation.release_of,
            operation.id,
        ),
    ).rowcount
    if changed != 1:
        raise FenceRejected(f"operation `{operation.id}` has ended before")


def insert_release(tx: sqlite3.Connection, release: StoredRelease) -> None:
    """Keep released bytes."""
    tx.execute(
        "INSERT INTO release VALUES (?, ?, ?, ?, ?, ?)",
        (
            release.operation_id,
            release.accepted_index,
            release.index,
            release.content,
            release.salt,
            release.commitment,
        ),
    )


def insert_cell(tx: sqlite3.Connection, cell_digest: str, operation_id: str) -> None:
    """Let a repeated question find an answer. The first answer of a cell stays its answer."""
    tx.execute("INSERT INTO cell VALUES (?, ?) ON CONFLICT DO NOTHING", (cell_digest, operation_id))


def release_of(tx: sqlite3.Connection, operation_id: str) -> StoredRelease | None:
    """Return what an operation released."""
    row = tx.execute(
        "SELECT operation, accepted_idx, idx, bytes, salt, commitment FROM release WHERE operation = ?",
        (operation_id,),
    ).fetchone()
    return (
        None
        if row is None
        else StoredRelease(row[0], row[1], row[2], bytes(row[3]), bytes(row[4]), row[5])
    )


def cell(tx: sqlite3.Connection, cell_digest: str) -> StoredRelease | None:
    """Return the stored answer to a question, if it was asked before."""
    row = tx.execute("SELECT operation FROM cell WHERE digest = ?", (cell_digest,)).fetchone()
    return None if row is None else release_of(tx, row[0])


def review(tx: sqlite3.Connection, client_id: str, family: str, index: int) -> None:
    """Note that failures up to `index` were looked at."""
    tx.execute(
        "INSERT INTO review VALUES (?, ?, ?) ON CONFLICT (client, family) DO UPDATE SET idx = excluded.idx",
        (client_id, family, index),
    )


def failures(tx: sqlite3.Connection, client_id: str, family: str) -> int:
    """Count the failures after rows were touched that no holder has looked at yet.

    Operations that were asked as one ended with one word: together they told one bit.
    """
    row = tx.execute(
        "SELECT count(DISTINCT coalesce(together, id)) FROM operation "
        "WHERE family = ? AND client = ? AND touched = 1 AND ended_idx > "
        "coalesce((SELECT idx FROM review WHERE client = ? AND family = ?), -1)",
        (family, client_id, client_id, family),
    ).fetchone()
    return int(row[0])


def shape_failures(tx: sqlite3.Connection, shape: str) -> int:
    """Count the failures after rows were touched of one query shape, by anybody."""
    row = tx.execute(
        "SELECT count(*) FROM operation WHERE shape = ? AND touched = 1", (shape,)
    ).fetchone()
    return int(row[0])


def _operation(row: tuple[object, ...]) -> Operation:
    values = dict(zip(Operation.__dataclass_fields__, row, strict=True))
    touched = values["touched"]
    values["state"] = State(str(values["state"]))
    values["touched"] = None if touched is None else bool(touched)
    return Operation(**values)  # type: ignore[arg-type]
