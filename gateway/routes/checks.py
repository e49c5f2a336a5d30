"""POST /v1/queries:check: everything that is known before a question is asked. Nothing is spent, no row is read."""

from typing import Any

from fastapi import APIRouter

from gateway.again import seen_again
from gateway.amounts import account_text
from gateway.caller import AnyNode, OperatorClient
from gateway.exact_json import ExactRoute
from gateway.prepare import prepare
from gateway.room import Room, fewest, room
from gateway.routes.queries import ask_of
from gateway.schemas import QueryBody

router = APIRouter(prefix="/v1", tags=["query"], route_class=ExactRoute)


@router.post("/queries:check")
def check(body: QueryBody, client: OperatorClient, node: AnyNode) -> dict[str, Any]:
    """Say whether a question may be asked, what it would cost in loss and money, and how exact its answer would be.

    `fits` tells whether the accounts bear it now, `about_more_like_this` how many more they bear together, and an account
    `binds` if it bears no more than that. `stored` tells that all it needs was measured before, by whomever: asking it then
    costs no loss.
    """
    ask = ask_of(body, client)
    # A rehearsal is work like any other: a flood of checks is turned away before it fills the node.
    with node.places.admitted():
        fresh = prepare(node, ask)
    again = seen_again(node, ask, fresh)
    stored = again is not None
    prepared = again or fresh
    rooms = room(node, fresh.loads)
    more, binding = fewest(rooms)
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
        "fits": stored or all(each.fits for each in rooms),
        "budget": [_account(each, binding) for each in rooms],
        "about_more_like_this": more,
        "limited_by": binding[0] if binding else None,
        "warnings": list(node.warnings),
    }


def _account(room: Room, binding: tuple[str, ...]) -> dict[str, Any]:
    load = room.load
    return {
        "account": load.account.id,
        "asked": account_text(load.account.unit, load.amount),
        "available": account_text(load.account.unit, room.available),
        "cap": account_text(load.account.unit, load.account.cap),
        "more_like_this": room.times,
        "binds": load.account.id in binding,
    }
