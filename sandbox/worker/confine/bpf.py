"""Assemble the system-call filter: classic BPF as `seccomp(2)` takes it, written out by hand to need no library.

Read as: another machine's call, or the x32 interface to this one, kills; a call that is allowed passes, if its
arguments satisfy its conditions; a hostile call kills; any other call does not exist. Source: Linux
Documentation/userspace-api/seccomp_filter.rst, include/uapi/linux/seccomp.h and filter.h.
"""

import errno
import struct
from dataclasses import dataclass
from typing import Literal

from sandbox.channel import Role
from sandbox.worker.confine.syscalls import (
    ALLOWED,
    ALLOWED_TO_INGEST,
    CONDITIONS,
    CONDITIONS_OF_INGEST,
    HOSTILE,
    AllOf,
    Check,
    Condition,
    NoneOf,
    Null,
    OneOf,
)

Machine = Literal["x86_64", "aarch64"]

AUDIT_ARCH: dict[Machine, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN: dict[Machine, int] = {"x86_64": 0, "aarch64": 1}
_X32_BIT = 0x40000000
_CLONE3 = 435  # on both machines

_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENTS = 0, 4, 16
_JUMP_MAX = 255


@dataclass(frozen=True, slots=True)
class _Instruction:
    code: int
    if_true: int
    if_false: int
    operand: int


def machine_named(name: str) -> Machine:
    """Read the kernel's word for this machine. Refuses: a machine whose call numbers are not written down."""
    if name == "x86_64":
        return "x86_64"
    if name == "aarch64":
        return "aarch64"
    raise OSError(f"no system-call filter is written for `{name}`")


def _load(offset: int) -> _Instruction:
    return _Instruction(_LOAD, 0, 0, offset)


def _answer(action: int) -> _Instruction:
    return _Instruction(_RETURN, 0, 0, action)


def _low_word(argument: int) -> int:
    return _OFFSET_ARGUMENTS + 8 * argument  # both machines are little-endian


def _deny_unless(check: Check, deny: int) -> list[_Instruction]:
    """Fall through when the check passes; jump `deny` instructions past the block's own end when it does not."""
    if isinstance(check, NoneOf):
        return [
            _load(_low_word(check.argument)),
            _Instruction(_ANY_BIT, deny, 0, check.mask),
        ]
    if isinstance(check, AllOf):
        return [
            _load(_low_word(check.argument)),
            _Instruction(_AND, 0, 0, check.mask),
            _Instruction(_EQUAL, 0, deny, check.mask),
        ]
    if isinstance(check, Null):
        return [
            _load(_low_word(check.argument)),
            _Instruction(_EQUAL, 0, deny + 2, 0),
            _load(_low_word(check.argument) + 4),
            _Instruction(_EQUAL, 0, deny, 0),
        ]
    return [_load(_low_word(check.argument)), *_one_of(check, deny)]


def _one_of(check: OneOf, deny: int) -> list[_Instruction]:
    last = len(check.values) - 1
    return [
        _Instruction(_EQUAL, last - at, deny if at == last else 0, value)
        for at, value in enumerate(check.values)
    ]


def _allow(number: int, condition: Condition | None) -> list[_Instruction]:
    """Answer for one call number. The accumulator holds the number before and, if it is another, after."""
    if condition is None:
        return [_Instruction(_EQUAL, 0, 1, number), _answer(_ALLOW)]
    # Built from the last check backwards, so that each knows how far off the refusal is.
    block = [_answer(_ALLOW), _answer(_ERRNO | condition.error)]
    for check in reversed(condition.checks):
        block = _deny_unless(check, len(block) - 1) + block
    if len(block) > _JUMP_MAX:
        raise AssertionError("a condition does not fit one jump")
    return [_Instruction(_EQUAL, 0, len(block), number), *block]


def _conditions(role: Role) -> dict[str, Condition]:
    if role is not Role.INGEST:
        return CONDITIONS
    return CONDITIONS | CONDITIONS_OF_INGEST


def assemble(role: Role, machine: Machine) -> bytes:
    """Write the filter of one role for one machine as an array of `struct sock_filter`."""
    column = _COLUMN[machine]
    allowed = ALLOWED | (ALLOWED_TO_INGEST if role is Role.INGEST else {})
    conditions = _conditions(role)
    program = [
        _load(_OFFSET_ARCH),
        _Instruction(_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        _answer(_KILL_PROCESS),
        _load(_OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        # A second numbering of the same calls: without this line every check below could be walked around.
        program += [_Instruction(_AT_LEAST, 0, 1, _X32_BIT), _answer(_KILL_PROCESS)]
    # The C library falls back to clone, whose flags a filter can read; clone3 passes them through memory.
    program += [_Instruction(_EQUAL, 0, 1, _CLONE3), _answer(_ERRNO | errno.ENOSYS)]
    for name, numbers in allowed.items():
        if numbers[column] >= 0:
            program += _allow(numbers[column], conditions.get(name))
    for numbers in HOSTILE.values():
        if numbers[column] >= 0:
            program += [_Instruction(_EQUAL, 0, 1, numbers[column]), _answer(_KILL_PROCESS)]
    program.append(_answer(_ERRNO | errno.ENOSYS))
    return b"".join(struct.pack("=HBBI", i.code, i.if_true, i.if_false, i.operand) for i in program)
