"""A snapshot to mount, and the leave to start workers at all."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from sandbox.runtimes.base import Snapshot, Unavailable
from sandbox.runtimes.namespace import namespace

ROWS = 200_000
NEED_NO_WORKER = {"test_engine.py", "test_filter.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.isolation)


# What the machine itself says, asked without a line of ours.
BARE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
apart = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000
assert libc.unshare(apart if os.geteuid() == 0 else apart | 0x10000000) == 0, "unshare"
assert libc.mount(b"", b"/", None, 0x44000, None) == 0, "private"
assert libc.mount(b"x", os.fsencode(os.path.dirname(os.__file__)), b"tmpfs", 0, None) == 0, "mount"
"""


def machine_isolates() -> bool:
    return (
        subprocess.run(
            [sys.executable, "-I", "-c", BARE], capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.fixture(scope="session")
def standing():
    """Skip, with the reason and the cure, where this machine cannot isolate; fail where it could and we did not."""
    found = namespace().probe()
    if isinstance(found, Unavailable):
        assert not machine_isolates(), f"the machine can isolate, we cannot: {found}"
        pytest.skip(f"no isolation here: {found.reason}; {found.cure}")
    return found


@pytest.fixture(autouse=True)
def _only_where_it_can_be_had(request):
    if Path(request.module.__file__).name not in NEED_NO_WORKER:
        request.getfixturevalue("standing")


def make_snapshot(path: Path, marker: str) -> Snapshot:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT i AS id, (i % 97)::DECIMAL(9,2) AS paid, "
            f"'k' || (i % 5) AS region, '{marker}' AS marker FROM range({ROWS}) r(i)"
        )
    path.chmod(0o444)
    return Snapshot(path)


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("domain")
    return make_snapshot(folder / "people.duckdb", "mine")
