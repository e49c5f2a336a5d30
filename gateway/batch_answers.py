"""Tell what became of a batch: all its answers in the order they were asked, or what it cost."""

import json
from typing import Any

from audit.request import Outcome
from audit.store.operations import State
from gateway.again import from_store
from gateway.amounts import loss_text
from gateway.answer import Answer
from gateway.ask import Ask
from gateway.asked import Asked
from gateway.node import Node
from gateway.outcome import new_operation, recalled, told
from gateway.prepare import prepare
from gateway.unanswered import Unanswered
from gateway.workload import Batch, batch_loss, share, share_ask
from policies.refusals import Refused, Stage


def member_key(key: str, number: int) -> str:
    """Return the key of a member. A key that comes through the door has no space, so none can be taken for it."""
    return f"{key} {number}"


def recalled_batch(node: Node, batch: Batch, key: str) -> bytes | None:
    """Return what became of a key, or None if it is new.

    Refuses  a key that was used for something else, and one whose batch is still being answered.
    """
    outcome = node.ledger.outcome(batch.operator, key)
    return None if outcome is None else told_batch(node, batch, key, outcome)


def told_batch(node: Node, batch: Batch, key: str, outcome: Outcome) -> bytes:
    """Tell the outcome of a batch by that of its first operation: all of them ended alike."""
    asked = node.asked.get(outcome.operation_id)
    if asked is None or asked.request_digest != batch.digest:
        raise Refused("idempotency_conflict", Stage.DOOR)
    if outcome.state in (State.RESERVED, State.RUNNING):
        raise Refused("query_in_progress", Stage.RUN)
    if outcome.release is None:
        raise unanswered_batch(asked, outcome.touched is True)
    return written_batch(node, batch, key, asked)


def unanswered_batch(asked: Asked, spent: bool) -> Unanswered:
    """Say that no member will be answered, and what that cost."""
    refused = Refused("query_failed", Stage.RUN, fate="spent" if spent else "given back")
    charged = str(asked.face["batch"]["charged"])
    return Unanswered(asked.operation, refused, charged if spent else loss_text(0))


def written_batch(node: Node, batch: Batch, key: str, asked: Asked | None) -> bytes:
    """Write the answers of a batch; `asked` is the face of its first operation, None if nothing was measured.

    What follows from the store is made now if it was not before: it can be made again at any time, for nothing.
    """
    whole: dict[str, Any] = asked.face["batch"] if asked else {"members": {}, "charged": "0"}
    answers = []
    for number, member in enumerate(batch.members):
        operation = whole["members"].get(str(number))
        named = b'{"id":' + _json(member.id)
        try:
            given = _measured(node, operation) if operation else _free(node, batch, key, number)
            answers.append(named + b',"answer":' + given.content + b',"refused":null}')
        except Refused as refused:
            # Its fee is beyond the asker's credit, or another node has to be asked: the rest stands.
            answers.append(named + b',"answer":null,"refused":' + _json(refused.code) + b"}")
    head = {"operation": asked.operation if asked else None, "charged": whole["charged"]}
    return _json(head)[:-1] + b',"answers":[' + b",".join(answers) + b"]}"


def _measured(node: Node, operation: str) -> Answer:
    asked, outcome = node.asked.get(operation), node.ledger.outcome_of(operation)
    if asked is None or outcome is None:
        raise LookupError(f"operation `{operation}` of a batch has left no trace")
    return told(node, asked, outcome)


def _free(node: Node, batch: Batch, key: str, number: int) -> Answer:
    ask = _first_share(node, batch, number)
    ids = (new_operation(node), member_key(key, number))
    before = recalled(node, ask, node.ledger.outcome(batch.operator, ids[1]))
    given = before or from_store(node, ask, ids, prepare(node, ask))
    if given is None:
        raise Refused("node_busy", Stage.LEDGER)
    return given


def _first_share(node: Node, batch: Batch, number: int) -> Ask:
    """Return the question with the share it has among all members: what the store gives is at least as exact."""
    loss, member = batch_loss(node, batch), batch.members[number]
    weights = sum(each.weight for each in batch.members)
    return share_ask(member, loss, share(loss, member.weight, weights))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
