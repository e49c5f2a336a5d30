"""When an answer leaves tells nothing: fast and slow plans of one class, and failures, leave at the same instant."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import httpx
import pytest

from audit.log import events
from gateway.background import served
from gateway.places import Places
from keyong import Client, RunFailed
from sandbox import client as sandbox_client
from tests.journey.workers import kill_next_worker
from tests.journey.world import AUDITOR, COUNT, DATASET, FREE, OPERATOR, Guests, Pace, World

pytestmark = pytest.mark.isolation
RELEASE_S = 6.0
# How far two answers of one class may leave apart on a busy machine of two cores.
TOLERANCE_S = 0.3
# Five thousand groups, whose averages' error bars are simulated one by one.
SLOW = (
    "SELECT p.region, c.day, avg(c.amount) AS a FROM claims c "
    "JOIN persons p USING (person_id) GROUP BY p.region, c.day"
)


@pytest.fixture(scope="module")
def pace() -> Pace:
    """Leave room between posting and release, as a real node does."""
    return Pace(RELEASE_S, 0.5, workers_max=4, waiting_max=8)


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


@pytest.fixture
def run_times(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time the real runs from outside: how long each worker took, whatever the asker saw."""
    found: list[float] = []
    real = sandbox_client.run

    def timed(*arguments: object) -> object:
        began = time.monotonic()
        try:
            return real(*arguments)  # type: ignore[arg-type]
        finally:
            found.append(time.monotonic() - began)

    monkeypatch.setattr(sandbox_client, "run", timed)
    return found


def test_fast_slow_and_failed_leave_alike(guests: Guests, run_times: list[float]) -> None:
    operator = guests[OPERATOR]
    # Rehearsed before: the twin holds no data, and its time is not part of the promise.
    for sql, epsilon in ((COUNT, "0.5"), (SLOW, "0.5"), (SLOW, "0.4")):
        operator.check(DATASET, sql, purpose=FREE, epsilon=epsilon)
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(
                _seconds, partial(operator.query, DATASET, sql, purpose=FREE, epsilon="0.5")
            )
            for sql in (COUNT, SLOW)
        ]
        fast, slow = (future.result() for future in asked)
    killer = threading.Thread(target=kill_next_worker)
    killer.start()
    broken = _seconds(lambda: _failing(operator))
    killer.join()
    # The test has power only if the workers really differed by more than is tolerated.
    assert max(run_times[:2]) - min(run_times[:2]) > 1.5 * TOLERANCE_S
    seen = (fast, slow, broken)
    assert min(seen) >= RELEASE_S and max(seen) - min(seen) < TOLERANCE_S
    released = _seconds_of_entries(guests, "query.released")
    failed = _seconds_of_entries(guests, "query.failed")
    everything = [*released, *failed]
    assert len(released) == 2 and len(failed) == 1
    # The log is where the moment of posting shows: it too is the same for all of them.
    assert max(everything) - min(everything) < TOLERANCE_S


def test_a_stored_answer_comes_at_once(guests: Guests) -> None:
    operator = guests[OPERATOR]
    seconds = _seconds(lambda: _reused(operator))
    assert seconds < RELEASE_S / 2


def test_a_place_is_kept_until_its_release() -> None:
    """Were it given on early, the wait of the next would tell how long the last one took."""
    places = Places(1, 1)
    try:
        began = time.monotonic()
        with places.place(0.3, 0.4) as place:
            assert place.run(lambda: "done") == "done"
            place.wait_until_settling()
            place.wait_until_release()
        with places.place(0.1, 0.1):
            waited = time.monotonic() - began
        assert waited >= 0.4
    finally:
        places.close()


def _asked(guests: Guests, sql: str) -> None:
    """Ask without reading the rows: what a long answer costs its reader is not the node's time."""
    token = guests[OPERATOR]._fresh_token()
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"clock-{len(sql)}"}
    body = {"dataset": DATASET, "sql": sql, "purpose": FREE, "epsilon": "0.5"}
    with httpx.stream(
        "POST", f"{guests.url}/v1/queries", json=body, headers=headers, timeout=30, trust_env=False
    ) as response:
        assert response.status_code == 200


def _reused(operator: Client) -> None:
    assert operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.5").reused


def _failing(operator: Client) -> None:
    with pytest.raises(RunFailed):
        operator.query(DATASET, SLOW, purpose=FREE, epsilon="0.4")


def _seconds(ask: Callable[[], object]) -> float:
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def _seconds_of_entries(guests: Guests, kind: str) -> list[float]:
    """Return how long after its acceptance each operation of a kind was posted, as the log shows it to an auditor."""
    page = guests[AUDITOR].send("GET", "/v1/audit/log/entries")
    found = [events.decode(base64.b64decode(entry)) for entry in page["entries"]]
    times = [datetime.fromisoformat(event.time) for event in found]
    return [
        (times[index] - times[int(str(event.data["accepted"]))]).total_seconds()
        for index, event in enumerate(found)
        if event.kind == kind
    ]
