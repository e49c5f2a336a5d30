"""The system-call filter, instruction by instruction, for both machines, in a small interpreter of its language."""

import errno
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.channel import Role
from sandbox.worker.confine.bpf import AUDIT_ARCH, Machine, assemble, machine_named
from sandbox.worker.confine.syscalls import ALLOWED, ALLOWED_TO_INGEST, CONDITIONS, HOSTILE

KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
MACHINES: tuple[Machine, ...] = ("x86_64", "aarch64")
UNHEARD_OF = 999


def judged(program: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Interpret a filter over one `struct seccomp_data`."""
    filled = (*arguments, *([0] * (6 - len(arguments))))
    call = struct.pack("=IIQ6Q", number, arch, 0, *filled)
    lines = list(struct.iter_unpack("=HBBI", program))
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = lines[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", call, operand)
            case 0x54:
                accumulator &= operand
            case 0x06:
                return operand
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x35:
                at += if_true if accumulator >= operand else if_false
            case 0x45:
                at += if_true if accumulator & operand else if_false
            case _:
                raise AssertionError(code)


@dataclass(frozen=True, slots=True)
class Judge:
    """The filter of one role on one machine; None for a call that machine does not have."""

    machine: Machine
    role: Role
    program: bytes

    def __call__(self, name: str, *arguments: int) -> int | None:
        number = (ALLOWED | ALLOWED_TO_INGEST | HOSTILE)[name][MACHINES.index(self.machine)]
        if number < 0:
            return None
        return judged(self.program, AUDIT_ARCH[self.machine], number, arguments)


@pytest.fixture(params=[(m, r) for m in MACHINES for r in Role], ids=str)
def judge(request):
    machine, role = request.param
    return Judge(machine, role, assemble(role, machine))


def test_listed_calls_pass(judge):
    own = ALLOWED | (ALLOWED_TO_INGEST if judge.role is Role.INGEST else {})
    for name in own.keys() - CONDITIONS.keys():
        assert judge(name) in (ALLOW, None), name


def test_hostile_calls_kill(judge):
    assert {judge(name) for name in HOSTILE} <= {KILL, None}


def test_only_ingest_may_change_a_name(judge):
    expected = ALLOW if judge.role is Role.INGEST else ERRNO | errno.ENOSYS
    assert {judge(name) for name in ALLOWED_TO_INGEST} <= {expected, None}


def test_anything_else_does_not_exist(judge):
    arch = AUDIT_ARCH[judge.machine]
    column = MACHINES.index(judge.machine)
    known = {row[column] for row in (ALLOWED | ALLOWED_TO_INGEST | HOSTILE).values()}
    for number in set(range(600)) - known:
        assert judged(judge.program, arch, number) == ERRNO | errno.ENOSYS, number


def test_another_numbering_kills(judge):
    """The x32 calls, the 32-bit calls and another machine's: each would mean another call under the same number."""
    for arch in (0x40000003, *AUDIT_ARCH.values(), 0):
        if arch != AUDIT_ARCH[judge.machine]:
            assert judged(judge.program, arch, 0) == KILL
    if judge.machine == "x86_64":
        for number in (0, 1, 59, 520, UNHEARD_OF):
            assert judged(judge.program, AUDIT_ARCH["x86_64"], 0x40000000 | number) == KILL


THREAD = 0x3D0F00  # what the C library asks for when it starts a thread


@pytest.mark.parametrize(
    ("name", "arguments", "passes"),
    [
        ("clone", (THREAD,), True),
        ("clone", (17,), False),  # fork
        ("clone", (THREAD & ~0x10000,), False),  # shares memory, but is a process
        *(("clone", (THREAD | 1 << bit,), False) for bit in (12, 13, 14, 15, 17, *range(25, 31))),
        ("mmap", (0, 4096, 3), True),
        ("mmap", (0, 4096, 4), False),
        ("mmap", (0, 4096, 7), False),
        ("mprotect", (0, 4096, 1), True),
        ("mprotect", (0, 4096, 5), False),
        ("prlimit64", (0, 7, 0, 0x7FFF0000), True),
        ("prlimit64", (0, 7, 0x7FFF0000, 0), False),
        ("prlimit64", (0, 7, 0x7FFF00000000, 0), False),  # a pointer with only high bits
        ("prctl", (15,), True),
        ("prctl", (0x53564D41,), True),
        *(("prctl", (option,), False) for option in (1, 4, 8, 22, 24, 28, 38, 47)),
        ("fcntl", (5, 6), True),
        ("fcntl", (5, 1030), True),
        *(("fcntl", (5, command), False) for command in (8, 10, 1024, 1026, 1033)),
    ],
    ids=str,
)
def test_arguments_decide(judge, name, arguments, passes):
    answer = judge(name, *arguments)
    assert (answer == ALLOW) is passes
    assert passes or answer & 0xFFFF0000 == ERRNO


@pytest.mark.parametrize("flags", [1, 2, 0o100, 0o1000, 0o20000000 | 2, 0o101])
def test_opening_to_write_is_for_ingest(judge, flags):
    assert (judge("openat", 0, 0, flags, 0o644) == ALLOW) is (judge.role is Role.INGEST)
    assert judge("openat", 0, 0, 0o2000000, 0) == ALLOW


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1777])
def test_ingest_leaves_no_file_that_runs_as_its_owner(mode):
    for machine in MACHINES:
        program, column = assemble(Role.INGEST, machine), MACHINES.index(machine)
        calls = {"openat": 3, "mkdirat": 2, "mkdir": 1, "chmod": 1, "fchmod": 1, "fchmodat": 2}
        for name, at in calls.items():
            number = (ALLOWED | ALLOWED_TO_INGEST)[name][column]
            if number < 0:
                continue
            arch = AUDIT_ARCH[machine]
            refused = judged(program, arch, number, (*([0] * at), mode))
            assert refused == ERRNO | errno.EPERM
            assert judged(program, arch, number, (*([0] * at), mode & 0o777)) == ALLOW


def test_a_machine_without_numbers_is_refused():
    with pytest.raises(OSError, match="riscv64"):
        machine_named("riscv64")


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine):
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"the kernel's header is not installed: {header}")
    numbers = {}
    for line in header.read_text().splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == "#define" and words[1].startswith("__NR"):
            name = words[1].removeprefix("__NR3264_").removeprefix("__NR_")
            if words[2].isdigit():
                numbers[name] = int(words[2])
    numbers.setdefault("newfstatat", numbers.get("fstatat", -1))
    column = MACHINES.index(machine)
    for name, row in (ALLOWED | ALLOWED_TO_INGEST | HOSTILE).items():
        if row[column] >= 0:
            assert numbers.get(name, row[column]) == row[column], name
        else:
            assert name not in numbers, name
    found = sum(1 for name in ALLOWED | HOSTILE if name in numbers)
    assert found > 120
