"""Run an attacker's code in a worker and say what became of it."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sandbox.channel import Limits, Role
from sandbox.runtimes.base import Completed, Mounts, NoMounts, Outcome, Runtime
from sandbox.runtimes.insecure_dev import InsecureDevRuntime
from sandbox.runtimes.namespace import NamespaceRuntime

PRISONER = Path(__file__).with_name("prisoner.py")
MIB = 1 << 20
USUAL = Limits(memory_bytes=1024 * MIB, cpu_s=20, deadline_s=20.0, output_bytes_max=64 * 1024)


def prisoner(role: Role, extra: tuple[str, ...]) -> Sequence[str]:
    return (sys.executable, "-I", str(PRISONER), role.value, *extra)


def self_test(role: Role) -> Sequence[str]:
    """Name the shipped self-test, found in this checkout by whatever interpreter runs the tests."""
    found = f"import runpy, sys; sys.path.insert(0, {str(PRISONER.parents[2])!r}); "
    run_it = "runpy.run_module('sandbox.worker.confine', run_name='__main__')"
    return (sys.executable, "-I", "-c", found + run_it, role.value)


def confined(*extra: str) -> NamespaceRuntime:
    return NamespaceRuntime(partial(prisoner, extra=extra), self_test)


def unconfined(*extra: str) -> InsecureDevRuntime:
    return InsecureDevRuntime(partial(prisoner, extra=extra))


# By the names in `RUNTIMES`: every runtime must be here, or its claims are untested.
PRISONS: dict[str, Runtime] = {"namespace": confined(), "insecure_dev": unconfined()}


def run(
    prison: Runtime,
    code: str,
    role: Role = Role.TWIN,
    mounts: Mounts | None = None,
    limits: Limits = USUAL,
) -> Outcome:
    return prison.run(role, code.encode(), mounts or NoMounts(), limits)


def said(outcome: Outcome) -> str:
    """Return what the prisoner answered; fail if it did not live to."""
    assert isinstance(outcome, Completed), outcome
    return outcome.answer.decode()
