"""POST /v1/queries:check: everything that is known before a question is asked. Nothing is spent, no row is read."""

from typing import Any

from fastapi import APIRouter

from gateway.accounts import Load
from gateway.amounts import account_text
from gateway.caller import AnyNode, OperatorClient
from gateway.exact_json import ExactRoute
from gateway.node import Node
from gateway.prepare import prepare, shortest, stored_answer
from gateway.routes.queries import ask_of
from gateway.schemas import QueryBody

router = APIRouter(prefix="/v1", tags=["query"], route_class=ExactRoute)


@router.post("/queries:check")
def check(body: QueryBody, client: OperatorClient, node: AnyNode) -> dict[str, Any]:
    """Say whether a question may be asked, what it would cost in loss and money, and how exact its answer would be.

    `stored` tells that the very question was answered before, by whomever: asking it then costs no loss.
    """
    ask = ask_of(body, client)
    # A rehearsal is work like any other: a flood of checks is turned away before it fills the node.
    with node.places.admitted():
        fresh = prepare(node, ask)
    stored = node.ledger.cell(fresh.planned.digest) is not None
    prepared = stored_answer(node, ask, fresh) if stored else fresh
    fewest = shortest(node, fresh.loads)
    face = prepared.face
    return {
        "allowed": True,
        "stored": stored,
        "dataset": face["dataset"],
        "policy": face["policy"],
        "purpose": face["purpose"],
        "columns": face["columns"],
        "groups": fresh.diagnosis.keys,
        "cells": fresh.terms.usage.cells_declared,
        "privacy": face["privacy"],
        "accuracy": face["accuracy"],
        "price": face["price"],
        "answer_after_s": 0 if stored else node.settings.size_classes[fresh.size_class].release_s,
        "budget": [_account(node, load) for load in fresh.loads],
        "about_more_like_this": fewest[1] if fewest else None,
        "limited_by": fewest[0] if fewest else None,
        "warnings": list(node.warnings),
    }


def _account(node: Node, load: Load) -> dict[str, Any]:
    balance = node.ledger.balance(load.account.id)
    available = balance.available if balance else load.account.cap
    return {
        "account": load.account.id,
        "asked": account_text(load.account.unit, load.amount),
        "available": account_text(load.account.unit, max(0, available)),
        "cap": account_text(load.account.unit, load.account.cap),
    }
