"""GET /v1/usage: what was metered, for those it concerns."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from audit.log.events import Event
from gateway.caller import AnyNode
from gateway.caller import needs as needs_role
from gateway.free_of_charge import plan_digest
from gateway.identity.clients import Client, Role
from gateway.node import Node

router = APIRouter(prefix="/v1", tags=["finance"])
Reader = Annotated[Client, Depends(needs_role(Role.OPERATOR, Role.HOLDER, Role.FINANCE))]


@router.get("/usage")
def usage(client: Reader, node: AnyNode, start: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """Return usage records from an entry of the log on; an operator sees its own."""
    size = node.journal.size()
    records = [
        _record(index, event)
        for index, event in node.journal.events_of("usage.recorded", start, size)
        if _concerns(node, client, event)
    ]
    return {"records": records, "next": size}


def _concerns(node: Node, client: Client, event: Event) -> bool:
    if Role.FINANCE in client.roles:
        return True
    if Role.OPERATOR in client.roles:
        return event.subject == client.party
    # A holder sees use under policies of its own.
    plans = {
        plan_digest(policy)
        for policy in node.register.known().policies.values()
        if policy.holder.id == client.party
    }
    return event.data["plan"] in plans


def _record(index: int, event: Event) -> dict[str, Any]:
    return {
        "index": index,
        "time": event.time,
        "buyer": event.subject,
        "operation": event.data["operation"],
        "usage": event.data["usage"],
        "quote": event.data["quote"],
        "plan": event.data["plan"],
        "agreement": event.data["agreement"],
    }
