"""Append to the log and read it back, inside a transaction the caller owns."""

import sqlite3
from collections.abc import Iterator

from audit.log import events, tree


class EventConflict(Exception):
    """Another event of this source carries the same id."""


def append(tx: sqlite3.Connection, event: events.Event) -> int:
    """Append one event and return its index; the same event again returns the index it has."""
    existing = _find(tx, event)
    if existing is not None:
        return existing
    leaf = events.encode(event)
    index = size(tx)
    hashed = tree.leaf_hash(leaf)
    tx.execute(
        "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)",
        (index, event.source, event.id, event.kind, leaf, hashed),
    )
    inner = tree.completed(index, hashed, node_of(tx))
    tx.executemany("INSERT INTO node VALUES (?, ?, ?)", list(inner))
    tx.execute("UPDATE head SET size = ? WHERE id = 1", (index + 1,))
    return index


def size(tx: sqlite3.Connection) -> int:
    """Return how many entries there are."""
    return int(tx.execute("SELECT size FROM head WHERE id = 1").fetchone()[0])


def node_of(tx: sqlite3.Connection) -> tree.Node:
    """Return the subtree look-up over stored hashes."""

    def node(level: int, position: int) -> bytes:
        if level == 0:
            row = tx.execute("SELECT leaf_hash FROM entry WHERE idx = ?", (position,)).fetchone()
        else:
            row = tx.execute(
                "SELECT hash FROM node WHERE level = ? AND position = ?", (level, position)
            ).fetchone()
        if row is None:
            raise LookupError(f"no subtree at level {level}, position {position}")
        return bytes(row[0])

    return node


def leaves(tx: sqlite3.Connection, start: int, end: int) -> Iterator[bytes]:
    """Yield the leaves of entries [start, end)."""
    rows = tx.execute(
        "SELECT leaf FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx", (start, end)
    )
    return (bytes(row[0]) for row in rows)


def leaves_of_kind(
    tx: sqlite3.Connection, kind: str, start: int, end: int
) -> Iterator[tuple[int, bytes]]:
    """Yield (index, leaf) of the entries of one kind in [start, end)."""
    rows = tx.execute(
        "SELECT idx, leaf FROM entry WHERE kind = ? AND idx >= ? AND idx < ? ORDER BY idx",
        (kind, start, end),
    )
    return ((int(row[0]), bytes(row[1])) for row in rows)


def leaf(tx: sqlite3.Connection, index: int) -> bytes:
    """Return one leaf."""
    row = tx.execute("SELECT leaf FROM entry WHERE idx = ?", (index,)).fetchone()
    if row is None:
        raise LookupError(f"entry {index} is not in the log")
    return bytes(row[0])


def checkpoint_at(tx: sqlite3.Connection, tree_size: int) -> str | None:
    """Return the checkpoint signed at a size."""
    row = tx.execute("SELECT note FROM checkpoint WHERE size = ?", (tree_size,)).fetchone()
    return None if row is None else str(row[0])


def keep_checkpoint(tx: sqlite3.Connection, tree_size: int, note: str) -> None:
    """Keep a checkpoint; two that were signed at once for one size differ in nothing."""
    tx.execute("INSERT INTO checkpoint VALUES (?, ?) ON CONFLICT DO NOTHING", (tree_size, note))


def _find(tx: sqlite3.Connection, event: events.Event) -> int | None:
    row = tx.execute(
        "SELECT idx, leaf FROM entry WHERE source = ? AND id = ?", (event.source, event.id)
    ).fetchone()
    if row is None:
        return None
    found = events.decode(bytes(row[1]))
    # Only the time may differ: a retry after a lost answer says the same thing later.
    if (found.kind, found.subject, dict(found.data)) != (
        event.kind,
        event.subject,
        dict(event.data),
    ):
        raise EventConflict(
            f"event `{event.id}` of source `{event.source}` is in the log with other content"
        )
    return int(row[0])
