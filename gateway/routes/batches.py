"""POST /v1/queries:batch and /v1/checks:batch: several questions under one loss, all or none."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from gateway.accounts import Load
from gateway.again import seen_again
from gateway.amounts import account_text, loss_fields, loss_text
from gateway.ask import Ask
from gateway.batch import ask_batch
from gateway.caller import AnyNode, OperatorClient
from gateway.exact_json import ExactRoute
from gateway.identity.clients import Client
from gateway.node import Node
from gateway.parameters import read_parameters
from gateway.room import room
from gateway.routes.queries import KEY, PROBLEMS
from gateway.schemas import BatchAnswer, BatchBody
from gateway.workload import Batch, Member, Part, plan_workload
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1", tags=["query"], route_class=ExactRoute)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "every answer, equal to the byte whenever it is asked for again",
        "content": {"application/json": {"schema": BatchAnswer.model_json_schema()}},
    }
}


@router.post("/queries:batch", response_class=Response, responses=_ANSWERS | PROBLEMS)
async def batch(
    body: BatchBody,
    request: Request,
    client: OperatorClient,
    node: AnyNode,
    idempotency_key: Annotated[str | None, Header(max_length=512)] = None,
) -> Response:
    """Ask several questions as one. They are reserved, run and posted together; if one fails, the loss of all is spent."""
    if idempotency_key is None or KEY.fullmatch(idempotency_key) is None:
        raise Refused("idempotency_key_missing", Stage.DOOR)
    asked = batch_of(body, client)
    loop = asyncio.get_running_loop()
    given = await loop.run_in_executor(
        request.app.state.threads, ask_batch, node, asked, idempotency_key
    )
    return Response(given, media_type="application/json")


@router.post("/checks:batch")
def check(body: BatchBody, client: OperatorClient, node: AnyNode) -> dict[str, Any]:
    """Say how a batch would be split, and how exact each answer would be. Nothing is spent, no row is read."""
    with node.places.admitted():
        workload = plan_workload(node, batch_of(body, client))
    parts = sorted((*workload.measured, *workload.free), key=lambda part: part.number)
    measured = {part.number for part in workload.measured}
    size = node.settings.size_classes[parts[0].prepared.size_class]
    rooms = room(node, _loads(workload.measured))
    return {
        "allowed": True,
        "loss": loss_fields(workload.loss),
        "charged": loss_text(sum(part.prepared.loss.primary for part in workload.measured)),
        "members": [_member(node, part, free=part.number not in measured) for part in parts],
        "answer_after_s": size.release_s * len(measured),
        "fits": all(each.fits for each in rooms),
        "budget": [
            {
                "account": each.load.account.id,
                "asked": account_text(each.load.account.unit, each.load.amount),
                "available": account_text(each.load.account.unit, each.available),
            }
            for each in rooms
        ],
        "warnings": list(node.warnings),
    }


def batch_of(body: BatchBody, client: Client) -> Batch:
    """Turn a body into a batch of the caller's party.

    Refuses  two members of one id: nobody could tell their answers apart.
    """
    ids = [member.id for member in body.queries]
    if len(set(ids)) < len(ids):
        problem = "has two members of one id; give each its own"
        raise Refused("request_invalid", Stage.DOOR, pointer="/queries", problem=problem)
    members = tuple(
        Member(
            member.id,
            Ask(
                operator=client.party,
                credit_uy=client.credit_uy,
                dataset=body.dataset,
                sql=member.sql,
                purpose=body.purpose,
                epsilon=None,
                rho=None,
                delta=None,
                parameters=read_parameters(member.parameters),
                wanted=None,
            ),
            member.weight,
        )
        for member in body.queries
    )
    return Batch(client.party, body.dataset, body.epsilon, body.rho, members)


def _member(node: Node, part: Part, *, free: bool) -> dict[str, Any]:
    shown = (seen_again(node, part.ask, part.prepared) if free else None) or part.prepared
    face = shown.face
    return {
        "id": part.member.id,
        "free": free,
        "share": loss_text(0 if free else part.prepared.loss.primary),
        "columns": face["columns"],
        "groups": part.prepared.diagnosis.keys,
        "privacy": face["privacy"],
        "price": face["price"],
    }


def _loads(parts: tuple[Part, ...]) -> tuple[Load, ...]:
    """Add the loads of all members up, account by account; together they set one failure aside."""
    found: dict[str, Load] = {}
    for part in parts:
        for load in part.prepared.loads:
            before = found.get(load.account.id)
            failure = load.account.id.startswith("failures/")
            amount = load.amount if before is None or failure else before.amount + load.amount
            found[load.account.id] = Load(load.account, amount)
    return tuple(found.values())
