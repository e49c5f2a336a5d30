"""Places for answers in the making, and the fixed instant at which each leaves.

Reason  A place is kept until the instant of release, however soon the worker was done: if it were given to the next in
        line early, the wait of the next would tell how long this one took, and with it something about rows.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Generic, TypeVar

from policies.refusals import Refused, Stage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Late(Generic[T]):
    """The work was not done when it had to be. It goes on by itself to its own end; what it brings is thrown away."""


class Place:
    """One answer in the making. Instants are counted from the moment the place was given."""

    def __init__(
        self, workers: ThreadPoolExecutor, settle_after_s: float, release_after_s: float
    ) -> None:
        accepted = monotonic()
        self._workers = workers
        self._settle_at = accepted + settle_after_s
        self._release_at = accepted + release_after_s

    def run(self, work: Callable[[], T]) -> T | Late[T]:
        """Do the work beside, for as long as there is time before the settling."""
        future: Future[T] = self._workers.submit(work)
        try:
            return future.result(max(0.0, self._settle_at - monotonic()))
        except NotDone:
            future.cancel()
            return Late()

    def wait_until_settling(self) -> None:
        """Sleep until the answer may be posted: the log and the budget show that moment to others."""
        _sleep_until(self._settle_at)

    def wait_until_release(self) -> None:
        """Sleep until the answer may leave."""
        _sleep_until(self._release_at)


class Places:
    """At most `workers_max` answers in the making, at most `waiting_max` questions before them."""

    def __init__(self, workers_max: int, waiting_max: int) -> None:
        self._free = threading.BoundedSemaphore(workers_max)
        self._admitted = threading.BoundedSemaphore(workers_max + waiting_max)
        # Twice as many threads as places: a stuck worker that is still being reaped must not delay the next.
        self._workers = ThreadPoolExecutor(2 * workers_max, thread_name_prefix="worker")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Let a question in to wait for its place.

        Refuses  at once when too many wait: a queue without end is an answer nobody waits for.
        """
        if not self._admitted.acquire(blocking=False):
            raise Refused("node_busy", Stage.DOOR)
        try:
            yield
        finally:
            self._admitted.release()

    @contextmanager
    def place(self, settle_after_s: float, release_after_s: float) -> Iterator[Place]:
        """Wait for a place and keep it until the block ends."""
        with self._free:
            yield Place(self._workers, settle_after_s, release_after_s)

    def close(self) -> None:
        """Wait for what still runs, and start nothing more."""
        self._workers.shutdown(wait=True, cancel_futures=True)


def _sleep_until(instant: float) -> None:
    while (left := instant - monotonic()) > 0:
        sleep(left)
