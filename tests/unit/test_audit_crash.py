"""Killed at any moment, the ledger keeps what it acknowledged and settles what it did not.

Not promised  SIGKILL leaves the page cache alive, so this alone does not show that commits reach the disk; the test of the
              system calls does.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import verify
from audit.ledger import FAULT_POINTS
from audit.log.signer import create_key
from audit.store.operations import State
from tests.unit.audit_child import EPSILON
from tests.unit.audit_world import EPS, World, furnish, open_world, totals_of

ROOT = Path(__file__).resolve().parents[2]
# What an acknowledged step may have become by the time the domain is open again.
ALLOWED = {
    "reserved": {State.VOIDED, State.FAILED, State.RELEASED},
    "started": {State.FAILED, State.RELEASED},
    "voided": {State.VOIDED},
    "failed": {State.FAILED},
    "released": {State.RELEASED},
    "reused": {State.REUSED},
    "derived": {State.REUSED},
}


def child(
    folder: Path, source: str, point: str, prefix: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, "-m", "tests.unit.audit_child", str(folder), source, point]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def acknowledged(process: subprocess.Popen[bytes]) -> list[tuple[str, str]]:
    """Everything a client saw. A line cut off by the kill was not seen."""
    output = process.communicate(timeout=60)[0].decode()
    lines = [line.split() for line in output.split("\n")[:-1]]
    return [(line[0], line[1] if len(line) > 1 else "") for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    create_key(tmp_path / "log.key", "keyong.test/log1")
    yield tmp_path


def assert_nothing_lost(folder: Path, acks: list[tuple[str, str]]) -> None:
    """Open, recover, hold the domain to every acknowledgement, and let it answer once more."""
    world = open_world(folder)
    try:
        world.ledger.recover()
        check_against(world, acks)
        world.answer("after", EPSILON)
    finally:
        world.store.close()


def check_against(world: World, acks: list[tuple[str, str]]) -> None:
    for step, name in acks:
        if step in ALLOWED:
            outcome = world.ledger.outcome_of(f"q-{name}")
            assert outcome is not None, f"{step} {name} was acknowledged and is gone"
            assert outcome.state in ALLOWED[step], f"{step} {name} became {outcome.state}"
            if step in ("released", "failed", "started"):
                # There are noisy totals without their loss for nobody, and no loss without its totals.
                answered = outcome.state is State.RELEASED
                kept = world.ledger.totals(f"q-{name}")
                assert kept == (totals_of(name).content if answered else None)
                assert len(world.ledger.vectors(f"vector-{name}")) == int(answered)
            if step in ("released", "reused", "derived"):
                assert outcome.release is not None
                assert outcome.release.content == name.removesuffix("-again").encode()
    held = verify.Held(
        tuple(bytes.fromhex(note).decode() for step, note in acks if step == "checkpoint"), ()
    )
    report = verify.verify_log(world.export("export", {}), world.journal.vkey, held)
    assert report.findings == ()
    assert report.balances == world.ledger.balances()
    assert report.open_operations == ()
    # Every loss is accounted for by an answer or by a failure that may have been one.
    counts = Counter(dict(report.kinds))
    touched = sum(
        1
        for _, event in world.journal.events_of("query.failed", 0, report.size)
        if event.data["touched"]
    )
    posted = {balance.account_id: balance.posted for balance in report.balances}
    assert posted.get(EPS, 0) == EPSILON * (counts["query.released"] + touched)


@pytest.mark.parametrize(
    "point", [point for point in FAULT_POINTS if not point.startswith("recover")]
)
def test_killed_at_a_fault_point(folder: Path, point: str) -> None:
    process = child(folder, "gw-1", f"{point}:1")
    acks = acknowledged(process)
    assert process.returncode == -signal.SIGKILL, "the point was never reached"
    assert_nothing_lost(folder, acks)


@pytest.mark.parametrize("moment", ["begun", "written", "committed"])
def test_killed_while_recovering(folder: Path, moment: str) -> None:
    first = child(folder, "gw-1", "post.begun:1")
    acks = acknowledged(first)
    second = child(folder, "gw-1", f"recover.{moment}")
    acks += acknowledged(second)
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, -signal.SIGKILL)
    assert_nothing_lost(folder, acks)


def test_killed_at_random_again_and_again(folder: Path) -> None:
    """One domain, many crashes: each life recovers what the one before left, and builds on it."""
    dice = random.Random(11)
    acks: list[tuple[str, str]] = []
    for _ in range(8):
        process = child(folder, "gw-1", "-")
        assert process.stdout is not None
        seen = [process.stdout.readline().decode().split() for _ in range(dice.randint(1, 60))]
        acks += [(line[0], line[1] if len(line) > 1 else "") for line in seen]
        time.sleep(dice.uniform(0, 0.01))
        os.kill(process.pid, signal.SIGKILL)
        acks += acknowledged(process)
    assert sum(1 for step, _ in acks if step == "released") > 8
    assert_nothing_lost(folder, acks)


def test_an_acknowledgement_that_was_not_kept_is_noticed(folder: Path) -> None:
    """Power: a client that saw more than the ledger has makes the same check fail."""
    acks = acknowledged(child(folder, "gw-1", "post.written:1"))
    started = [name for step, name in acks if step == "started"][-1]
    with pytest.raises(AssertionError, match="became failed"):
        assert_nothing_lost(folder, [*acks, ("released", started)])


def test_three_gateways_start_on_an_empty_file_at_once(folder: Path) -> None:
    children = [child(folder, f"gw-{number}", "-") for number in (2, 3)]
    children.append(child(folder, "gw-4", "post.written:4"))
    acks = [ack for process in children for ack in acknowledged(process)]
    assert [process.returncode for process in children] == [0, 0, -signal.SIGKILL]
    acks += acknowledged(child(folder, "gw-4", "recover.committed"))
    assert_nothing_lost(folder, acks)
    assert len({name for step, name in acks if step == "released"}) > 30


def test_three_gateways_spend_one_budget_to_the_nano(folder: Path) -> None:
    """Each runs until it is told that the budget is gone; what one gives back another takes."""
    cap = 50 * EPSILON
    world = open_world(folder)
    furnish(world.ledger, eps_cap=cap)
    world.store.close()
    children = [child(folder, f"gw-{number}", "-") for number in (2, 3, 4)]
    acks = [ack for process in children for ack in acknowledged(process)]
    world = open_world(folder)
    balance = world.ledger.balance(EPS)
    assert balance is not None
    assert (balance.posted, balance.held) == (cap, 0)
    assert len([name for step, name in acks if step in ("released", "failed")]) == 50
    check_against(world, acks)
    world.store.close()


@pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="strace is not installed; commits cannot be counted on disk",
)
def test_every_acknowledged_commit_reached_the_disk(folder: Path) -> None:
    """SQLite may skip a sync only by leaving `synchronous = FULL`; the kernel's own count is the witness."""
    trace = folder / "trace"
    command = ("strace", "-f", "-c", "-e", "trace=fdatasync,fsync", "-o", str(trace))
    acks = acknowledged(child(folder, "gw-1", "reserve.begun:12", command))
    if not trace.exists() or "fdatasync" not in trace.read_text():
        pytest.skip("this machine does not let a process be traced")
    commits = sum(1 for step, _ in acks if step in ALLOWED)
    synced = sum(
        int(line.split()[3])
        for line in trace.read_text().splitlines()
        if line.rstrip().endswith("sync")
    )
    assert commits > 20
    assert synced >= commits
