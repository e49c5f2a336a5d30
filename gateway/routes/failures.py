"""POST /v1/failures:review: a holder has looked at an operator's failed runs and lets it ask again."""

import secrets
from typing import Any, cast

from fastapi import APIRouter

from gateway.caller import AnyNode, HolderClient
from gateway.identity.clients import Client
from gateway.node import Node
from gateway.schemas import ReviewBody
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1", tags=["security"])


@router.post("/failures:review")
def review(body: ReviewBody, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Set an operator's count of failures back to none, and let its failed questions be asked again.

    Each failure may have told one bit about the rows: look at the domain's own log before you do.
    """
    served = node.register.known().datasets.get(body.dataset)
    if served is None or served.catalogue.dataset.holder.id != client.party:
        raise Refused("not_found", Stage.DOOR)
    family = served.catalogue.dataset.family.id
    seen = node.ledger.failures(body.operator, family)
    with node.acting:
        shapes = _let_go(node, client, body.operator)
        index = node.ledger.review_failures(body.operator, family, client.id)
    return {
        "operator": body.operator,
        "family": family,
        "reviewed": seen,
        "questions": shapes,
        "index": index,
    }


def _let_go(node: Node, client: Client, operator: str) -> int:
    """Lift the quarantine of the questions whose runs failed for this operator; return how many they are."""
    known, size = node.register.known(), node.journal.size()
    accepted = {
        cast("int", event.data["accepted"])
        for _, event in node.journal.events_of("query.failed", 0, size)
        if event.subject == operator and event.data["touched"] is True
    }
    shapes = {
        str(event.data["shape"])
        for index, event in node.journal.events_of("query.accepted", 0, size)
        if index in accepted
    }
    lifted = [s for s in sorted(shapes) if node.ledger.shape_failures(s) > known.reviewed.get(s, 0)]
    for shape in lifted:
        subject = f"{shape}/{node.ledger.shape_failures(shape)}"
        data = {"actor": client.id, "action": "question_reviewed", "subject": subject}
        node.ledger.record("domain.acted", f"act.{secrets.token_hex(8)}", client.id, data)
    return len(lifted)
