"""The few kernel calls that Python's own library does not offer, by name.

Each raises OSError with the kernel's reason. Nothing here decides anything.
"""

import ctypes
import errno
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38

CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_KILL, CAP_SYS_ADMIN = 6, 7, 8, 5, 21
_CAPABILITY_VERSION_3 = 0x20080522

_M_ARENA_MAX = -8  # malloc.h
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_NUMBERS = {
    "x86_64": {"pivot_root": 155, "capset": 126, "seccomp": 317},
    "aarch64": {"pivot_root": 41, "capset": 91, "seccomp": 277},
}

_libc = ctypes.CDLL(None, use_errno=True)


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _raise_unless_zero(returned: int, call: str) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _number(call: str) -> ctypes.c_long:
    return ctypes.c_long(_NUMBERS[os.uname().machine][call])


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` names."""
    _raise_unless_zero(_libc.unshare(ctypes.c_int(flags)), "unshare")


def sethostname(name: bytes) -> None:
    """Name the machine within the own UTS namespace."""
    _raise_unless_zero(_libc.sethostname(name, ctypes.c_size_t(len(name))), "sethostname")


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """Mount, or change a mount; an empty `kind` or `options` is a null pointer."""
    returned = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _raise_unless_zero(returned, f"mount {target}")


def pivot_root_here() -> None:
    """Make the working directory the root and let go of the old one.

    Source: pivot_root(2), section "pivot_root(".", ".")": the old root comes to lie on top of the new one, whence it is
    detached.
    """
    _raise_unless_zero(_libc.syscall(_number("pivot_root"), b".", b"."), "pivot_root")
    _raise_unless_zero(_libc.umount2(b".", ctypes.c_int(MNT_DETACH)), "umount2")


def prctl(option: int, argument: int) -> None:
    """Change one attribute of this process."""
    zero = ctypes.c_ulong(0)
    returned = _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), zero, zero, zero)
    _raise_unless_zero(returned, f"prctl {option}")


def bound_malloc_arenas() -> None:
    """Let the C library take memory from two arenas at most.

    Each thread otherwise reserves 64 MiB of addresses of its own, and addresses are what the memory limit counts.
    """
    _libc.mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(2))


def drop_bounding_set() -> None:
    """Make every capability unreachable, also for a program that would be executed."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as refused:
            if refused.errno == errno.EINVAL:
                return  # past the last capability this kernel knows
            raise


def keep_capabilities(*kept: int) -> None:
    """Empty every capability set but for `kept`."""
    mask = sum(1 << capability for capability in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("=II", _CAPABILITY_VERSION_3, 0)
    sets = struct.pack("=IIIIII", low, low, 0, high, high, 0)
    _raise_unless_zero(_libc.syscall(_number("capset"), header, sets), "capset")


def install_filter(program: bytes) -> None:
    """Filter the system calls of every thread of this process, from now to its end."""
    instructions = ctypes.create_string_buffer(program, len(program))
    described = _FilterProgram(len(program) // 8, ctypes.cast(instructions, ctypes.c_void_p))
    returned = _libc.syscall(
        _number("seccomp"),
        ctypes.c_ulong(_SECCOMP_SET_MODE_FILTER),
        ctypes.c_ulong(_SECCOMP_FILTER_FLAG_TSYNC),
        ctypes.byref(described),
    )
    _raise_unless_zero(returned, "seccomp")
