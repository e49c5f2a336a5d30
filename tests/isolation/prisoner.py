"""A worker that enters confinement as every worker does, then executes the Python it is sent.

This is the attacker who found a hole in DuckDB: whatever can be written in Python, ctypes included, runs beside rows.
It is a test and is never shipped. Arguments: the role, then any of
    engine   DuckDB and OpenDP are imported too
    thread   a second thread runs at the entry
    mute     never enters at all
"""

# The attacker's code finds these names; nothing here uses them. Threads must be kept out before any other import.
# ruff: noqa: E402, F401
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sandbox.channel import Role
from sandbox.worker import confine

confine.keep_out_threads()

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time

WISHES = sys.argv[2:]
if "engine" in WISHES:
    import duckdb
    import opendp.prelude as dp

    from sandbox.worker import engine

    dp.enable_features("contrib")
    dp.m.make_laplace(dp.atom_domain(T=dp.i64), dp.absolute_distance(T=dp.i64), 1.0)

LIBC = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: object) -> int:
    """Make a raw system call; a negative result is minus the error number."""
    returned = LIBC.syscall(ctypes.c_long(number), *arguments)
    return int(returned) if returned >= 0 else -ctypes.get_errno()


if "mute" in WISHES:
    time.sleep(60)
if "thread" in WISHES:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

inside = confine.enter(Role(sys.argv[1]))
request = inside.read_request().decode()
names = dict(globals())
try:
    exec(request, names)  # noqa: S102
    answer = repr(names.get("out"))
except MemoryError:
    inside.out_of_memory()
except BaseException as raised:
    answer = f"raised {type(raised).__name__}: {raised}"
inside.answer(answer.encode())
