"""What stands around each answer and must not stand in the log or in a shared cell: the asker's own column names,
the public facts of the plan, the receipt that was handed out.

Kept apart from the ledger because nothing here is money or loss: losing this file loses names of columns, no more. It is
written before the reservation, so an answer that the ledger holds always finds its face.
"""

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS asked (
  operation TEXT PRIMARY KEY, operator TEXT NOT NULL, request_digest TEXT NOT NULL, face TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS given (operation TEXT PRIMARY KEY, receipt TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was about to be reserved."""

    operation: str
    operator: str
    request_digest: str
    face: Mapping[str, Any]


class AskedStore:
    """One small SQLite file. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self._turn = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def put(self, asked: Asked) -> None:
        """Keep the face of a question durably."""
        face = json.dumps(asked.face, ensure_ascii=False)
        with self._turn:
            self._connection.execute(
                "INSERT INTO asked VALUES (?, ?, ?, ?)",
                (asked.operation, asked.operator, asked.request_digest, face),
            )

    def get(self, operation: str) -> Asked | None:
        """Return the face of an operation."""
        with self._turn:
            row = self._connection.execute(
                "SELECT operation, operator, request_digest, face FROM asked WHERE operation = ?",
                (operation,),
            ).fetchone()
        return None if row is None else Asked(row[0], row[1], row[2], json.loads(row[3]))

    def receipt(self, operation: str, made: str) -> str:
        """Return the receipt that was handed out first, keeping `made` if none was: retries are equal to the byte."""
        with self._turn:
            self._connection.execute(
                "INSERT INTO given VALUES (?, ?) ON CONFLICT DO NOTHING", (operation, made)
            )
            row = self._connection.execute(
                "SELECT receipt FROM given WHERE operation = ?", (operation,)
            ).fetchone()
        return str(row[0])

    def handed_out(self, operation: str) -> str | None:
        """Return the receipt that was handed out, if one was."""
        with self._turn:
            row = self._connection.execute(
                "SELECT receipt FROM given WHERE operation = ?", (operation,)
            ).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._connection.close()
