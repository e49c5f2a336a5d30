"""GET /v1/audit/log/…: the log as an auditor takes it away."""

import base64
import io
import tarfile
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from gateway.caller import AnyClient, AnyNode, AuditorClient
from gateway.papers import documents_of
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1/audit/log", tags=["audit"])
_ENTRIES_MAX = 256


@router.get("/checkpoint", response_class=PlainTextResponse)
def checkpoint(client: AnyClient, node: AnyNode) -> str:
    """Return a signed head of the log as it is now; keep it, and no later log can leave anything out."""
    return node.journal.checkpoint()


@router.get("/entries")
def entries(
    client: AuditorClient, node: AnyNode, start: Annotated[int, Query(ge=0)] = 0
) -> dict[str, Any]:
    """Return up to 256 entries from `start`, as their canonical bytes."""
    found = node.journal.entries(start, start + _ENTRIES_MAX)
    return {
        "start": start,
        "entries": [base64.b64encode(leaf).decode("ascii") for leaf in found],
        "next": start + len(found),
    }


@router.get("/proof/consistency")
def consistency(
    client: AnyClient,
    node: AnyNode,
    first: Annotated[int, Query(ge=0)],
    second: Annotated[int, Query(ge=0)],
) -> dict[str, Any]:
    """Return the proof that the log of size `second` only adds to that of size `first`."""
    if not first <= second <= node.journal.size():
        problem = "must not be above `first` or the size of the log"
        raise Refused("request_invalid", Stage.DOOR, pointer="/second", problem=problem)
    proof = node.journal.consistency(first, second)
    return {
        "first": first,
        "second": second,
        "proof": [base64.b64encode(item).decode("ascii") for item in proof],
    }


@router.get("/export", response_class=Response)
def export(client: AuditorClient, node: AnyNode) -> Response:
    """Return the whole log with its documents as one tar: unpack it and run `keyong audit verify`."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "log"
        node.journal.export(folder, documents_of(node.register.known(), node.shelf), {})
        (folder / "log.vkey").write_text(node.journal.vkey + "\n", encoding="utf-8")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname="log")
    return Response(packed.getvalue(), media_type="application/x-tar")
