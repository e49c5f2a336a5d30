"""The program every runtime starts: this interpreter, isolated from its environment, on the worker by name."""

import sys
from collections.abc import Callable, Sequence

from sandbox.channel import Role

Command = Callable[[Role], Sequence[str]]


def worker_command(role: Role) -> Sequence[str]:
    """Name the worker program. With `-I` no environment variable or working directory chooses its code."""
    return (sys.executable, "-I", "-m", "sandbox.worker", role.value)


def self_test_command(role: Role) -> Sequence[str]:
    """Name the program that enters confinement and reports what it finds there; it has no other use."""
    return (sys.executable, "-I", "-m", "sandbox.worker.confine", role.value)
