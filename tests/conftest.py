"""Order and dice of the whole suite."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What fails fastest and says most comes first, the long roads last, a new folder between.
FIRST = ("tidy", "unit", "vectors", "golden")
LAST = ("neighbours", "statistical", "attacks", "isolation", "journey")

# The suite must give the same verdict twice, so examples are derived from the test itself. The
# search profile throws fresh dice; `make test-long` uses it. No deadline: a busy machine is no bug.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "search",
    deadline=None,
    max_examples=1000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def _rank(path: Path) -> int:
    parts = set(path.parts)
    for order in (FIRST, LAST):
        for rank, folder in enumerate(order):
            if folder in parts:
                return rank if order is FIRST else 100 + rank
    return 50


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by folder; inside a folder their order stays."""
    here = Path(__file__).parent
    items.sort(key=lambda item: _rank(item.path.relative_to(here)))
