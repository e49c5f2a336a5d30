"""A waiting worker, looked at from outside: what the kernel holds about it must be what the claims say."""

import os
import time
from pathlib import Path

import pytest

from sandbox.channel import Role
from sandbox.runtimes.base import Standing
from sandbox.runtimes.conversation import Begun
from tests.isolation.family import born, descendants, gone
from tests.isolation.prison import USUAL, confined


@pytest.fixture(scope="module")
def waiting(snapshot, standing):
    """The process directories of the first process and of its confined worker, which waits for a request."""
    if standing is not Standing.ROOT:
        pytest.skip("only root may look at a worker that is another user")
    before = set(descendants(os.getpid()))
    begun = confined().begin(Role.QUERY, snapshot, USUAL)
    assert isinstance(begun, Begun)
    deadline = time.monotonic() + 10
    shut_in: list[int] = []
    while not shut_in and time.monotonic() < deadline:
        new = sorted(set(descendants(os.getpid())) - before)
        shut_in = [pid for pid in new if "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()]
    first, worker = new
    assert shut_in == [worker]
    yield Path(f"/proc/{first}"), Path(f"/proc/{worker}")
    begun.abandon()
    assert gone({worker: born(worker)}, within_s=1.0)


def status(process: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    return {name: value.strip() for name, _, value in lines}


def test_no_right_is_left(waiting):
    held = status(waiting[1])
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(held[kind], 16) == 0, kind
    assert held["NoNewPrivs"] == "1"
    assert held["Seccomp"] == "2"
    assert held["Groups"] == ""
    assert held["NSpid"].split()[-1] == "1"
    assert held["Uid"].split() == held["Gid"].split()
    assert all(int(uid) >= 0x70000000 for uid in held["Uid"].split())


def test_the_first_process_may_kill_and_nothing_else(waiting):
    held = status(waiting[0])
    assert int(held["CapEff"], 16) == int(held["CapPrm"], 16) == 1 << 5
    assert int(held["NSpid"].split()[-1]) != 1


def test_every_namespace_is_its_own(waiting):
    for kind in ("mnt", "net", "ipc", "uts", "pid", "cgroup"):
        own = (waiting[1] / "ns" / kind).readlink()
        assert own != Path(f"/proc/self/ns/{kind}").readlink(), kind


def test_mounts_take_no_write_program_device_or_other_user(waiting):
    mounts = [line.split() for line in (waiting[1] / "mountinfo").read_text().splitlines()]
    assert [words[4] for words in mounts] == ["/", "/data/snapshot.duckdb"]
    for words in mounts:
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(words[5].split(","))


def test_five_descriptors_and_two_of_them_pipes_to_us(waiting):
    found = {int(fd.name): str(fd.readlink()) for fd in (waiting[1] / "fd").iterdir()}
    assert set(found) == {0, 1, 2, 3, 4}
    assert found[0] == found[1] == found[2]
    assert len(set(found.values())) == 3
    for descriptor in (0, 1, 2):
        flags = (waiting[1] / "fdinfo" / str(descriptor)).read_text().split("flags:")[1].split()[0]
        assert int(flags, 8) & 3 == os.O_RDONLY


def test_the_network_has_no_address(waiting):
    interfaces = (waiting[1] / "net" / "dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] in ([], ["lo"])
    assert (waiting[1] / "net" / "route").read_text().splitlines()[1:] == []
