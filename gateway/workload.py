"""Several questions that are asked as one: one loss, split by weight over those that have to be measured.

What the store answers, and what follows from another question of the same batch, takes no part in the split: its weight is
dropped, so the whole loss buys accuracy for the rest.
"""

import hashlib
from dataclasses import dataclass, replace

import rfc8785

from gateway.again import seen_again
from gateway.amounts import LOSS_FIELD, loss_text, read_loss
from gateway.ask import Ask
from gateway.cells import names_of
from gateway.node import Node
from gateway.prepare import Prepared, prepare
from policies.refusals import Refused, Stage
from policies.terms import PrivacyLoss


@dataclass(frozen=True, slots=True)
class Member:
    """One question of a batch. Its `ask` has no loss: that is its share's."""

    id: str
    ask: Ask
    weight: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What an operator sent: members over one dataset for one purpose, and the loss of them all."""

    operator: str
    dataset: str
    epsilon: str | None
    rho: str | None
    members: tuple[Member, ...]

    @property
    def digest(self) -> str:
        """Name all that was sent, as `Ask.digest` does."""
        sent = {
            "epsilon": self.epsilon,
            "rho": self.rho,
            "members": [[m.id, str(m.weight), m.ask.digest] for m in self.members],
        }
        return "sha256:" + hashlib.sha256(rfc8785.dumps(sent)).hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """A member with its share of the loss. `number` is its place in the batch."""

    number: int
    member: Member
    ask: Ask
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Workload:
    """A batch before it is asked: what is measured, and what costs nothing."""

    loss: PrivacyLoss
    measured: tuple[Part, ...]
    free: tuple[Part, ...]


def plan_workload(node: Node, batch: Batch) -> Workload:
    """Plan every member.

    Refuses  with the first member that is refused, by its id; nothing has been reserved.
    """
    loss = batch_loss(node, batch)
    everything = tuple(enumerate(batch.members))
    first = _prepared(node, loss, tuple((n, m, m.weight) for n, m in everything))
    heads: dict[frozenset[str], tuple[Part, int]] = {}
    free: list[Part] = []
    for part in first:
        if seen_again(node, part.ask, part.prepared) is not None:
            free.append(part)
            continue
        measured = frozenset(names_of(part.prepared))
        if measured in heads:
            # Whoever of the two wants the finer answer gets it, and so does the other.
            head, weight = heads[measured]
            heads[measured] = (head, max(weight, part.member.weight))
            free.append(part)
        else:
            heads[measured] = (part, part.member.weight)
    again = tuple((part.number, part.member, weight) for part, weight in heads.values())
    kept = first if not free else _prepared(node, loss, again) if again else ()
    return Workload(loss, kept, tuple(free))


def batch_loss(node: Node, batch: Batch) -> PrivacyLoss:
    """Return the loss of the whole batch, exactly as it was written."""
    served = node.register.known().datasets.get(batch.dataset)
    if served is None:
        raise Refused("not_found", Stage.DOOR)
    return read_loss(served.catalogue.dataset.family.accountant, batch.epsilon, batch.rho, None)


def share(loss: PrivacyLoss, weight: int, weights: int) -> int:
    """Return a member's share in whole nano-units, rounded down: together they never exceed the loss."""
    return loss.primary * weight // weights


def share_ask(member: Member, loss: PrivacyLoss, nano: int) -> Ask:
    """Return the member's question with its share written as its loss."""
    if nano == 0:
        raise Refused("loss_too_small", Stage.PLAN, asked=loss_text(loss.primary), moments=1)
    return replace(member.ask, **{LOSS_FIELD[loss.accountant]: loss_text(nano)})  # type: ignore[arg-type]


def _prepared(
    node: Node, loss: PrivacyLoss, members: tuple[tuple[int, Member, int], ...]
) -> tuple[Part, ...]:
    weights = sum(weight for _, _, weight in members)
    parts = []
    for number, member, weight in members:
        try:
            ask = share_ask(member, loss, share(loss, weight, weights))
            parts.append(Part(number, member, ask, prepare(node, ask)))
        except Refused as refused:
            refused.member = (number, member.id)
            raise
    return tuple(parts)
