"""From a question at the door to its plan: at the loss that was stated, or at the smallest that is exact enough.

A refusal on the way is sent back with a question near it that would be accepted, if one is found soon.
"""

import logging
from dataclasses import replace
from typing import Any

from gateway import face as faces
from gateway.amounts import LOSS_FIELD, read_delta, read_loss
from gateway.ask import Ask
from gateway.find_loss import find_loss
from gateway.register import Served
from gateway.rehearsals import Rehearsals
from policies.access.model import AccessPolicy
from policies.refusals import Refused, Stage
from policies.terms import PrivacyLoss
from sandbox import client
from sandbox.client import Planned, Question
from sandbox.compiler.check import Asker

AccuracyFace = list[dict[str, Any]] | None
# What a change of the question can cure; the rest is about the asker, the loss or the node.
_CURABLE = frozenset({Stage.PARSE, Stage.RESOLVE, Stage.CHECK, Stage.BOUND})

log = logging.getLogger("keyong.errors")


def question_of(ask: Ask, served: Served, policy: AccessPolicy, asker: Asker) -> Question:
    """Return the question at the most that one query may spend, which nobody has agreed to yet."""
    family = served.catalogue.dataset.family
    most = min(family.loss_per_query_max, policy.budget.per_query_max)
    loss = PrivacyLoss(family.accountant, most, read_delta(family.accountant, ask.delta))
    return Question(ask.sql, policy, served.catalogue, asker, loss, ask.parameters)


def plan_question(ask: Ask, question: Question) -> tuple[Planned, AccuracyFace]:
    """Return the plan, and what accuracy it was made for if one was asked.

    Refuses  what the stages refuse; no loss, two losses, an accuracy beside a loss, and one that is out of reach.
    """
    accountant = question.loss.accountant
    if ask.wanted is None:
        loss = read_loss(accountant, ask.epsilon, ask.rho, ask.delta)
        return client.plan(replace(question, loss=loss)), None
    if ask.epsilon is not None or ask.rho is not None:
        raise Refused("accuracy_and_loss", Stage.DOOR, field=LOSS_FIELD[accountant])
    found = find_loss(client.draft(question), question.loss, ask.wanted)
    return found.planned, faces.accuracy_face(found.targets)


def with_suggestion(refused: Refused, question: Question, rehearsals: Rehearsals) -> Refused:
    """Return the refusal, with a question near this one that would be accepted."""
    if refused.stage in _CURABLE:
        try:
            refused.suggestion = client.suggestion(
                question, refused, lambda planned: rehearsals.rehearse(planned, question.policy)
            )
        except Exception as bug:
            # The refusal is what must be said; a guess that goes wrong on a strange text must not take its place.
            log.warning("no suggestion: %s", type(bug).__name__)
    return refused
