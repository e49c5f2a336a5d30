"""One domain for each file of the journey: built once, then copied."""

from pathlib import Path

import pytest

from gateway.isolation import choose_isolation
from keyong.demo import domain as demo
from tests.journey import world as worlds
from tests.journey.world import Pace, World


@pytest.fixture(scope="session")
def isolated() -> None:
    """Skip, and say why, where this machine cannot isolate a worker."""
    lack = choose_isolation("namespace", insecure=False, synthetic_only=False).lack()
    if lack:
        pytest.skip(f"no isolation here: {lack}")


@pytest.fixture(scope="session")
def template(isolated: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the domain that every file starts from a copy of."""
    policies = worlds.policy_text(), worlds.policy_text(rival=True)
    folder = Path(tmp_path_factory.mktemp("template"))
    return worlds.build(folder, demo.document("dataset.yaml"), policies)


@pytest.fixture(scope="module")
def pace() -> Pace:
    """Say how fast this file's domain answers; a file may choose otherwise."""
    return Pace(worlds.RELEASE_S, worlds.SETTLE_S, workers_max=4, waiting_max=8)


@pytest.fixture(scope="module")
def world(template: World, pace: Pace, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a fresh domain for this file."""
    return worlds.copied(template, Path(tmp_path_factory.mktemp("domain")), pace)
