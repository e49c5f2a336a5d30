"""Places, the limit of a body, the face store: small parts that the journey stands on."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from gateway.asked import Asked, AskedStore
from gateway.body_limit import BODY_BYTES_MAX, BodyLimit, Receive, Scope, Send
from gateway.places import Late, Places
from policies.refusals import Refused


def test_late_work_is_thrown_away_and_delays_nobody() -> None:
    places, done = Places(1, 1), threading.Event()
    try:
        with places.place(0.05, 0.1) as place:
            assert isinstance(place.run(lambda: done.wait(5)), Late)
        with places.place(1.0, 1.0) as place:
            assert place.run(lambda: "soon") == "soon"
    finally:
        done.set()
        places.close()


def test_no_more_than_so_many_are_in_the_making() -> None:
    places = Places(2, 8)
    now, most, turn = 0, 0, threading.Lock()

    def ask(_: int) -> None:
        nonlocal now, most
        with places.admitted(), places.place(0.02, 0.02) as place:
            with turn:
                now += 1
                most = max(most, now)
            place.wait_until_release()
            with turn:
                now -= 1

    try:
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(ask, range(10)))
    finally:
        places.close()
    assert most == 2


def test_a_full_waiting_room_turns_away_at_once() -> None:
    places = Places(1, 1)
    try:
        with places.admitted(), places.admitted():
            began = time.monotonic()
            with pytest.raises(Refused) as refused, places.admitted():
                pass
            assert refused.value.code == "node_busy" and time.monotonic() - began < 0.5
        with places.admitted():
            pass
    finally:
        places.close()


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    await PlainTextResponse(str(len(message["body"])))(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("too large", 413)(scope, receive, send)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_counted_whatever_its_header_claims(chunked: bool) -> None:
    client = TestClient(BodyLimit(_echo, _refuse))

    def sent(size: int) -> Any:
        body = b"x" * size
        return (body[i : i + 5000] for i in range(0, size, 5000)) if chunked else body

    at_limit = client.post("/", content=sent(BODY_BYTES_MAX))
    assert (at_limit.status_code, at_limit.text) == (200, str(BODY_BYTES_MAX))
    assert client.post("/", content=sent(BODY_BYTES_MAX + 1)).status_code == 413


def test_the_first_receipt_handed_out_stays_the_receipt(tmp_path: Path) -> None:
    store = AskedStore(tmp_path / "asked.sqlite")
    try:
        store.put(Asked("q_1", "op", "sha256:00", {"columns": [{"name": "人数"}]}))
        assert store.receipt("q_1", "first") == "first"
        assert store.receipt("q_1", "second") == "first" == store.handed_out("q_1")
        found = store.get("q_1")
        assert found is not None and found.face["columns"][0]["name"] == "人数"
        assert store.get("q_2") is None and store.handed_out("q_2") is None
    finally:
        store.close()
