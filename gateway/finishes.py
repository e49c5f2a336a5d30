"""Make answers from kept totals, few at a time: the work is free of loss, not of processor time."""

import threading

from sandbox import client
from sandbox.boundary import Release, Reuse
from sandbox.client import Failed
from sandbox.runtimes.base import Limits, Runtime


class Finishes:
    """Runs finishing workers. Threads may share one."""

    def __init__(self, runtime: Runtime, at_once_max: int) -> None:
        self._runtime = runtime
        self._free = threading.BoundedSemaphore(at_once_max)

    def finish(self, reuse: Reuse, limits: Limits) -> Release | Failed:
        """Return the answer. Its time depends on what was released before, so it need not be hidden."""
        with self._free:
            return client.finish(reuse, self._runtime, limits)
