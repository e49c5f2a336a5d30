"""Enter confinement and report what is found there: the self-test a runtime makes before the gateway opens its door.

`observe` looks around; `trespass` asks for a socket and must not live to tell. There is no data here and no other
request.
"""

import ctypes
import json
import mmap
import os
import resource
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from sandbox.channel import Role
from sandbox.worker.confine import enter, keep_out_threads

_AF_INET, _SOCK_STREAM = 2, 1


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ValueError, RuntimeError):
        return False
    return True


def _raise_a_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))


def _run_a_thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _observe() -> dict[str, object]:
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    return {
        "user_id": os.getuid(),
        "process_id": os.getpid(),
        "root_entries": sorted(entry.name for entry in Path("/").iterdir()),
        "passwd_readable": _succeeds(lambda: Path("/etc/passwd").read_bytes()),
        "writes": _succeeds(lambda: Path("/left_behind").write_bytes(b"")),
        "streams_write": any(_succeeds(partial(os.write, stream, b"x")) for stream in (0, 1, 2)),
        "limits_rise": _succeeds(_raise_a_limit),
        "memory_becomes_code": _succeeds(lambda: mmap.mmap(-1, 4096, prot=everything)),
        "threads_start": _succeeds(_run_a_thread),
    }


def main() -> NoReturn:
    """Run the self-test; the role is the one argument."""
    keep_out_threads()
    libc = ctypes.CDLL(None)
    inside = enter(Role(sys.argv[1]))
    if inside.read_request() == b"trespass":
        libc.socket(_AF_INET, _SOCK_STREAM, 0)
    inside.answer(json.dumps(_observe()).encode())


main()
