"""The log's key, and the guard that keeps it from signing two histories.

A database restored from yesterday's backup looks healthy: its next checkpoint would be smaller than, or inconsistent
with, one that outsiders hold already, and two such signatures are proof of cheating. The guard file remembers the
last head signed; keep it on another volume than the database.

Source      c2sp.org/tlog-checkpoint: a log must not sign a checkpoint inconsistent with an earlier one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.log import note, tree
from audit.log.commitment import refuse_open_to_others
from audit.log.durable import replace_file

_PREFIX = "PRIVATE+KEY+"


class HeadRefused(Exception):
    """Signing would fork the log. Restore the newer database, or open a new log under a new name."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """The private half of the log's identity; `name` is the log's origin."""

    name: str
    private: Ed25519PrivateKey

    @property
    def vkey(self) -> note.VerifierKey:
        return note.VerifierKey(self.name, self.private.public_key().public_bytes_raw())


def create_key(path: Path, name: str) -> LogKey:
    """Make a key file with mode 0600; an existing file is never overwritten."""
    private = Ed25519PrivateKey.generate()
    key = LogKey(name, private)
    secret = note.to_base64(note.ED25519_TYPE + private.private_bytes_raw())
    note.parse_vkey(str(key.vkey))  # refuses a name that no verifier could read back
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{_PREFIX}{name}+{key.vkey.key_id.hex()}+{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def load_key(path: Path) -> LogKey:
    """Read a key file, refusing one that others can read."""
    refuse_open_to_others(path)
    text = path.read_text().strip()
    name, _, rest = text.removeprefix(_PREFIX).partition("+")
    _, _, encoded = rest.partition("+")
    raw = note.from_base64(encoded)
    if not text.startswith(_PREFIX) or raw[:1] != note.ED25519_TYPE or len(raw) != 1 + 32:
        raise ValueError(f"`{path.name}` is not an Ed25519 log key")
    return LogKey(name, Ed25519PrivateKey.from_private_bytes(raw[1:]))


class Signer:
    """Signs heads, each an extension of the one before."""

    def __init__(self, key: LogKey, guard: Path) -> None:
        self.key = key
        self._guard = guard

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """Wait for the turn to sign, across threads and processes.

        Read the log inside the turn: a head read before it could be smaller than one that another has signed meanwhile.
        """
        with self._guard.with_suffix(self._guard.suffix + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Turn(self.key, self._guard)


class Turn:
    """The right to sign the next head; made by `Signer.turn` alone."""

    def __init__(self, key: LogKey, guard: Path) -> None:
        self._key = key
        self._guard = guard

    def sign(self, size: int, node: tree.Node) -> str:
        """Return a signed checkpoint at `size`, or refuse to fork."""
        head = note.Checkpoint(self._key.name, size, tree.root(size, node))
        self._refuse_fork(head, node)
        # The guard is written first: a crash after it costs one signature, a crash before it could cost two histories.
        replace_file(self._guard, head.body().encode())
        return note.sign(head.body(), self._key.name, self._key.private)

    def _refuse_fork(self, head: note.Checkpoint, node: tree.Node) -> None:
        if not self._guard.exists():
            return
        last = note.parse_checkpoint(self._guard.read_text())
        if last.origin != head.origin:
            raise HeadRefused(f"guard is of log `{last.origin}`, not `{head.origin}`")
        if head.size < last.size:
            raise HeadRefused(
                f"log has {head.size} entries but {last.size} were signed; the database is older than the guard"
            )
        if last.size == 0:
            return
        proof = tree.consistency_proof(last.size, head.size, node)
        if not tree.verify_consistency(last.size, head.size, proof, last.root, head.root):
            raise HeadRefused(f"entries below {last.size} are not those that were signed")
