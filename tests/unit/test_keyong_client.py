"""The guest's client comes back under the same key, and shows values as they are."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from keyong import Client, NotReached, Refused, RunFailed, table
from keyong import client as client_module
from keyong.answer import Column, Interval, Value, read_answer
from keyong.gauge import gauge
from keyong.table import cell, grid, number, width


def column(name: str, kind: str, law: str = "none") -> dict[str, Any]:
    noisy = law != "none"
    return {
        "name": name,
        "type": kind,
        "role": "noisy" if noisy else "key",
        "mechanism": "discrete_laplace" if noisy else None,
        "scale": [2.0] if noisy else [],
        "interval": law,
    }


SUM, LOWER, UPPER = "98765432109876543210.25", "98765432109876543110.25", "98765432109876543310.25"
ANSWER: dict[str, Any] = {
    "operation": "q_1",
    "columns": [
        column("地区", "VARCHAR"),
        column("day", "DATE"),
        column("n", "BIGINT", "exact_noise_law"),
        column("sum", "DECIMAL(38,2)", "exact_noise_law"),
        column("mean", "DOUBLE", "simulated_noise_law"),
    ],
    "rows": [
        ["长沙", "2024-01-01", 1200, SUM, 0.5],
        ["湘西", "2024-01-02", "9007199254740993", "-1.00", None],
    ],
    "intervals": [
        [None, None, [1190, 1210], [LOWER, UPPER], [0.0, 0.6]],
        [None, None, [9007199254740983, 9007199254741003], ["-101.00", "99.00"], None],
    ],
    "deviations": [[None, None, 2.8, 2.8, 0.2], [None, None, 2.8, 2.8, None]],
    "confidence": "0.95",
    "privacy": {"accountant": "pure_eps", "charged": {"epsilon": "0.5"}},
    "price": {
        "gross_uy": 5,
        "waived_uy": 2,
        "due_uy": 3,
        "currency": "CNY",
        "parts": [{"name": "queries", "amount_uy": 5}],
    },
    "receipt": {"index": 7, "proof": "c2sp.org/tlog-proof@v1\n"},
    "reused": False,
    "warnings": [],
}


class _Node(ThreadingHTTPServer):
    """A node that answers from a list, and remembers under which keys it was asked."""

    daemon_threads = True

    def __init__(self, told: list[tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.told, self.tokens = told, 0
        self.keys: list[str | None] = []


class _Door(BaseHTTPRequestHandler):
    server: _Node

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/oauth/token":
            self.server.tokens += 1
            self._say(200, {"access_token": f"t{self.server.tokens}", "expires_in": 600})
            return
        self.server.keys.append(self.headers.get("Idempotency-Key"))
        status, body = self.server.told.pop(0)
        if body is None:
            self.close_connection = True  # the connection breaks before an answer
            return
        self._say(status, body)

    def _say(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def node(*told: tuple[int, Any]) -> Iterator[tuple[_Node, Client]]:
    server = _Node(list(told))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with Client(f"http://127.0.0.1:{server.server_port}", "me", "secret") as client:
            yield server, client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_PAUSE_S", 0.01)


def no(code: str, status: int = 409) -> tuple[int, dict[str, Any]]:
    return status, {"code": code, "status": status, "detail": code, "loss_spent": "0"}


def ask(client: Client) -> Any:
    return client.query("d", "SELECT 1", purpose="p", epsilon=Decimal("0.5"))


def test_it_comes_back_under_the_same_key() -> None:
    with node(no("query_in_progress"), no("node_busy", 503), (0, None), (200, ANSWER)) as (
        server,
        client,
    ):
        assert ask(client).operation == "q_1"
        assert len(server.keys) == 4 and len(set(server.keys)) == 1 and server.keys[0]


def test_a_refusal_is_not_asked_again() -> None:
    with node(no("budget_exhausted", 429)) as (server, client):
        with pytest.raises(Refused) as refused:
            ask(client)
        assert refused.value.code == "budget_exhausted" and len(server.keys) == 1


def test_a_failed_run_is_not_asked_again_and_says_what_it_spent() -> None:
    failed = (500, {"code": "query_failed", "status": 500, "detail": "x", "loss_spent": "0.5"})
    with node(failed) as (server, client):
        with pytest.raises(RunFailed) as raised:
            ask(client)
        assert raised.value.loss_spent == "0.5" and len(server.keys) == 1


def test_an_old_token_is_replaced_once() -> None:
    with node(no("token_invalid", 401), (200, ANSWER)) as (server, client):
        assert ask(client).operation == "q_1"
        assert server.tokens == 2
    with node(no("token_invalid", 401), no("token_invalid", 401)) as (server, client):
        with pytest.raises(Refused):
            ask(client)
        assert server.tokens == 2


def test_a_stranger_behind_the_address_is_no_node() -> None:
    with node((200, b"<html>")) as (_, client), pytest.raises(NotReached):
        client.check("d", "SELECT 1", purpose="p", epsilon="1")


def test_values_are_exact() -> None:
    answer = read_answer(ANSWER)
    first, second = answer.rows
    assert first == ("长沙", date(2024, 1, 1), 1200, Decimal("98765432109876543210.25"), 0.5)
    assert second[2] == 9007199254740993 and second[4] is None
    assert (answer.loss, answer.price.due_uy, answer.receipt.index) == (Decimal("0.5"), 3, 7)
    assert answer.records()[0]["地区"] == "长沙"


@pytest.mark.parametrize(
    ("value", "ends", "shown"),
    [
        (Decimal("-9.0"), (Decimal("-9.0"), Decimal("-9.0")), "-9.0 ±0"),
        (-9.0, (-10.0, -8.0), "-9.0 ±1.0"),
        (-9.0, (-9.0, -7.0), "-9.0 [-9.0, -7.0]"),
    ],
)
def test_an_interval_without_width_invents_no_decimals(
    value: Value, ends: tuple[Value, Value], shown: str
) -> None:
    """A median of whole numbers may be known to its bin; it is not known to a millionth."""
    column = Column("middle", "DOUBLE", "noisy", "exponential", (1.0,), "95 %")
    assert cell(value, Interval(*ends), column) == shown


def test_the_table_shows_error_bars_and_lines_up() -> None:
    shown = table(read_answer(ANSWER)).splitlines()
    assert "1,200 ±10" in shown[2] and "0.50 [0.00, 0.60]" in shown[2]
    assert "–" in shown[3]
    assert len({width(line) for line in shown[1:3]}) == 1
    assert width("长沙a") == 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(862771.2, "862,771"), (38.4, "38"), (7.34, "7.3"), (0.0123, "0.012"), (0.0, "0.000000")],
)
def test_numbers_show_what_means_something(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("part", "blocks"), [(0.0, 0), (0.0001, 1), (0.5, 15), (1.0, 30), (1.2, 30)]
)
def test_a_gauge_shows_every_spend(part: float, blocks: int) -> None:
    assert gauge(part).count("█") == blocks


def test_a_grid_of_nothing_is_its_head() -> None:
    assert grid(["a", "b"], [], [False, True]).splitlines()[0] == "a  b"
