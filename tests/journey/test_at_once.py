"""Many questions at once: one key runs once, no budget is overdrawn, a full node says so at once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.background import served
from keyong import Refused
from tests.journey import world as worlds
from tests.journey.world import (
    APPROVER,
    AUTHOR,
    COUNT,
    DATASET,
    FREE,
    OPERATOR,
    RIVAL,
    Guests,
    Pace,
    World,
)

pytestmark = pytest.mark.isolation
AT_ONCE = 8


@pytest.fixture(scope="module")
def pace() -> Pace:
    """Two places and six chairs to wait on."""
    return Pace(worlds.RELEASE_S, worlds.SETTLE_S, workers_max=2, waiting_max=6)


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


def test_one_key_runs_once(guests: Guests) -> None:
    before = _lifetime(guests)
    told = _at_once(lambda _: _ask(guests, OPERATOR, "0.1", "same-key"))
    assert set(told) <= {"answered", "query_in_progress"} and told["answered"] >= 1
    assert _ask(guests, OPERATOR, "0.1", "same-key") == "answered"
    assert round(_lifetime(guests) - before, 9) == 0.1


def test_no_budget_is_overdrawn(guests: Guests) -> None:
    """Eight ask for a little over a tenth each, five tenths are there: four are answered, whatever the order."""
    text = worlds.policy_text(rival=True).replace("version: 1", "version: 2", 1)
    text = text.replace("window: quarter, epsilon: 40", "window: quarter, epsilon: 0.5")
    worlds.publish(guests[AUTHOR], guests[APPROVER], text)
    told = _at_once(lambda n: _patiently(guests, n, f"0.1{n + 1:08d}"))
    assert told == {"answered": 4, "budget_exhausted": 4}
    left = [a for a in guests[RIVAL].budgets() if "kejia/public_health" in a["account"]]
    assert [account["held"] for account in left] == ["epsilon 0"]
    assert 0.4 <= float(left[0]["spent"].split()[1]) <= 0.5


def test_a_full_node_says_so_at_once(guests: Guests) -> None:
    told = Counter[str]()
    with ThreadPoolExecutor(24) as pool:
        asked = [
            pool.submit(_ask, guests, OPERATOR, f"0.12{n:02d}", f"full-{n}") for n in range(24)
        ]
        told.update(future.result() for future in asked)
    assert told["node_busy"] >= 1
    assert set(told) == {"answered", "node_busy"}


def test_a_holder_can_stop_everything_while_questions_are_asked(guests: Guests) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(_ask, guests, OPERATOR, "0.14", "before-the-stop")
        guests[AUTHOR].send("POST", "/v1/holds:suspend", {})
        try:
            assert _ask(guests, OPERATOR, "0.141", "after-the-stop") == "policy_suspended"
        finally:
            guests[AUTHOR].send("POST", "/v1/holds:resume", {})
        assert running.result() in ("answered", "policy_suspended")


def test_what_was_stopped_meanwhile_is_stopped_for_those_who_wait_too(guests: Guests) -> None:
    with ThreadPoolExecutor(3) as pool:
        running = [
            pool.submit(_ask, guests, OPERATOR, f"0.15{n}", f"running-{n}") for n in range(2)
        ]
        time.sleep(worlds.RELEASE_S / 3)
        waiting = pool.submit(_ask, guests, OPERATOR, "0.152", "waiting")
        time.sleep(worlds.RELEASE_S / 5)
        guests[AUTHOR].send("POST", "/v1/holds:suspend", {"dataset": DATASET})
        try:
            assert waiting.result() == "policy_suspended"
            assert [future.result() for future in running] == ["answered", "answered"]
        finally:
            guests[AUTHOR].send("POST", "/v1/holds:resume", {"dataset": DATASET})


def test_the_log_adds_up_afterwards(guests: Guests, tmp_path: Path) -> None:
    worlds.check_export(guests[worlds.AUDITOR], tmp_path)


def _at_once(ask: Callable[[int], str]) -> Counter[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(ask, range(AT_ONCE)))


def _patiently(guests: Guests, number: int, epsilon: str) -> str:
    """Ask a question of one's own: the same one would be free as soon as anybody has its answer."""
    sql = (
        "SELECT p.region, count(*) AS n FROM claims c JOIN persons p USING (person_id) "
        f"WHERE c.amount > {number} GROUP BY p.region"
    )
    while (told := _ask(guests, RIVAL, epsilon, f"tenth-{number}", sql)) == "node_busy":
        time.sleep(0.2)
    return told


def _ask(guests: Guests, name: str, epsilon: str, key: str, sql: str = COUNT) -> str:
    body = {"dataset": DATASET, "sql": sql, "purpose": FREE, "epsilon": epsilon}
    try:
        guests[name].send("POST", "/v1/queries", body, {"Idempotency-Key": key})
    except Refused as refused:
        return refused.code
    return "answered"


def _lifetime(guests: Guests) -> float:
    accounts = {a["account"]: a["spent"] for a in guests[OPERATOR].budgets()}
    return float(accounts["family/hn_person/lifetime"].split()[1])
