"""One SQLite file, opened so that an acknowledged transaction survives a power cut.

Concurrency   Threads of one process take turns on one writing connection (`_turn`); processes take turns through
              SQLite's own lock (BEGIN IMMEDIATE). Readers see the last committed state and wait for nobody.
Refuses       to start unless the file is in WAL mode and every commit is synced.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.store.schema import STEPS, USER_VERSION

# Several gateways queue behind one writer; each step takes milliseconds, so a wait of this length is a fault.
BUSY_TIMEOUT_S = 30
_SYNCED = (2, 3)  # FULL, EXTRA


class StoreRefused(Exception):
    """The file cannot be used safely; serving from it could lose what was acknowledged."""


class Store:
    """The embedded database. One object per process; share it between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Answers and the salts of their commitments lie here; SQLite gives its side files the same mode.
        path.touch(mode=0o600, exist_ok=True)
        self._turn = threading.RLock()
        self._readers = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._claims: dict[str, object] = {}
        self._writer = self._connect()
        self._create()
        self._refuse_unsafe(self._writer)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open the one writing transaction; leaving it normally has made it durable, an exception undoes it."""
        with self._turn:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has undone the transaction already. Nothing was acknowledged, so undoing is always right.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open one consistent view for several reads."""
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    def claim(self, source: str) -> None:
        """Make this process the only one that writes as `source`, until it ends.

        Recovery settles a source's open operations; under a second process of the same name they would still be
        running.
        """
        with self._turn:
            if source in self._claims:
                raise StoreRefused(f"source `{source}` is in use by this process")
            lock = self.path.with_name(f"{self.path.name}.{source.replace('/', '_')}.lock").open(
                "a"
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise StoreRefused(
                    f"source `{source}` is in use by another process; give each its own name"
                ) from None
            self._claims[source] = lock

    def close(self) -> None:
        """Close every connection and give back the claims. No thread may be using the store."""
        with self._turn:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
            for lock in self._claims.values():
                lock.close()  # type: ignore[attr-defined]
            self._claims.clear()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        with self._turn:
            self._opened.append(connection)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _create(self) -> None:
        # Two processes may start on an empty file at once; the second finds the number set and creates nothing.
        with self.write() as tx:
            version = tx.execute("PRAGMA user_version").fetchone()[0]
            for step in STEPS[version:]:
                for statement in _statements(step):
                    tx.execute(statement)
            if version > USER_VERSION:
                raise StoreRefused(
                    f"`{self.path.name}` has layout {version}, this release reads up to {USER_VERSION}"
                )

    @staticmethod
    def _refuse_unsafe(connection: sqlite3.Connection) -> None:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
        if mode != "wal" or synchronous not in _SYNCED:
            raise StoreRefused(
                f"journal mode is `{mode}` and synchronous is {synchronous}; a commit would not survive a power cut, "
                "keep the file on a local disk that supports WAL"
            )


def _statements(script: str) -> Iterator[str]:
    """Split a script where SQLite itself says a statement is complete (a trigger holds semicolons)."""
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
