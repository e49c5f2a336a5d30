"""Bodies whose numbers are read exactly: 0.1 is one tenth, not the binary fraction next to it.

The parser of the standard library would also take the last of two equal names, and NaN; both become `Unreadable`, which no
field accepts, so that the asker is told instead of guessed at.
"""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class Unreadable:
    """Stands where a body says two things at once, or nothing."""


class _ExactRequest(Request):
    async def json(self) -> Any:
        """Read the body."""
        return loads(await self.body())


class ExactRoute(APIRoute):
    """A route that reads its body so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        usual = super().get_route_handler()

        async def exact(request: Request) -> Response:
            return await usual(_ExactRequest(request.scope, request.receive))

        return exact


def loads(body: bytes) -> Any:
    """Read JSON with exact numbers."""
    return json.loads(
        body,
        parse_float=Decimal,
        parse_constant=lambda _: Unreadable(),
        object_pairs_hook=_object,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        read[name] = Unreadable() if name in read else value
    return read
