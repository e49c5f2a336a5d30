"""One domain for each file of the journey, built once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.isolation import choose_isolation
from tests.journey import world as worlds
from tests.journey.world import World


@pytest.fixture(scope="session")
def isolated() -> None:
    """Skip, and say why, where this machine cannot isolate a worker."""
    lack = choose_isolation("namespace", insecure=False, synthetic_only=False).lack()
    if lack:
        pytest.skip(f"no isolation here: {lack}")


@pytest.fixture(scope="module")
def world(isolated: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a fresh domain for this file."""
    yield worlds.build(Path(tmp_path_factory.mktemp("domain")))
