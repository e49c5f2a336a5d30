"""Cap a request before anything parses it. Pure ASGI: bytes are counted as they come, whatever a header claims."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

BODY_BYTES_MAX = 256 * 1024
# A body a little too large is read to its end and thrown away, so that its sender hears why instead of a broken pipe.
DRAIN_BYTES_MAX = 4 * 1024 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyLimit:
    """Read the whole body up to the limit, then hand it on; beyond the limit answer with `refuse`."""

    def __init__(self, app: App, refuse: App) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, size = bytearray(), 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            part = message.get("body", b"")
            size += len(part)
            if size <= BODY_BYTES_MAX:
                body += part
            if not message.get("more_body") or size > DRAIN_BYTES_MAX:
                break
        if size > BODY_BYTES_MAX:
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, _replayed(bytes(body), receive), send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
