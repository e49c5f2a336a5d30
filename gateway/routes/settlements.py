"""POST /v1/settlements:preview: lines and shares to the fen, drawn up from the log and not yet issued."""

from typing import Any

from fastapi import APIRouter

from audit.money.channel import UnknownJurisdiction
from audit.money.statement import StatementRefused, Terms, draw_up, usage_entry
from gateway.caller import AnyNode, FinanceClient
from gateway.schemas import SettlementBody
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1", tags=["finance"])


@router.post("/settlements:preview")
def preview(body: SettlementBody, client: FinanceClient, node: AnyNode) -> dict[str, Any]:
    """Rate, add, round and split every usage record in a range of the log."""
    size = node.journal.size()
    end = size if body.index_to is None else min(body.index_to, size)
    known = node.register.known()
    metered = (
        usage_entry(index, event)
        for index, event in node.journal.events_of("usage.recorded", body.index_from, end)
    )
    # Use that has no price at all has nothing to share; use that is waived stays on the statement with its value.
    entries = [entry for entry in metered if entry.quote.gross_uy]
    try:
        statement = draw_up(
            "preview", (body.index_from, end), entries, Terms(known.plans, known.agreements)
        )
    except (StatementRefused, UnknownJurisdiction) as error:
        raise Refused(
            "request_invalid", Stage.DOOR, pointer="/index_from", problem=str(error)
        ) from None
    parties = {
        party.id: party.name for found in known.agreements.values() for party in found.parties
    }
    return statement.fields() | {"names": parties}
