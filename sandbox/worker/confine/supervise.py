"""Wait beside a confined worker: reap it, say how it ended, and kill it when the runtime hangs up.

This process holds no data and reads nothing the worker writes. It exists because the creator of a process namespace
stays outside it: killing the worker, which is process 1 in there, kills all that is in there.
"""

import os
import select
import signal
from typing import NoReturn

from sandbox.channel import Exit
from sandbox.worker.confine import kernel

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_CPU_ROUNDING_S = 0.5


def supervise(worker: int, cpu_s: int) -> NoReturn:
    """Outlive the worker and end with its exit status, or with 128 + n if signal n killed it."""
    # The pipes must end when the worker ends, so the writing ends here go at once.
    os.close(_STDOUT)
    os.close(_STDERR)
    kernel.keep_capabilities(kernel.CAP_KILL)  # the worker may have become another user
    worker_fd = os.pidfd_open(worker)
    watched = select.poll()
    # No event asked for: only the hang-up is told, never that there are bytes of the request.
    watched.register(_STDIN, 0)
    watched.register(worker_fd, select.POLLIN)
    ready = [descriptor for descriptor, _ in watched.poll()]
    if worker_fd not in ready:
        signal.pidfd_send_signal(worker_fd, signal.SIGKILL)
    _, status, usage = os.wait4(worker, 0)
    os._exit(_exit_status(status, usage.ru_utime + usage.ru_stime >= cpu_s - _CPU_ROUNDING_S))


def _exit_status(status: int, cpu_spent: bool) -> int:
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL and cpu_spent:
        return int(Exit.OUT_OF_CPU)  # how the kernel enforces RLIMIT_CPU on a process 1
    return code if code >= 0 else 128 - code
