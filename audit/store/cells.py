"""The noisy totals behind the releases, and where a later question finds them.

Kept in the transaction that posts their loss: there is no totals without their loss, and restoring the ledger restores them.
"""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vector:
    """One noisy vector of an operation. `name` says all that fixes its law but the noise; `scale` is `float.hex()` text."""

    name: str
    position: int
    scale: str
    loss: int
    delta: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Noisy totals as the sandbox spells them, and what they hold."""

    content: bytes
    vectors: tuple[Vector, ...]


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector that can be had for nothing. `index` is the leaf of the release it came with."""

    operation_id: str
    index: int
    vector: Vector


def keep(tx: sqlite3.Connection, operation_id: str, kept: Kept) -> None:
    """Keep the totals of a release; its row is there already."""
    tx.execute("INSERT INTO noisy VALUES (?, ?)", (operation_id, kept.content))
    tx.executemany(
        "INSERT INTO vector VALUES (?, ?, ?, ?, ?, ?)",
        [(v.name, operation_id, v.position, v.scale, v.loss, v.delta) for v in kept.vectors],
    )


def vectors(tx: sqlite3.Connection, name: str) -> tuple[StoredVector, ...]:
    """Return every vector of a name, oldest first."""
    rows = tx.execute(
        "SELECT v.operation, r.idx, v.name, v.position, v.scale, v.loss, v.delta FROM vector v "
        "JOIN release r ON r.operation = v.operation WHERE v.name = ? ORDER BY r.idx, v.position",
        (name,),
    )
    return tuple(StoredVector(row[0], row[1], Vector(*row[2:])) for row in rows)


def totals(tx: sqlite3.Connection, operation_id: str) -> bytes | None:
    """Return the noisy totals of an operation."""
    row = tx.execute("SELECT bytes FROM noisy WHERE operation = ?", (operation_id,)).fetchone()
    return None if row is None else bytes(row[0])
