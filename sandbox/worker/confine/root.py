"""Build a root directory that holds what the role may see, and make it the only one this process can name.

There is no /proc, /dev or /etc in it, no library and no program. What is mounted was opened before by descriptor, so
that a name exchanged under our hands cannot bring in another file.
"""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.channel import OUTPUT_INSIDE, SNAPSHOT_INSIDE, SOURCE_INSIDE, Orders, Role
from sandbox.worker.confine.kernel import (
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
    pivot_root_here,
    unshare,
)

_TIGHT = MS_NOSUID | MS_NODEV | MS_NOEXEC
# An existing directory to hide under the new root; this process alone sees the change, and imports nothing after it.
_STAGE = sys.base_prefix


@dataclass(frozen=True, slots=True)
class _Bind:
    outside: str
    inside: str
    is_folder: bool
    writable: bool


def _binds(orders: Orders) -> tuple[_Bind, ...]:
    if orders.role is Role.QUERY:
        return (_Bind(orders.snapshot, SNAPSHOT_INSIDE, is_folder=False, writable=False),)
    if orders.role in (Role.TWIN, Role.FINISH):
        return ()
    return (
        _Bind(orders.source, SOURCE_INSIDE, is_folder=True, writable=False),
        _Bind(orders.output, OUTPUT_INSIDE, is_folder=True, writable=True),
    )


def _open(bind: _Bind) -> int:
    descriptor = os.open(bind.outside, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISDIR(mode) if bind.is_folder else stat.S_ISREG(mode)):
        kind = "folder" if bind.is_folder else "regular file"
        raise OSError(f"`{bind.outside}` is not a {kind}; name the {kind} itself, not a link to it")
    return descriptor


def _place(bind: _Bind, descriptor: int) -> None:
    target = Path(_STAGE + bind.inside)
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if bind.is_folder:
        target.mkdir(mode=0o755)
    else:
        target.touch(mode=0o444)
    mount(f"/proc/self/fd/{descriptor}", str(target), "", MS_BIND, "")
    # A bind mount takes its flags in a second call only; the first one ignores them.
    access = 0 if bind.writable else MS_RDONLY
    mount("", str(target), "", MS_BIND | MS_REMOUNT | access | _TIGHT, "")


def enter_new_root(orders: Orders) -> None:
    """Leave every file of the machine behind but those the role is given."""
    unshare(CLONE_NEWNS)
    mount("", "/", "", MS_REC | MS_PRIVATE, "")  # or our mounts would appear on the machine
    binds = _binds(orders)
    descriptors = [_open(bind) for bind in binds]
    mount("root", _STAGE, "tmpfs", _TIGHT, "size=64k,nr_inodes=16,mode=755")
    for bind, descriptor in zip(binds, descriptors, strict=True):
        _place(bind, descriptor)
        os.close(descriptor)
    os.chdir(_STAGE)
    pivot_root_here()
    os.chdir("/")
    mount("", "/", "", MS_BIND | MS_REMOUNT | MS_RDONLY | _TIGHT, "")
