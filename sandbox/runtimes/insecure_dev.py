"""NO ISOLATION: a plain subprocess, for writing code on a machine that has no namespaces. Never beside real data.

It speaks the same protocol, so that everything else is as it will be. Every claim is false, and `tests/isolation` shows
that each attack which the other runtimes stop succeeds here.
"""

import warnings

from sandbox.channel import Isolation, Limits, Role
from sandbox.runtimes.base import Claims, Mounts, Outcome, Standing, Unavailable
from sandbox.runtimes.command import Command, worker_command
from sandbox.runtimes.conversation import converse
from sandbox.runtimes.orders import orders_for

CLAIMS = Claims(
    no_network=False,
    no_other_file=False,
    read_only=False,
    no_exec=False,
    no_fork=False,
    own_pid_namespace=False,
    unprivileged=False,
    no_hostile_calls=False,
    bounded_memory=False,
    bounded_cpu=False,
    silent=False,
    dies_with_parent=False,
)


class InsecureDevRuntime:
    """Start workers with all the rights of the gateway."""

    def __init__(self, command: Command) -> None:
        self._command = command

    @property
    def name(self) -> str:
        """The name in `RUNTIMES`."""
        return "insecure_dev"

    @property
    def claims(self) -> Claims:
        """Nothing."""
        return CLAIMS

    def probe(self) -> Standing | Unavailable:
        """Say that there is nothing to try."""
        return Standing.NONE

    def run(self, role: Role, request: bytes, mounts: Mounts, limits: Limits) -> Outcome:
        """Run one worker without any wall around it. The deadline and the size of the answer are still held."""
        orders = orders_for(Isolation.NONE, role, mounts, limits)
        return converse(self._command(role), orders, request)


def insecure_dev() -> InsecureDevRuntime:
    """Make the runtime, and say so loudly."""
    warnings.warn("insecure_dev: workers run WITHOUT ISOLATION", RuntimeWarning, stacklevel=2)
    return InsecureDevRuntime(worker_command)
