"""Noisy totals between the ledger, which keeps them, and the sandbox, which knows what they can answer."""

from audit.store.cells import Kept, Vector
from gateway.node import Node
from gateway.prepare import Prepared
from policies.terms import PrivacyLoss
from sandbox import wire
from sandbox.boundary import NoisyAggregates, Reuse
from sandbox.reasking import Chosen, Offer, choose, names, reuse


def names_of(prepared: Prepared) -> tuple[str, ...]:
    """Name the vectors that a question measures."""
    return names(prepared.planned.plan, prepared.diagnosis.keys)


def kept_of(prepared: Prepared, noisy: NoisyAggregates) -> Kept:
    """Return the totals of an answer as the ledger keeps them, each vector under its name."""
    plan = prepared.planned.plan
    moments = plan.measurement.moments
    vectors = tuple(
        Vector(name, position, moment.scale, moment.loss.primary, moment.loss.delta)
        for position, (name, moment) in enumerate(zip(names_of(prepared), moments, strict=True))
    )
    return Kept(wire.encode(noisy), vectors)


def chosen_for(node: Node, prepared: Prepared) -> Chosen | None:
    """Return the stored totals that answer a question, or None: a function of the plan and the ledger alone."""
    plan = prepared.planned.plan
    offers = tuple(
        tuple(
            Offer(
                found.operation_id,
                found.index,
                found.vector.position,
                found.vector.scale,
                PrivacyLoss(plan.accountant, found.vector.loss, found.vector.delta),
            )
            for found in node.ledger.vectors(name)
        )
        for name in names_of(prepared)
    )
    return choose(plan, offers)


def reuse_of(node: Node, chosen: Chosen) -> Reuse | None:
    """Return what a finishing worker is asked; None if the totals do not fit together."""
    stored = {operation: node.ledger.totals(operation) for operation in chosen.operations}
    found = {operation: totals for operation, totals in stored.items() if totals is not None}
    if len(found) < len(stored):
        raise LookupError("the ledger names totals that it does not keep")
    return reuse(chosen, found)
