"""What the ledger says of an operation, put into words for its asker; and what the ledger is asked."""

import secrets
from datetime import timedelta

from audit.charge import Unit
from audit.request import Conflict, Insufficient, Outcome, Replayed, Request
from audit.store.operations import State
from gateway.amounts import account_text, loss_text
from gateway.answer import Answer, answer
from gateway.ask import Ask
from gateway.asked import Asked
from gateway.node import Node
from gateway.prepare import Prepared
from gateway.unanswered import Unanswered
from policies.refusals import Refused, Stage

# How long after its release an open operation counts as lost; only another gateway's sweep looks at it.
_LOST_AFTER = timedelta(minutes=5)


def ledger_request(node: Node, ask: Ask, ids: tuple[str, str], prepared: Prepared) -> Request:
    """Write a prepared question as the ledger takes it; `ids` are its operation and its key."""
    size = node.settings.size_classes[prepared.size_class]
    return Request(
        operation_id=ids[0],
        client_id=ask.operator,
        idempotency_key=ids[1],
        request_digest=ask.digest,
        charges=tuple(load.charge for load in prepared.loads),
        deadline=node.clock() + timedelta(seconds=size.release_s) + _LOST_AFTER,
        terms=prepared.terms,
    )


def not_reserved(
    node: Node, ask: Ask, reserved: Replayed | Conflict | Insufficient, prepared: Prepared
) -> Answer:
    """Give the answer of a replay, or refuse with what stood against the reservation."""
    if isinstance(reserved, Conflict):
        raise Refused("idempotency_conflict", Stage.DOOR)
    if isinstance(reserved, Replayed):
        given = recalled(node, ask, reserved.outcome)
        if given is None:
            raise AssertionError("a replay has an outcome")
        return given
    load = next(load for load in prepared.loads if load.account.id == reserved.account_id)
    unit = load.account.unit
    if unit is Unit.FAILURES:
        # Each question in the making sets one failure aside, so an operator near its limit asks one after the other.
        raise Refused("node_busy", Stage.LEDGER)
    raise Refused(
        "budget_exhausted",
        Stage.LEDGER,
        account=reserved.account_id,
        available=account_text(unit, max(0, reserved.available)),
        asked=account_text(unit, reserved.asked),
    )


def recalled(node: Node, ask: Ask, outcome: Outcome | None) -> Answer | None:
    """Return what became of a key, or None if it is new.

    Refuses  a key that was used for another question, and one whose question is still being answered.
    """
    if outcome is None:
        return None
    asked = node.asked.get(outcome.operation_id)
    if asked is None or asked.request_digest != ask.digest:
        raise Refused("idempotency_conflict", Stage.DOOR)
    return told(node, asked, outcome)


def told(node: Node, asked: Asked, outcome: Outcome) -> Answer:
    """Tell an operation's outcome to its asker."""
    if outcome.state in (State.RESERVED, State.RUNNING):
        raise Refused("query_in_progress", Stage.RUN)
    if outcome.release is None:
        raise unanswered(asked, outcome.touched is True)
    receipt = node.asked.handed_out(asked.operation)
    if receipt is None:
        receipt = node.asked.receipt(asked.operation, node.journal.receipt(outcome.index))
    return answer(asked, outcome.release, receipt, outcome.index)


def unanswered(asked: Asked, spent: bool) -> Unanswered:
    """Say that there will be no answer, and what that cost."""
    refused = Refused("query_failed", Stage.RUN, fate="spent" if spent else "given back")
    loss = next(
        asked.face["privacy"]["loss"][name]
        for name in ("epsilon", "rho")
        if name in asked.face["privacy"]["loss"]
    )
    return Unanswered(asked.operation, refused, str(loss) if spent else loss_text(0))


def new_operation(node: Node) -> str:
    """Name an operation: by time, so that a list of them is in order, and by dice, so that none can be guessed."""
    milliseconds = int(node.clock().timestamp() * 1000)
    return f"q_{milliseconds:012x}{secrets.token_hex(10)}"
