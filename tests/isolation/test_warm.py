"""Workers that wait for their request are as many, as single-use and as shut in as those started for it."""

import os
import signal
import time

import pytest

from sandbox.channel import Limits, Role
from sandbox.runtimes.base import Completed, Died, Folders, NoMounts, Reason, Snapshot
from sandbox.runtimes.warm import WarmRuntime
from tests.isolation.conftest import make_snapshot
from tests.isolation.family import born, descendants, gone
from tests.isolation.prison import MIB, USUAL, confined, run, said

OTHER = Limits(memory_bytes=512 * MIB, cpu_s=7, deadline_s=20.0, output_bytes_max=4096)


def family() -> set[int]:
    return set(descendants(os.getpid()))


def settled(count: int, known: set[int]) -> set[int]:
    """Wait until `count` processes run beside those known, and the same ones for a while."""
    deadline = time.monotonic() + 15
    last: set[int] = set()
    since = time.monotonic()
    while time.monotonic() < deadline:
        found = family() - known
        if found != last:
            last, since = found, time.monotonic()
        elif len(found) == count and time.monotonic() - since > 0.3:
            break
        time.sleep(0.02)
    assert len(last) == count
    return last


@pytest.fixture
def known():
    return family()


@pytest.fixture
def warm(known):
    runtime = WarmRuntime(confined(), spares=2, kinds_max=2)
    yield runtime
    runtime.close()
    assert family() == known


def test_spares_wait_serve_once_and_are_replaced(warm, known, snapshot):
    warm.prepare(Role.QUERY, snapshot, USUAL)
    first = settled(4, known)  # two spares, each a first process and a worker
    answer = said(run(warm, "out = (os.listdir('/data'), os.getpid())", Role.QUERY, snapshot))
    assert answer == "(['snapshot.duckdb'], 1)"
    second = settled(4, known)
    assert len(first - second) == 2
    assert len(first & second) == 2


def test_a_request_for_other_limits_or_mounts_takes_no_spare(warm, known, snapshot, tmp_path):
    other = make_snapshot(tmp_path / "other.duckdb", "theirs")
    warm.prepare(Role.QUERY, snapshot, USUAL)
    settled(4, known)
    assert said(run(warm, "out = inside.limits.cpu_s", Role.QUERY, snapshot, OTHER)) == "7"
    size = said(run(warm, "out = os.stat(inside.snapshot).st_size", Role.QUERY, other, OTHER))
    assert int(size) == other.file.stat().st_size
    # Three kinds were asked for and two are kept.
    settled(8, known)


def test_a_file_that_took_anothers_name_is_not_served_by_the_old_spare(warm, known, tmp_path):
    file = tmp_path / "snapshot.duckdb"
    for turn in ("first", "second"):
        file.unlink(missing_ok=True)
        file.write_text(turn)
        file.chmod(0o444)
        warm.prepare(Role.QUERY, Snapshot(file), USUAL)
        read = run(warm, "out = open(inside.snapshot).read()", Role.QUERY, Snapshot(file))
        assert said(read) == repr(turn)


def test_a_spare_that_died_is_no_answer(warm, known):
    warm.prepare(Role.TWIN, NoMounts(), USUAL)
    spares = {process: born(process) for process in settled(4, known)}
    for process in spares:
        os.kill(process, signal.SIGKILL)
    assert gone(spares, within_s=3.0)
    assert said(run(warm, "out = 1")) == "1"


def test_a_worker_that_dies_with_the_request_is_not_asked_again(warm, known, tmp_path):
    """A second run of a request that one worker has seen would spend twice, or answer twice."""
    warm.prepare(Role.TWIN, NoMounts(), USUAL)
    settled(4, known)
    assert run(warm, "ctypes.string_at(8)") == Died(Reason.CRASHED, "")


def test_dismissed_spares_let_go_of_the_snapshot(warm, known, snapshot):
    warm.prepare(Role.QUERY, snapshot, USUAL)
    settled(4, known)
    warm.dismiss()
    assert family() == known
    assert run(warm, "out = 2", Role.QUERY, snapshot) == Completed(b"2")


def test_ingest_has_no_spares(warm, known, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    folders = Folders(tmp_path / "in", tmp_path / "out")
    assert (
        said(run(warm, "out = sorted(os.listdir('/'))", Role.INGEST, folders))
        == "['output', 'source']"
    )
    settled(0, known)


def test_a_runtime_without_spares_is_not_warm():
    for spares, kinds in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one"):
            WarmRuntime(confined(), spares, kinds)
