"""The first leg: from a question to everything that is known about it before any loss is set aside.

Shared by `check`, which stops here, and by the operation, which goes on. Depends on text, policy, declarations and ledger;
no row is read and nothing is spent.
"""

from dataclasses import dataclass, replace
from typing import Any

from audit.log.commitment import shape_tag
from audit.money.metering import Usage
from audit.money.rating import Quote
from audit.request import Terms
from gateway import face as faces
from gateway.accounts import (
    Load,
    Moment,
    allowance_accounts,
    credit_load,
    failure_load,
    loss_loads,
)
from gateway.amounts import time_text
from gateway.ask import Ask
from gateway.free_of_charge import agreement_digest, plan_digest
from gateway.metering import meter, plan_of, quote
from gateway.node import Node
from gateway.planning import plan_question, question_of, with_suggestion
from gateway.register import Known, Served, is_held, policies_over, policy_for
from policies.access.model import AccessPolicy, PurposeGrant
from policies.refusals import Refused, Stage
from policies.terms import PrivacyLoss
from sandbox import wire
from sandbox.boundary import Diagnosis, Measurement
from sandbox.client import Planned
from sandbox.compiler.check import Asker


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that this operator may ask, planned, rehearsed and priced. `loads` are what reserving it charges."""

    known: Known
    served: Served
    policy: AccessPolicy
    planned: Planned
    diagnosis: Diagnosis
    loss: PrivacyLoss
    terms: Terms
    loads: tuple[Load, ...]
    face: dict[str, Any]

    @property
    def size_class(self) -> str:
        """Return the declared size class, which fixes when an answer leaves."""
        return self.served.catalogue.dataset.size_class.value


def prepare(node: Node, ask: Ask) -> Prepared:
    """Find the dataset and the policy, plan, rehearse, price.

    Refuses  with the first thing that stands against the question; the caller has lost nothing.
    """
    known = node.register.known()
    served = known.datasets.get(ask.dataset)
    if served is None:
        raise Refused("not_found", Stage.DOOR)
    policy = policy_for(known, ask.operator, served, ask.purpose)
    dataset = served.catalogue.dataset
    asker = Asker(ask.operator, ask.purpose, node.clock(), suspended=is_held(known, ask.dataset))
    question = question_of(ask, served, policy, asker)
    try:
        planned, accuracy = plan_question(ask, question)
        refuse_suspended(node, ask.operator, dataset.family.id, policy)
        diagnosis = node.rehearsals.rehearse(planned, policy)
    except Refused as refused:
        raise with_suggestion(refused, question, node.rehearsals) from None
    loss = planned.plan.loss
    purpose = policy.purpose(ask.purpose)
    if purpose is None:
        raise AssertionError("the compiler let a purpose through that the policy does not grant")
    prepared = _priced(node, ask, _Drawn(known, served, policy, planned, diagnosis, loss, purpose))
    return replace(prepared, face=prepared.face | {"accuracy": accuracy})


@dataclass(frozen=True, slots=True)
class _Drawn:
    known: Known
    served: Served
    policy: AccessPolicy
    planned: Planned
    diagnosis: Diagnosis
    loss: PrivacyLoss
    purpose: PurposeGrant


def _priced(node: Node, ask: Ask, drawn: _Drawn) -> Prepared:
    dataset = drawn.served.catalogue.dataset
    plan = plan_of(drawn.known, drawn.policy)
    usage = meter(drawn.planned, drawn.diagnosis, dataset, drawn.purpose, drawn.loss)
    price, components = quote(plan, usage)
    terms = Terms(
        purpose=ask.purpose,
        family=dataset.family.id,
        policies=(drawn.policy.digest,),
        plan=plan_digest(drawn.policy),
        agreement=agreement_digest(drawn.policy),
        snapshots=(drawn.served.commitment,),
        shape=shape_of(node.shape_key, drawn.planned.plan.measurement),
        usage=usage,
        quote=price,
    )
    face = {
        "dataset": faces.dataset_face(dataset, drawn.served.commitment),
        "purpose": ask.purpose,
        "columns": faces.columns_face(drawn.planned),
        "privacy": faces.privacy_face(drawn.planned.plan, drawn.planned.epochs, drawn.loss),
        "price": faces.price_face(plan, price, components),
        "policy": faces.policy_face(drawn.policy),
        "accepted_at": time_text(node.clock()),
        "reused": False,
        "warnings": list(node.warnings),
    }
    return Prepared(
        known=drawn.known,
        served=drawn.served,
        policy=drawn.policy,
        planned=drawn.planned,
        diagnosis=drawn.diagnosis,
        loss=drawn.loss,
        terms=terms,
        loads=_loads(node, ask, drawn, price),
        face=face,
    )


def _loads(node: Node, ask: Ask, drawn: _Drawn, price: Quote) -> tuple[Load, ...]:
    dataset = drawn.served.catalogue.dataset
    moment = Moment(node.clock(), node.settings.calendar_offset_minutes)
    allowances = allowance_accounts(drawn.policy, ask.purpose, moment)
    over = policies_over(drawn.known, drawn.served)
    return (
        # The asker's own pace first: that is what a refusal should name if several accounts are short.
        *(Load(account, drawn.loss.primary) for account in allowances),
        *loss_loads(dataset, over, drawn.planned.epochs, drawn.loss),
        _failure(node, ask.operator, dataset.family.id, drawn.policy),
        credit_load(ask.operator, ask.credit_uy, price.due_uy),
    )


def _failure(node: Node, operator: str, family: str, policy: AccessPolicy) -> Load:
    balance = node.ledger.balance(f"failures/{operator}/{family}")
    posted = balance.posted if balance else 0
    seen = posted - node.ledger.failures(operator, family)
    return failure_load(operator, policy, family, seen)


def stored_answer(node: Node, ask: Ask, prepared: Prepared) -> Prepared:
    """Price the same question as it is answered from the store: no loss, and a price without one."""
    purpose = prepared.policy.purpose(ask.purpose)
    plan = plan_of(prepared.known, prepared.policy)
    if purpose is None:
        raise AssertionError("a prepared question has a granted purpose")
    dataset = prepared.served.catalogue.dataset
    usage: Usage = meter(prepared.planned, prepared.diagnosis, dataset, purpose, None)
    price, components = quote(plan, usage)
    face = prepared.face | {
        "privacy": faces.privacy_face(prepared.planned.plan, prepared.planned.epochs, None),
        "price": faces.price_face(plan, price, components),
        "reused": True,
    }
    loads = (credit_load(ask.operator, ask.credit_uy, price.due_uy),)
    terms = replace(prepared.terms, usage=usage, quote=price)
    return replace(prepared, terms=terms, loads=loads, face=face)


def refuse_suspended(node: Node, operator: str, family: str, policy: AccessPolicy) -> None:
    """Refuse an operator whose failed runs the holder has not looked at yet: each may have told one bit."""
    failures = node.ledger.failures(operator, family)
    if failures >= policy.query.failures_max:
        raise Refused("operator_suspended", Stage.LEDGER, failures=failures, dataset=family)


def shape_of(key: bytes, measurement: Measurement) -> str:
    """Name what is measured, whatever it may cost: asking with another epsilon is the same shape."""
    neutral = tuple(
        replace(moment, loss=PrivacyLoss(moment.loss.accountant, 1, 0), scale=(1.0).hex())
        for moment in measurement.moments
    )
    chosen = measurement.selection
    if chosen is not None:
        nothing = PrivacyLoss(chosen.loss.accountant, 1, 0)
        chosen = replace(chosen, threshold=0, loss=nothing, scale=(1.0).hex())
    shape = replace(measurement, moments=neutral, selection=chosen)
    return shape_tag(key, bytes.fromhex(wire.digest(shape)))
