"""Speak with a domain node over HTTP. Retries carry the Idempotency-Key, so no question is ever paid for twice."""

import time
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any

import httpx

from keyong.answer import Answer, Check, read_answer, read_check
from keyong.batch import BatchAnswer, Member, batch_body, read_batch
from keyong.parameters import Parameters, write
from keyong.refused import NotReached, Refused, RunFailed

# The largest size class answers after a minute; twice that covers waiting for a place.
ANSWER_TIMEOUT_S = 150.0
CONNECT_TIMEOUT_S = 10.0
_ATTEMPTS = 5
_ATTEMPTS_A_MEMBER = 8  # of ten seconds each: more than the largest size class takes
_PAUSE_S = 2.0
# The node asks for patience: the same key finds the answer later.
_COME_BACK = frozenset({"query_in_progress", "node_busy"})
_REFRESH_BEFORE_S = 30.0

Loss = str | int | Decimal


class Client:
    """One client of one node. Threads may share one.

    Refuses  (keyong.Refused) what the node refuses; (keyong.NotReached) where no node answers.
    """

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, *, language: str = "en"
    ) -> None:
        self._id, self._secret = client_id, client_secret
        self._token, self._expires = "", 0.0
        self._http = httpx.Client(
            base_url=base_url,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            headers={"Accept-Language": language},
            # A proxy named in the environment has no business between an operator and a node of its own city.
            trust_env=False,
        )

    def check(  # noqa: PLR0913  (the fields of the request, all by name)
        self,
        dataset: str,
        sql: str,
        *,
        purpose: str,
        epsilon: Loss | None = None,
        rho: Loss | None = None,
        delta: Loss | None = None,
        accuracy: str | Mapping[str, str] | None = None,
        expected: Mapping[str, int | Decimal] | None = None,
        parameters: Parameters | None = None,
    ) -> Check:
        """Ask what a question would cost and how exact its answer would be. Spends nothing, touches no data.

        `delta` is what groups without a declared domain may cost besides `rho`.
        `parameters` are the values of `?` or `$1` as a list, of `$name` as a dictionary. `accuracy`, "±100 at 95%" or one by
        column, stands instead of a loss; then the smallest loss that gives it is found. `expected` are your own guesses of
        the columns' values, for an accuracy in percent.
        """
        body = _question(dataset, sql, purpose, {"epsilon": epsilon, "rho": rho, "delta": delta})
        body |= _beside(accuracy, expected, parameters)
        return read_check(self.send("POST", "/v1/queries:check", body))

    def query(  # noqa: PLR0913  (the fields of the request, all by name)
        self,
        dataset: str,
        sql: str,
        *,
        purpose: str,
        epsilon: Loss | None = None,
        rho: Loss | None = None,
        delta: Loss | None = None,
        accuracy: str | Mapping[str, str] | None = None,
        expected: Mapping[str, int | Decimal] | None = None,
        parameters: Parameters | None = None,
        key: str | None = None,
    ) -> Answer:
        """Ask, wait for the answer, and ask again under the same key if the connection breaks.

        `key` names this question for ever: give your own to find the answer again after a crash of your program.
        """
        body = _question(dataset, sql, purpose, {"epsilon": epsilon, "rho": rho, "delta": delta})
        body |= _beside(accuracy, expected, parameters)
        return read_answer(self._patiently("/v1/queries", body, key, _ATTEMPTS))

    def batch(  # noqa: PLR0913  (the fields of the request, all by name)
        self,
        dataset: str,
        members: Sequence[Member],
        *,
        purpose: str,
        epsilon: Loss | None = None,
        rho: Loss | None = None,
        key: str | None = None,
    ) -> BatchAnswer:
        """Ask several questions under one loss: all are answered, or none. `key` as in `query`.

        A batch takes as long as its questions one after the other; this comes back until it is done.
        """
        body = batch_body(dataset, members, purpose, _stated({"epsilon": epsilon, "rho": rho}))
        attempts = _ATTEMPTS + _ATTEMPTS_A_MEMBER * len(members)
        return read_batch(self._patiently("/v1/queries:batch", body, key, attempts))

    def check_batch(
        self,
        dataset: str,
        members: Sequence[Member],
        *,
        purpose: str,
        epsilon: Loss | None = None,
        rho: Loss | None = None,
    ) -> Mapping[str, Any]:
        """Ask how a batch would be split and how exact each answer would be. Spends nothing, touches no data."""
        body = batch_body(dataset, members, purpose, _stated({"epsilon": epsilon, "rho": rho}))
        return dict(self.send("POST", "/v1/checks:batch", body))

    def _patiently(
        self, path: str, body: Mapping[str, Any], key: str | None, attempts: int
    ) -> Mapping[str, Any]:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        for attempt in range(attempts):
            last = attempt == attempts - 1
            try:
                return dict(self.send("POST", path, body, headers))
            except NotReached:
                if last:
                    raise
            except Refused as refused:
                if refused.code not in _COME_BACK or last:
                    raise
            time.sleep(_PAUSE_S * min(attempt + 1, _ATTEMPTS))
        raise AssertionError("the last attempt returns or raises")

    def answer(self, operation: str) -> Answer:
        """Return the answer of an operation again."""
        return read_answer(self.send("GET", f"/v1/queries/{operation}"))

    def receipt(self, operation: str) -> Mapping[str, Any]:
        """Return the receipt of an operation with what opens it: keep it as a file."""
        return dict(self.send("GET", f"/v1/queries/{operation}/receipt"))

    def datasets(self) -> list[Mapping[str, Any]]:
        """List the datasets you may ask about."""
        return list(self.send("GET", "/v1/datasets")["datasets"])

    def dataset(self, dataset: str) -> Mapping[str, Any]:
        """Return a dataset's schema and what you may do with each column."""
        return dict(self.send("GET", f"/v1/datasets/{dataset}"))

    def budgets(self) -> list[Mapping[str, Any]]:
        """Return where every account stands that concerns you."""
        return list(self.send("GET", "/v1/budgets")["accounts"])

    def usage(self) -> list[Mapping[str, Any]]:
        """Return what was metered."""
        return list(self.send("GET", "/v1/usage")["records"])

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send one request with a valid token and return its JSON."""
        response = self._sent(method, path, body, headers)
        if response.status_code == 401:
            self._token = ""
            response = self._sent(method, path, body, headers)
        return _read(response)

    def fetch(self, path: str) -> bytes:
        """Return the bytes of a route that is not JSON."""
        response = self._sent("GET", path, None, None)
        if response.is_error:
            _read(response)
        return response.content

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _sent(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        authorization = {"Authorization": f"Bearer {self._fresh_token()}"}
        try:
            return self._http.request(
                method, path, json=body, headers={**(headers or {}), **authorization}
            )
        except httpx.HTTPError as error:
            raise NotReached(f"no answer from {self._http.base_url}: {error}") from None

    def _fresh_token(self) -> str:
        if self._token and time.monotonic() < self._expires - _REFRESH_BEFORE_S:
            return self._token
        fields = {
            "grant_type": "client_credentials",
            "client_id": self._id,
            "client_secret": self._secret,
        }
        asked = time.monotonic()
        try:
            response = self._http.post("/oauth/token", data=fields)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotReached(f"no answer from {self._http.base_url}: {error}") from None
        plain = _read(response)
        self._token, self._expires = plain["access_token"], asked + plain["expires_in"]
        return self._token


def _question(
    dataset: str, sql: str, purpose: str, losses: Mapping[str, Loss | None]
) -> dict[str, Any]:
    return {"dataset": dataset, "sql": sql, "purpose": purpose, **_stated(losses)}


def _stated(losses: Mapping[str, Loss | None]) -> dict[str, str]:
    # `str` of a Decimal may have an exponent, which the node does not read.
    return {
        k: format(v, "f") if isinstance(v, Decimal) else str(v)
        for k, v in losses.items()
        if v is not None
    }


def _beside(
    accuracy: str | Mapping[str, str] | None,
    expected: Mapping[str, int | Decimal] | None,
    parameters: Parameters | None,
) -> dict[str, Any]:
    stated = {
        "accuracy": dict(accuracy) if isinstance(accuracy, Mapping) else accuracy,
        "expected": None if expected is None else {n: _number(v) for n, v in expected.items()},
        "parameters": None if parameters is None else write(parameters),
    }
    return {name: value for name, value in stated.items() if value is not None}


def _number(value: int | Decimal) -> int | float:
    # a guess: its digits beyond those of a double do not matter
    return value if isinstance(value, int) else float(value)


def _read(response: httpx.Response) -> Any:
    try:
        plain = response.json()
    except ValueError:
        raise NotReached(
            f"{response.url} answered {response.status_code} without JSON; is this a domain node"
        ) from None
    if not response.is_error:
        return plain
    if not isinstance(plain, dict) or "code" not in plain:
        raise NotReached(f"{response.url} answered {response.status_code}; is this a domain node")
    raise (RunFailed if plain["code"] == "query_failed" else Refused)(plain)
