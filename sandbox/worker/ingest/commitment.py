"""Name a snapshot without telling anything about it.

    content hash   SHA-256 over the declaration's digest and, table by table, the hashes of its rows in sorted order
    snapshot id    SHA-256 over 32 random bytes and the content hash

The id is public. The random bytes and the content hash stay in the holder's folder; with them the holder can show an
auditor inside the domain that a file is the one an answer was computed from. A plain hash of the content would confirm a
guess at one person's data to anybody.
"""

# ruff: noqa: S608  # SQL is composed of our own words and of declared names, each quoted by `names.quoted`

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import duckdb

from policies.dataset import Dataset
from sandbox.worker.ingest.canonical import row_content
from sandbox.worker.ingest.names import quoted

SALT_BYTES = 32
_FORMAT = 1
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class SnapshotCommitment:
    """The public id and what opens it."""

    snapshot_id: str
    salt: bytes
    content_hash: str


def commit(content_hash: str) -> SnapshotCommitment:
    """Commit to a content hash under fresh randomness."""
    salt = secrets.token_bytes(SALT_BYTES)
    return SnapshotCommitment(snapshot_id(salt, content_hash), salt, content_hash)


def snapshot_id(salt: bytes, content_hash: str) -> str:
    """Return the id that the salt and the content hash open."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(salt + bytes.fromhex(content_hash)).hexdigest()


def content_hash(connection: duckdb.DuckDBPyConnection, dataset: Dataset, name: str) -> str:
    """Hash the declared columns of every table of the attached snapshot `name`; the order of rows does not matter."""
    total = hashlib.sha256(b"keyong snapshot content 1\n")
    total.update(dataset.digest.encode() + b"\n")
    for table in dataset.tables:
        total.update(table.name.encode() + b"\n")
        row = f"sha256({row_content(table.columns)})"
        # Sorted by the engine, which spills, and read piece by piece: all hashes of a large table do not fit in memory.
        found = connection.execute(
            f"SELECT {row} AS row_hash FROM {name}.{quoted(table.name)} ORDER BY row_hash"
        )
        for part, digest in _parts(found):
            total.update(f"{part} {digest}\n".encode())
    return total.hexdigest()


def _parts(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """Hash sorted row hashes in up to 256 parts by their first two digits."""
    part, running = "", hashlib.sha256()
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        for following, hashes in groupby((row[0] for row in rows), key=lambda text: text[:2]):
            if part and following != part:
                yield part, running.hexdigest()
                running = hashlib.sha256()
            part = following
            running.update("".join(hashes).encode())
    if part:
        yield part, running.hexdigest()


def written(commitment: SnapshotCommitment) -> bytes:
    """Write the opening for the holder's folder."""
    content = {
        "format_version": _FORMAT,
        "snapshot_id": commitment.snapshot_id,
        "salt": commitment.salt.hex(),
        "content_hash": commitment.content_hash,
    }
    return (json.dumps(content, indent=1) + "\n").encode()
