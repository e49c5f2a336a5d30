"""Rehearse each plan once: the twin holds no data, so its verdict is a fact of the plan and may be remembered."""

import threading
from collections import OrderedDict

from policies.access.model import AccessPolicy
from sandbox import client
from sandbox.boundary import Diagnosis
from sandbox.client import Planned
from sandbox.runtimes.base import Limits, Runtime

_REMEMBERED_MAX = 1024


class Rehearsals:
    """Runs twins, few at a time. Threads may share one."""

    def __init__(self, runtime: Runtime, limits: Limits, at_once_max: int) -> None:
        self._runtime = runtime
        self._limits = limits
        self._free = threading.BoundedSemaphore(at_once_max)
        self._turn = threading.Lock()
        self._seen: OrderedDict[str, Diagnosis] = OrderedDict()

    def rehearse(self, planned: Planned, policy: AccessPolicy) -> Diagnosis:
        """Return what the twin says of a plan, held to this policy's number of groups.

        Refuses  a plan that does not bind, raises, or declares more groups than the policy allows.
        """
        with self._turn:
            seen = self._seen.get(planned.digest)
        if seen is not None:
            client.judge(seen, planned.plan, policy)
            return seen
        with self._free:
            diagnosis = client.rehearse(planned.plan, policy, self._runtime, self._limits)
        with self._turn:
            self._seen[planned.digest] = diagnosis
            while len(self._seen) > _REMEMBERED_MAX:
                self._seen.popitem(last=False)
        return diagnosis
