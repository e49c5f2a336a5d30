"""Every runtime keeps what it claims, against code that tries; and what it does not claim, the same code breaks."""

import dataclasses
import os
import platform
import warnings
from pathlib import Path

import pytest

from sandbox.channel import Limits, Role
from sandbox.runtimes.base import Claims, Completed, Died, Reason, Snapshot
from sandbox.runtimes.list import RUNTIMES
from sandbox.worker.confine.syscalls import HOSTILE
from tests.isolation.attacks import ATTACKS, Attack
from tests.isolation.prison import MIB, PRISONS, run

TIGHT = Limits(memory_bytes=1024 * MIB, cpu_s=1, deadline_s=10.0, output_bytes_max=64 * 1024)
TRIED_ELSEWHERE = {"dies_with_parent"}  # test_ends.py: it takes a parent to kill


def got_through(runtime: str, attack: Attack, folder: Path) -> bool:
    file = folder / "snapshot.duckdb"
    file.write_bytes(b"rows" * 25)
    file.chmod(0o444)
    role, mounts = (Role.QUERY, Snapshot(file)) if attack.on_snapshot else (Role.TWIN, None)
    outcome = run(PRISONS[runtime], attack.code, role, mounts, TIGHT)
    untouched = file.exists() and file.read_bytes() == b"rows" * 25
    assert untouched or attack.on_snapshot
    return outcome == Completed(b"True") or not untouched


def test_every_runtime_is_attacked_with_its_own_claims():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # insecure_dev announces itself
        shipped = {name: make().claims for name, make in RUNTIMES.items()}
    assert shipped == {name: prison.claims for name, prison in PRISONS.items()}


def test_every_claim_is_attacked():
    claims = {field.name for field in dataclasses.fields(Claims)}
    assert {attack.claim for attack in ATTACKS} | TRIED_ELSEWHERE == claims


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.claim}-{attack.name}")
@pytest.mark.parametrize("runtime", sorted(PRISONS))
def test_a_claim_holds_and_its_attack_has_power(runtime, attack, tmp_path):
    claimed = getattr(PRISONS[runtime].claims, attack.claim)
    if not claimed and attack.as_root and os.geteuid() != 0:
        pytest.skip("the unconfined twin of this attack needs root")
    assert got_through(runtime, attack, tmp_path) is not claimed


def test_insecure_dev_says_so():
    with pytest.warns(RuntimeWarning, match="WITHOUT ISOLATION"):
        RUNTIMES["insecure_dev"]()


TRIED = (
    "socket",
    "ptrace",
    "unshare",
    "keyctl",
    "bpf",
    "io_uring_setup",
    "memfd_create",
    "personality",
)


def test_the_kernel_enforces_the_filter():
    """Each hostile call, and the second numbering of x86, ends a confined worker; unconfined, the same calls return."""
    column = ("x86_64", "aarch64").index(platform.machine())
    numbers = [HOSTILE[name][column] for name in TRIED]
    if platform.machine() == "x86_64":
        numbers.append(0x40000000 | 39)
    for number in numbers:
        code = f"call({number}, -1, 0, 0, 0, 0, 0); out = 'returned'"
        assert run(PRISONS["namespace"], code, limits=TIGHT) == Died(Reason.CRASHED, ""), number
        assert run(PRISONS["insecure_dev"], code, limits=TIGHT) == Completed(b"'returned'"), number
