"""The embedded default: one fresh process for each request, shut in by Linux namespaces, limits and a call filter.

It needs no daemon and no image. As root each worker becomes a user of its own; otherwise the kernel must allow user
namespaces. Where neither is to be had, `probe` says why and what to do, and a run ends as `NOT_STARTED`: nothing here
ever does with less isolation than `CLAIMS` says.
"""

import json
import os
import platform
import sys
from typing import Any

from sandbox.channel import Isolation, Limits, Role, Step
from sandbox.runtimes.base import (
    Claims,
    Completed,
    Died,
    Mounts,
    NoMounts,
    Outcome,
    Reason,
    Standing,
    Unavailable,
)
from sandbox.runtimes.command import Command, self_test_command, worker_command
from sandbox.runtimes.conversation import Begun, begin, converse
from sandbox.runtimes.orders import orders_for

CLAIMS = Claims(
    no_network=True,
    no_other_file=True,
    read_only=True,
    no_exec=True,
    no_fork=True,
    own_pid_namespace=True,
    unprivileged=True,
    no_hostile_calls=True,
    bounded_memory=True,
    bounded_cpu=True,
    silent=True,
    dies_with_parent=True,
)

_SELF_TEST = Limits(memory_bytes=1 << 28, cpu_s=5, deadline_s=20.0, output_bytes_max=4096)
# What the self-test must find. A machine on which one of these differs cannot keep the claims.
_EXPECTED: dict[str, object] = {
    "root_entries": [],
    "process_id": 1,
    "passwd_readable": False,
    "writes": False,
    "streams_write": False,
    "limits_rise": False,
    "memory_becomes_code": False,
    "threads_start": True,
}

_CURES = {
    Step.NAMESPACES: (
        "start the gateway as root, or allow user namespaces: `sysctl -w user.max_user_namespaces=15000` and, where it "
        "exists, `sysctl -w kernel.unprivileged_userns_clone=1`; inside a container, choose the `container` runtime"
    ),
    Step.ROOT: (
        "let the gateway mount inside its own namespace: on Ubuntu give it an AppArmor profile with `userns`, or "
        "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; inside a container, choose the `container` runtime"
    ),
    Step.SYSTEM_CALLS: "boot a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64",
    Step.ONE_THREAD: "start the gateway below an init process, so that a worker is not process 1",
}
_CURE_UNKNOWN = (
    "run `python -I -m sandbox.worker.confine twin` by hand; its standard error names the step"
)


class NamespaceRuntime:
    """Start workers in namespaces of their own."""

    def __init__(self, command: Command, self_test: Command) -> None:
        self._command = command
        self._self_test = self_test

    @property
    def name(self) -> str:
        """The name in `RUNTIMES`."""
        return "namespace"

    @property
    def claims(self) -> Claims:
        """All of them."""
        return CLAIMS

    def probe(self) -> Standing | Unavailable:
        """Confine a worker of our own, let it look around, and let it ask for a socket, which must end it."""
        if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
            return Unavailable(
                f"no confinement is written for {platform.system()} on {platform.machine()}",
                "run the gateway on Linux, x86_64 or aarch64",
            )
        found = self._self_tested(b"observe")
        if isinstance(found, Died):
            return _unavailable(found)
        observed: dict[str, Any] = json.loads(found.answer)
        wrong = sorted(name for name, value in _EXPECTED.items() if observed.get(name) != value)
        if wrong:
            return Unavailable(
                f"a confined worker finds otherwise: {', '.join(wrong)}", _CURE_UNKNOWN
            )
        trapped = self._self_tested(b"trespass")
        if trapped != Died(Reason.CRASHED, ""):
            return Unavailable(
                "a socket did not end the worker that asked for it", _CURES[Step.SYSTEM_CALLS]
            )
        # As root a worker becomes another user; in a user namespace it stays who the gateway is, with no right left.
        own_user = observed["user_id"] == os.geteuid()
        return Standing.USER_NAMESPACE if own_user else Standing.ROOT

    def _self_tested(self, request: bytes) -> Completed | Died:
        orders = orders_for(Isolation.NAMESPACE, Role.TWIN, NoMounts(), _SELF_TEST)
        return converse(self._self_test(Role.TWIN), orders, request)

    def begin(self, role: Role, mounts: Mounts, limits: Limits) -> Begun | Died:
        """Start a worker for a request that is still to come."""
        return begin(self._command(role), orders_for(Isolation.NAMESPACE, role, mounts, limits))

    def run(self, role: Role, request: bytes, mounts: Mounts, limits: Limits) -> Outcome:
        """Run one worker, confined or not at all."""
        orders = orders_for(Isolation.NAMESPACE, role, mounts, limits)
        return converse(self._command(role), orders, request)


def _unavailable(died: Died) -> Unavailable:
    named = died.detail.split(":")[0].upper()
    cure = _CURES.get(Step[named], _CURE_UNKNOWN) if named in Step.__members__ else _CURE_UNKNOWN
    return Unavailable(died.detail or f"the self-test ended: {died.reason.value}", cure)


def namespace() -> NamespaceRuntime:
    """Make the runtime as it is shipped."""
    return NamespaceRuntime(worker_command, self_test_command)
