"""POST /oauth/token: a client shows its secret and gets a token for ten minutes."""

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qs, unquote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from gateway.caller import AnyNode
from gateway.identity.clients import authenticate
from gateway.identity.tokens import LIFETIME_S
from gateway.schemas import Token
from policies.refusals import Refused, Stage

router = APIRouter(tags=["auth"])


@router.post("/oauth/token")
async def token(request: Request, node: AnyNode) -> Token:
    """Take client credentials (form, JSON or HTTP Basic) and give a token. Source: RFC 6749 sections 2.3.1 and 4.4."""
    fields = _fields(await request.body(), request.headers.get("content-type", ""))
    fields |= _basic(request.headers.get("authorization", ""))
    if fields.get("grant_type") != "client_credentials":
        problem = "must be `client_credentials`"
        raise Refused("request_invalid", Stage.DOOR, pointer="/grant_type", problem=problem)
    # The hash of a secret takes a tenth of a second on purpose; other requests must not wait for it.
    client = await run_in_threadpool(
        authenticate,
        node.clients(),
        fields.get("client_id", ""),
        fields.get("client_secret", ""),
    )
    return Token(
        access_token=node.tokens.issue(client, node.clock()),
        token_type="Bearer",  # noqa: S106  (the word of RFC 6750)
        expires_in=LIFETIME_S,
    )


def _fields(body: bytes, kind: str) -> dict[str, str]:
    try:
        text = body.decode("utf-8")
        if kind.startswith("application/json"):
            plain: Any = json.loads(text)
            if not isinstance(plain, dict):
                raise ValueError("object")
            return {str(name): value for name, value in plain.items() if isinstance(value, str)}
        return {name: values[0] for name, values in parse_qs(text, max_num_fields=16).items()}
    except (ValueError, RecursionError):
        raise Refused("request_not_json", Stage.DOOR) from None


def _basic(header: str) -> dict[str, str]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        raise Refused("client_unknown", Stage.DOOR) from None
    return {"client_id": unquote(name), "client_secret": unquote(secret)}
