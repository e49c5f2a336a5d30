"""The door as an application: routes, the form of every no, and what every response carries."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.body_limit import BODY_BYTES_MAX, BodyLimit, Receive, Scope, Send
from gateway.node import Node
from gateway.problems import (
    MEDIA_TYPE,
    problem,
    problem_of_bug,
    problem_of_document,
    problem_of_run,
)
from gateway.publish import Faulty
from gateway.routes import (
    audit_log,
    batches,
    budgets,
    checks,
    datasets,
    failures,
    health,
    holds,
    me,
    policies,
    queries,
    settlements,
    tokens,
    usage,
)
from gateway.unanswered import Unanswered
from policies.refusals import Refused, Stage

ROUTES = (
    tokens, me, datasets, checks, batches, queries, budgets, usage, settlements, policies, holds,
    failures, audit_log, health,
)  # fmt: skip
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a field here; check its spelling",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "has another form",
    "greater_than_equal": "is too small",
}
_RETRY_AFTER_S = {"query_in_progress": "2", "node_busy": "2"}


def make_app(node: Node) -> FastAPI:
    """Build the application around a node."""
    app = FastAPI(
        title="Keyong domain node",
        version="1",
        summary="SQL over data that stays where it is; only noisy answers leave.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.node = node
    # A question keeps its thread until its release. Eight threads more than may wait, so that a no is never queued.
    threads = node.settings.workers_max + node.settings.waiting_max + 8
    app.state.threads = ThreadPoolExecutor(threads, thread_name_prefix="question")
    for module in ROUTES:
        app.include_router(module.router)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Unanswered, _unanswered)
    app.add_exception_handler(Faulty, _faulty)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(BodyLimit, refuse=_too_large)
    app.add_middleware(_Outermost)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refused):
        raise error
    return _no(request, error)


async def _unanswered(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Unanswered):
        raise error
    return _said(problem_of_run(error, _language(request)))


async def _faulty(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Faulty):
        raise error
    return _said(problem_of_document(error.findings, _language(request)))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _no(request, Refused("request_not_json", Stage.DOOR))
    place = [str(part) for part in first["loc"] if part != "body"]
    pointer = "/" + "/".join(place)
    said = _WORDS.get(first["type"], "is not of the documented form")
    return _no(request, Refused("request_invalid", Stage.DOOR, pointer=pointer, problem=said))


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 400:
        return _no(request, Refused("request_not_json", Stage.DOOR))
    body = problem(Refused("not_found", Stage.DOOR), _language(request))
    return _said(body | {"status": error.status_code})


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    refused = Refused("request_too_large", Stage.DOOR, limit=BODY_BYTES_MAX)
    await _no(Request(scope), refused)(scope, receive, send)


def _no(request: Request, refused: Refused) -> JSONResponse:
    return _said(problem(refused, _language(request)))


def _said(body: dict[str, Any]) -> JSONResponse:
    headers = {}
    if body["code"] in _RETRY_AFTER_S:
        headers["Retry-After"] = _RETRY_AFTER_S[body["code"]]
    if body["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, body["status"], headers, media_type=MEDIA_TYPE)


def _language(request: Request) -> str | None:
    return request.headers.get("accept-language")


class _Outermost:
    """Nothing is cached on the way, and no bug shows its text: not to the asker, not in the server's log."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one connection."""
        started = False

        async def with_headers(message: Any) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:
            request = Request(scope)
            response = _said(problem_of_bug(error, _language(request)))
            if started or scope["type"] != "http":
                return
            await response(scope, receive, with_headers)
