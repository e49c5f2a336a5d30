"""When an answer leaves tells nothing: fast and slow plans of one class, and failures, leave at the same instant."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from audit.log import events
from gateway.background import served
from gateway.places import Places
from keyong import Client
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
    # Rehearsed before: the twin holds no data, and its time is not part of the promise.
    for sql, epsilon in ((COUNT, "0.5"), (SLOW, "0.5"), (SLOW, "0.6")):
        guests[OPERATOR].check(DATASET, sql, purpose=FREE, epsilon=epsilon)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(_ask, guests, sql, "0.5") for sql in (COUNT, SLOW)]
        left = dict(future.result() for future in asked)
    killer = threading.Thread(target=kill_next_worker)
    killer.start()
    left |= [_ask(guests, SLOW, "0.6")]
    killer.join()
    # The test has power only if the workers really differed by more than is tolerated.
    assert max(run_times) - min(run_times) > 1.5 * TOLERANCE_S
    accepted, posted = _times(guests)
    assert len(left) == 3 and left.keys() == posted.keys()
    seen = [(left[name] - accepted[name]).total_seconds() for name in left]
    # The place is taken a few milliseconds before the acceptance is durable, hence not one bound but two.
    assert all(abs(seconds - RELEASE_S) < TOLERANCE_S / 2 for seconds in seen), seen
    # The log is where the moment of posting shows: it too is the same for all of them.
    logged = [(posted[name] - accepted[name]).total_seconds() for name in posted]
    assert max(logged) - min(logged) < TOLERANCE_S


def test_a_stored_answer_comes_at_once(guests: Guests) -> None:
    seconds = _seconds(lambda: _reused(guests[OPERATOR]))
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


def _ask(guests: Guests, sql: str, epsilon: str) -> tuple[str, datetime]:
    """Ask; return the operation and the moment its answer, or its failure, began to arrive."""
    headers = {
        "Authorization": f"Bearer {guests[OPERATOR]._fresh_token()}",
        "Idempotency-Key": f"clock-{len(sql)}-{epsilon}",
    }
    body = {"dataset": DATASET, "sql": sql, "purpose": FREE, "epsilon": epsilon}
    with httpx.stream(
        "POST", f"{guests.url}/v1/queries", json=body, headers=headers, timeout=30, trust_env=False
    ) as response:
        arrived = datetime.now(UTC)
        told = json.loads(response.read())
    assert response.status_code == (200 if epsilon == "0.5" else 500)
    return str(told.get("operation") or told["instance"].rsplit("/", 1)[1]), arrived


def _reused(operator: Client) -> None:
    assert operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.5").reused


def _seconds(ask: Callable[[], object]) -> float:
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def _times(guests: Guests) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """Return when each operation was accepted and when it ended, as the log shows it to an auditor."""
    page = guests[AUDITOR].send("GET", "/v1/audit/log/entries")
    accepted: dict[str, datetime] = {}
    ended: dict[str, datetime] = {}
    for entry in page["entries"]:
        event = events.decode(base64.b64decode(entry))
        kinds = {"query.accepted": accepted, "query.released": ended, "query.failed": ended}
        if event.kind in kinds:
            kinds[event.kind][str(event.data["operation"])] = datetime.fromisoformat(event.time)
    return accepted, ended
