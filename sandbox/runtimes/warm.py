"""Keep confined workers waiting, so that a request does not wait for a program to start.

A spare is a worker like any other: its own fresh program, its own namespaces, one request and then its end. Only its
start lies before the request instead of after it. It knows its mounts and no request, and its generator of noise has
drawn nothing that another worker has.
"""

import threading
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from sandbox.channel import Limits, Role
from sandbox.runtimes.base import (
    Claims,
    Died,
    Folders,
    Mounts,
    Outcome,
    Reason,
    Runtime,
    Snapshot,
    Standing,
    Unavailable,
)
from sandbox.runtimes.conversation import Begun, check_request


class Beginner(Runtime, Protocol):
    """A runtime that can start a worker before its request is known."""

    def begin(self, role: Role, mounts: Mounts, limits: Limits) -> Begun | Died:
        """Start a worker, or say why not."""
        ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """Runs that the same spare can serve. `stamp` tells a file from another one that took its name."""

    role: Role
    mounts: Mounts
    limits: Limits
    stamp: tuple[int, ...]


class WarmRuntime:
    """A runtime with `spares` workers waiting for each of the `kinds_max` kinds of run that were asked for last.

    A waiting worker keeps its snapshot mounted, and a deleted file's blocks with it: call `dismiss` when a snapshot is
    withdrawn or disposed of.
    """

    def __init__(self, inner: Beginner, spares: int, kinds_max: int) -> None:
        if spares <= 0 or kinds_max <= 0:
            raise ValueError("a warm runtime keeps at least one spare of one kind")
        self._inner = inner
        self._spares = spares
        self._kinds_max = kinds_max
        self._waiting: OrderedDict[_Kind, deque[Begun]] = OrderedDict()
        self._lock = threading.Lock()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="spares")

    @property
    def name(self) -> str:
        """The name of the runtime that starts the workers."""
        return self._inner.name

    @property
    def claims(self) -> Claims:
        """The claims of the runtime that starts the workers."""
        return self._inner.claims

    def probe(self) -> Standing | Unavailable:
        """Try the isolation with a harmless worker."""
        return self._inner.probe()

    def run(self, role: Role, request: bytes, mounts: Mounts, limits: Limits) -> Outcome:
        """Serve the request with a spare if one waits, otherwise with a worker started now."""
        check_request(request)
        if isinstance(mounts, Folders):  # each ingest has folders of its own
            return self._inner.run(role, request, mounts, limits)
        kind = _Kind(role, mounts, limits, _stamp(mounts))
        spare = self._take(kind)
        outcome = spare.finish(request) if spare is not None else None
        # A spare that never stood confined was given no request: another one may be.
        if outcome is None or (isinstance(outcome, Died) and outcome.reason is Reason.NOT_STARTED):
            outcome = self._inner.run(role, request, mounts, limits)
        self._starter.submit(self._fill, kind)
        return outcome

    def prepare(self, role: Role, mounts: Mounts, limits: Limits) -> None:
        """Start the spares of one kind now, before the first request for it."""
        self._fill(_Kind(role, mounts, limits, _stamp(mounts)))

    def dismiss(self) -> None:
        """End every waiting worker, and with it its hold on a snapshot."""
        with self._lock:
            dismissed = [begun for row in self._waiting.values() for begun in row]
            self._waiting.clear()
        for begun in dismissed:
            begun.abandon()

    def close(self) -> None:
        """End every waiting worker and start no more."""
        self._starter.shutdown(wait=True, cancel_futures=True)
        self.dismiss()

    def _take(self, kind: _Kind) -> Begun | None:
        with self._lock:
            row = self._waiting.get(kind)
            return row.popleft() if row else None

    def _fill(self, kind: _Kind) -> None:
        with self._lock:
            row = self._waiting.setdefault(kind, deque())
            self._waiting.move_to_end(kind)
            wanted = self._spares - len(row)
        started = [self._inner.begin(kind.role, kind.mounts, kind.limits) for _ in range(wanted)]
        with self._lock:
            row = self._waiting.setdefault(kind, row)
            row.extend(begun for begun in started if isinstance(begun, Begun))
            beyond = [self._waiting.popitem(last=False)[1] for _ in range(self._excess())]
        for begun in (begun for row in beyond for begun in row):
            begun.abandon()

    def _excess(self) -> int:
        return max(0, len(self._waiting) - self._kinds_max)


def _stamp(mounts: Mounts) -> tuple[int, ...]:
    if not isinstance(mounts, Snapshot):
        return ()
    try:
        found = mounts.file.stat()
    except OSError:
        return (0,)  # the worker will say what is wrong with it
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
