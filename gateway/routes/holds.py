"""POST /v1/holds:suspend and :resume: a holder stops one dataset, or everything, at once."""

import secrets
from typing import Any

from fastapi import APIRouter

from gateway.caller import AnyNode, HolderClient
from gateway.identity.clients import Client
from gateway.node import Node
from gateway.register import EVERYTHING
from gateway.schemas import HoldBody
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1", tags=["security"])


@router.post("/holds:suspend")
def suspend(body: HoldBody, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Stop new questions from this moment on. What is being answered now is answered; what is spent stays spent."""
    return _act(node, client, body, "hold_suspended")


@router.post("/holds:resume")
def resume(body: HoldBody, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Let questions in again."""
    return _act(node, client, body, "hold_resumed")


def _act(node: Node, client: Client, body: HoldBody, action: str) -> dict[str, Any]:
    subject = EVERYTHING if body.dataset is None else f"dataset/{body.dataset}"
    known = node.register.known()
    held = [d for d in known.datasets.values() if d.catalogue.dataset.holder.id == client.party]
    names = [served.catalogue.dataset.id for served in held]
    # On a node of several holders nobody stops another's data.
    if (body.dataset is not None and body.dataset not in names) or (
        body.dataset is None and len(held) != len(known.datasets)
    ):
        raise Refused("not_found", Stage.DOOR)
    data = {"actor": client.id, "action": action, "subject": subject}
    index = node.ledger.record("domain.acted", f"act.{secrets.token_hex(8)}", client.id, data)
    return {"held": sorted(node.register.known().held), "index": index}
