"""POST /v1/queries: ask, and be answered at the instant of the dataset's size class."""

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from gateway.answer import Answer
from gateway.ask import Ask
from gateway.caller import AnyNode, OperatorClient
from gateway.exact_json import ExactRoute
from gateway.identity.clients import Client
from gateway.node import Node
from gateway.operation import ask_question
from gateway.outcome import told
from gateway.parameters import read_parameters
from gateway.schemas import Problem, QueryAnswer, QueryBody
from gateway.wanted import read_wanted
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1/queries", tags=["query"], route_class=ExactRoute)
KEY = re.compile(r"[\x21-\x7e]{1,128}")
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the answer, equal to the byte whenever it is asked for again",
        "content": {"application/json": {"schema": QueryAnswer.model_json_schema()}},
    }
}
_NO: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": "refused; nothing was spent"}
    for status in (400, 401, 403, 404, 409, 413, 422, 423, 429, 503)
}
_FAILED: dict[int | str, dict[str, Any]] = {
    500: {"model": Problem, "description": "no answer; `loss_spent` says what stays spent"}
}
PROBLEMS = _NO | _FAILED


@router.post("", response_class=Response, responses=_ANSWER | PROBLEMS)
async def ask(
    body: QueryBody,
    request: Request,
    client: OperatorClient,
    node: AnyNode,
    idempotency_key: Annotated[str | None, Header(max_length=512)] = None,
) -> Response:
    """Ask one question. The same Idempotency-Key brings the same answer, to the byte, and costs nothing again."""
    if idempotency_key is None or KEY.fullmatch(idempotency_key) is None:
        raise Refused("idempotency_key_missing", Stage.DOOR)
    question = ask_of(body, client)
    loop = asyncio.get_running_loop()
    given = await loop.run_in_executor(
        request.app.state.threads, ask_question, node, question, idempotency_key
    )
    return Response(given.content, media_type="application/json")


@router.get("/{operation}", response_class=Response, responses=_ANSWER | PROBLEMS)
def answer_again(operation: str, client: OperatorClient, node: AnyNode) -> Response:
    """Return the answer of an operation again."""
    return Response(_own(node, client, operation).content, media_type="application/json")


@router.get("/{operation}/receipt", responses=_NO)
def receipt(operation: str, client: OperatorClient, node: AnyNode) -> dict[str, Any]:
    """Return the receipt with what opens its commitment: enough to check, offline and for ever, what was released."""
    given = _own(node, client, operation)
    outcome = node.ledger.outcome_of(operation)
    if outcome is None or outcome.release is None:
        raise Refused("not_found", Stage.DOOR)
    return {
        "operation": operation,
        "log_key": node.journal.vkey,
        "index": given.index,
        "proof": given.receipt,
        "salt": outcome.release.salt.hex(),
        "content": outcome.release.content.decode("utf-8"),
    }


def ask_of(body: QueryBody, client: Client) -> Ask:
    """Turn a body into a question of the caller's party."""
    return Ask(
        operator=client.party,
        credit_uy=client.credit_uy,
        dataset=body.dataset,
        sql=body.sql,
        purpose=body.purpose,
        epsilon=body.epsilon,
        rho=body.rho,
        delta=body.delta,
        parameters=read_parameters(body.parameters),
        wanted=read_wanted(body.accuracy, body.expected),
    )


def _own(node: Node, client: Client, operation: str) -> Answer:
    asked = node.asked.get(operation)
    outcome = node.ledger.outcome_of(operation)
    # One answer for what is not there and for what is another's.
    if asked is None or outcome is None or asked.operator != client.party:
        raise Refused("not_found", Stage.DOOR)
    return told(node, asked, outcome)
