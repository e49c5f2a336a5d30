"""A snapshot to mount, and the leave to start workers at all."""

from pathlib import Path

import duckdb
import pytest

from sandbox.runtimes.base import Snapshot, Unavailable
from sandbox.runtimes.namespace import namespace

ROWS = 200_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.isolation)


@pytest.fixture(scope="session", autouse=True)
def standing():
    """Skip, with the reason and the cure, where this machine cannot isolate."""
    found = namespace().probe()
    if isinstance(found, Unavailable):
        pytest.skip(f"no isolation here: {found.reason}; {found.cure}")
    return found


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
