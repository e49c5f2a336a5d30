"""Kill the node, or its worker, at every step: nothing is lost, nothing is spent twice, the key tells the same story."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.ledger import FAULT_POINTS as LEDGER_POINTS
from audit.ledger import Ledger
from audit.store.sqlite import Store
from gateway.background import served
from gateway.home import Home
from gateway.node import open_node, real_clock
from gateway.operation import FAULT_POINTS
from keyong import Answer, NotReached, Refused, RunFailed
from tests.journey import world as worlds
from tests.journey.workers import kill_next_worker
from tests.journey.world import AUDITOR, AUTHOR, COUNT, DATASET, FREE, OPERATOR, Pace, World

pytestmark = pytest.mark.isolation
ROOT = Path(__file__).resolve().parents[2]
LIFETIME = "family/hn_person/lifetime"
# Where the node dies, and what the same key must say afterwards.
# Simulating the error bars of seven hundred averages takes long enough to be killed at it.
SLOW = (
    "SELECT p.region, date_trunc('week', c.day) AS week, avg(c.amount) AS mean FROM claims c "
    "JOIN persons p USING (person_id) WHERE c.amount > {over} "
    "GROUP BY p.region, date_trunc('week', c.day)"
)
FRESH, VOIDED, SPENT, ANSWERED = "fresh", "voided", "spent", "answered"
DEATHS = {
    "prepared": FRESH,
    "reserve.written": FRESH,
    "reserved": VOIDED,
    "started": SPENT,
    "ran": SPENT,
    "settling": SPENT,
    "post.written": SPENT,
    "post.committed": ANSWERED,
    "posted": ANSWERED,
    "released": ANSWERED,
}


@contextmanager
def mortal(folder: Path, point: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a node that dies at `point`; give its address and its process."""
    command = [sys.executable, "-m", "tests.journey.mortal_node", str(folder), point]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.stdin.close()
        process.stdout.close()
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def pace() -> Pace:
    """Answer quickly: this file waits for it many times."""
    return Pace(1.6, worlds.SETTLE_S, workers_max=4, waiting_max=8)


@pytest.mark.parametrize("point", DEATHS)
def test_the_node_dies_and_the_key_tells_what_became_of_it(world: World, point: str) -> None:
    epsilon = f"0.1{list(DEATHS).index(point):02d}1"  # a question nobody has asked yet
    before = lifetime(world)
    with mortal(world.folder, point) as (url, process), world.guests(url) as guests:
        with pytest.raises(NotReached):
            _ask_once(guests[OPERATOR], epsilon, point)
        assert process.wait(20) == -signal.SIGKILL
    with served(world.folder, world.start) as url, world.guests(url) as guests:
        told = [_told(guests[OPERATOR], epsilon, point) for _ in range(2)]
        if "failed" in told[0]:
            # The holder looks at what happened, or three deaths would suspend the operator.
            guests[AUTHOR].send(
                "POST", "/v1/failures:review", {"operator": "op-xinyi", "dataset": DATASET}
            )
    assert told[0] == told[1]
    assert _kind(told[0]) == (ANSWERED if DEATHS[point] == FRESH else DEATHS[point])
    nano = int(epsilon.replace("0.", "").ljust(9, "0"))
    spent = 0 if DEATHS[point] == VOIDED else nano
    assert lifetime(world) - before == spent


def test_every_point_of_the_spine_is_a_death_above() -> None:
    """A new step of the spine must choose what its crash means."""
    assert set(FAULT_POINTS) <= set(DEATHS)
    assert set(DEATHS) <= {*FAULT_POINTS, *LEDGER_POINTS}


def test_a_killed_worker_spends_and_its_question_is_kept_back(world: World) -> None:
    sql = SLOW.format(over=1)
    before = lifetime(world)
    with served(world.folder, world.start) as url, world.guests(url) as guests:
        killer = threading.Thread(target=kill_next_worker)
        killer.start()
        with pytest.raises(RunFailed) as failed:
            guests[OPERATOR].query(DATASET, sql, purpose=FREE, epsilon="0.2", key="killed")
        killer.join()
        assert failed.value.loss_spent == "0.2"
        with pytest.raises(RunFailed) as again:
            guests[OPERATOR].query(DATASET, sql, purpose=FREE, epsilon="0.2", key="killed")
        assert again.value.problem == failed.value.problem
        # Whoever asks it again, at whatever loss: the same shape is not run a second time.
        for name in (OPERATOR, worlds.RIVAL):
            with pytest.raises(Refused) as refused:
                guests[name].query(DATASET, sql, purpose=FREE, epsilon="0.21")
            assert refused.value.code == "query_quarantined"
    assert lifetime(world) - before == 200_000_000


def test_after_so_many_failures_the_operator_waits_for_the_holder(world: World) -> None:
    with served(world.folder, world.start) as url, world.guests(url) as guests:
        review = {"operator": "op-xinyi", "dataset": DATASET}
        guests[AUTHOR].send("POST", "/v1/failures:review", review)
        for number in range(3):
            killer = threading.Thread(target=kill_next_worker)
            killer.start()
            with pytest.raises(RunFailed):
                sql = SLOW.format(over=2 + number)
                guests[OPERATOR].query(DATASET, sql, purpose=FREE, epsilon="0.1")
            killer.join()
        with pytest.raises(Refused) as refused:
            guests[OPERATOR].query(DATASET, COUNT, purpose=FREE, epsilon="0.2")
        assert refused.value.code == "operator_suspended"
        guests[AUTHOR].send("POST", "/v1/failures:review", review)
        answer = guests[OPERATOR].query(DATASET, COUNT, purpose=FREE, epsilon="0.2")
        assert len(answer) == 14


def test_after_all_of_it_the_log_still_adds_up(world: World, tmp_path: Path) -> None:
    node = open_node(world.folder, world.start)
    try:
        worlds.check_books(node)
        assert all(held == 0 for _, held in worlds.balances(node).values())
    finally:
        node.close()
    with served(world.folder, world.start) as url, world.guests(url) as guests:
        worlds.check_export(guests[AUDITOR], tmp_path)


def _ask_once(operator: object, epsilon: str, key: str) -> Answer:
    # Not `query`: that would come back on its own.
    body = {"dataset": DATASET, "sql": COUNT, "purpose": FREE, "epsilon": epsilon}
    return operator.send("POST", "/v1/queries", body, {"Idempotency-Key": key})  # type: ignore[attr-defined]


def _told(operator: object, epsilon: str, key: str) -> dict[str, object]:
    try:
        return dict(_ask_once(operator, epsilon, key))  # type: ignore[call-overload]
    except RunFailed as failed:
        return {"failed": failed.loss_spent, "problem": failed.problem}


def _kind(told: dict[str, object]) -> str:
    if "rows" in told:
        return ANSWERED
    return VOIDED if told["failed"] == "0" else SPENT


def lifetime(world: World) -> int:
    """Read the account without opening the node: that would settle what is under test."""
    store = Store(Home(world.folder).ledger)
    try:
        balance = Ledger(store, f"reader.{time.monotonic_ns()}", real_clock).balance(LIFETIME)
        return balance.posted if balance else 0
    finally:
        store.close()
