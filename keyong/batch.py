"""Several questions that are asked as one, and their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from keyong.answer import Answer, read_answer
from keyong.parameters import Parameters, write


@dataclass(frozen=True, slots=True)
class Member:
    """One question of a batch. `weight` says how much of the loss is this one's, beside the weights of the others."""

    id: str
    sql: str
    weight: int
    parameters: Parameters | None = None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answers by id, in the order of the batch. `loss` was charged for all of them together.

    `refused` holds the code for a member that would have cost no loss and was not answered; ask it again by itself.
    """

    loss: Decimal
    answers: Mapping[str, Answer]
    refused: Mapping[str, str]
    body: Mapping[str, Any]

    def __getitem__(self, member: str) -> Answer:
        return self.answers[member]


def batch_body(
    dataset: str, members: Sequence[Member], purpose: str, losses: Mapping[str, str]
) -> dict[str, Any]:
    """Return the body of POST /v1/queries:batch."""
    queries = []
    for member in members:
        query: dict[str, Any] = {"id": member.id, "sql": member.sql, "weight": member.weight}
        if member.parameters is not None:
            query["parameters"] = write(member.parameters)
        queries.append(query)
    return {"dataset": dataset, "purpose": purpose, "queries": queries, **losses}


def read_batch(body: Mapping[str, Any]) -> BatchAnswer:
    """Read an answer of POST /v1/queries:batch."""
    members = body["answers"]
    return BatchAnswer(
        loss=Decimal(body["charged"]),
        answers={m["id"]: read_answer(m["answer"]) for m in members if m["answer"] is not None},
        refused={m["id"]: str(m["refused"]) for m in members if m["refused"] is not None},
        body=body,
    )
