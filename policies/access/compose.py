"""Several policies over one query: the strictest wins.

Each table is judged by the policies that grant it, everything else by all of them. So one more
policy can only take away, their order means nothing, and the same policy twice is the same policy.
"""

from dataclasses import dataclass

from policies.access.decide import Decision, decide_by
from policies.access.model import AccessPolicy, Period, ResultFormat
from policies.access.request import AccessRequest
from policies.refusals import Refused, Stage
from policies.terms import Accountant, AggregateName


@dataclass(frozen=True, slots=True)
class JointPolicy:
    """Policies that hold together, and the limits that follow from all of them.

    Units  losses in nano of `accountant`, `delta_total` in 10**-18. `formats` is None and
           `max_rows` is None when no member restricts them.
    """

    members: tuple[AccessPolicy, ...]
    purposes: tuple[str, ...]
    aggregates: tuple[AggregateName, ...]
    effective: Period
    accountant: Accountant
    per_query_max: int
    lifetime_per_epoch: int
    delta_total: int
    delta_per_query: int
    max_groups: int
    max_literals: int
    failures_max: int
    private_keys: bool
    max_rows: int | None
    formats: frozenset[ResultFormat] | None
    obligations: tuple[str, ...]


def compose(policies: tuple[AccessPolicy, ...]) -> JointPolicy:
    """Put policies together.

    Refuses  none at all, policies for different operators, and budgets of different accountants:
             epsilon and rho are never compared.
    """
    members = tuple(sorted({policy.digest: policy for policy in policies}.values(), key=_digest))
    if not members:
        raise _incompatible(members, "there is none")
    if len({policy.operator.id for policy in members}) > 1:
        raise _incompatible(members, "they are made out to different operators")
    accountants = {policy.budget.accountant for policy in members}
    if len(accountants) > 1:
        raise _incompatible(members, "their budgets count epsilon and rho")
    rows = [p.output.max_rows for p in members if p.output.max_rows is not None]
    formats = [frozenset(p.output.formats) for p in members if p.output.formats]
    return JointPolicy(
        members=members,
        purposes=_in_all([[purpose.code for purpose in p.purposes] for p in members]),
        aggregates=tuple(
            name for name in AggregateName if all(name in p.query.aggregates for p in members)
        ),
        effective=Period(
            max(p.effective.start for p in members), min(p.effective.end for p in members)
        ),
        accountant=accountants.pop(),
        per_query_max=min(p.budget.per_query_max for p in members),
        lifetime_per_epoch=min(p.budget.lifetime_per_epoch for p in members),
        delta_total=min(p.budget.delta_total for p in members),
        delta_per_query=min(
            (p.budget.delta_per_query for p in members if p.budget.delta_per_query), default=0
        ),
        max_groups=min(p.query.max_groups for p in members),
        max_literals=min(p.query.max_literals for p in members),
        failures_max=min(p.query.failures_max for p in members),
        private_keys=all(p.query.private_keys for p in members),
        max_rows=min(rows) if rows else None,
        formats=frozenset.intersection(*formats) if formats else None,
        obligations=tuple(sorted({word for p in members for word in p.obligations})),
    )


def decide_jointly(joint: JointPolicy, request: AccessRequest) -> Decision:
    """Judge a request by every member."""
    return decide_by(joint.members, request)


def _in_all(lists: list[list[str]]) -> tuple[str, ...]:
    return tuple(sorted(set(lists[0]).intersection(*lists[1:])))


def _digest(policy: AccessPolicy) -> str:
    return policy.digest


def _incompatible(members: tuple[AccessPolicy, ...], why: str) -> Refused:
    named = ", ".join(f"`{policy.metadata.id}`" for policy in members) or "given"
    return Refused("policies_incompatible", Stage.CHECK, policies=named, why=why)
