"""Decide whether a query may be asked: default deny, every reason told, the smallest cure named.

Pure: the clock comes in as a fact, nothing is looked up, and data is not in sight. So a verdict can
be replayed by anybody who holds the policy and the request, and a refusal reveals nothing of data.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from policies.access.model import AccessPolicy, JoinGrant, JoinKind, TableGrant
from policies.access.request import AccessRequest, JoinAsk, UseAsk
from policies.findings import Finding
from policies.refusals import NeededGrant, Position, Stage

_COVERS = {
    JoinKind.INNER: frozenset({JoinKind.INNER}),
    JoinKind.LEFT: frozenset({JoinKind.INNER, JoinKind.LEFT}),
    JoinKind.FULL: frozenset({JoinKind.INNER, JoinKind.LEFT, JoinKind.FULL}),
    JoinKind.CROSS: frozenset({JoinKind.CROSS}),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict with every reason against it; the first reason gives the code."""

    reasons: tuple[Finding, ...]

    @property
    def allowed(self) -> bool:
        """Tell whether nothing speaks against the query."""
        return not self.reasons

    @property
    def needed_grants(self) -> tuple[NeededGrant, ...]:
        """Return the smallest grants that would lift the refusals that a grant can lift."""
        grants = {grant: None for reason in self.reasons for grant in reason.needed_grants}
        return tuple(grants)


def decide(policy: AccessPolicy, request: AccessRequest) -> Decision:
    """Judge the request by one policy.

    Reason  Each check only ever adds reasons, and each grant only ever removes them. So removing a
            grant never allows more, and the order of grants and facts does not matter.
    """
    return decide_by((policy,), request)


def decide_by(policies: tuple[AccessPolicy, ...], request: AccessRequest) -> Decision:
    """Judge the request by several policies together: what any of them refuses is refused.

    Refuses  a table that no policy grants, and everything if there is no policy at all.
    """
    found = list(_ungranted_tables(policies, request))
    for policy in policies:
        found.extend(finding for check in _CHECKS for finding in check(policy, request))
    ordered = sorted(dict.fromkeys(found), key=_rank)
    return Decision(tuple(ordered))


def _operator(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    if request.operator != policy.operator.id:
        yield _no("operator_not_granted", policy=policy.metadata.id, owner=policy.holder.id)


def _suspension(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    if request.suspended:
        yield _no("policy_suspended", policy=policy.metadata.id)


def _period(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    period = policy.effective
    if not period.start <= request.now <= period.end:
        yield _no(
            "policy_not_in_force",
            policy=policy.metadata.id,
            start=period.start.isoformat(),
            end=period.end.isoformat(),
        )


def _purpose(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    codes = [purpose.code for purpose in policy.purposes]
    if request.purpose not in codes:
        yield _no("purpose_not_granted", purpose=request.purpose, granted=_listed(codes))


def _ungranted_tables(
    policies: tuple[AccessPolicy, ...], request: AccessRequest
) -> Iterator[Finding]:
    asked = {*request.tables, *(ask.table for ask in request.column_uses)}
    asked.update(table for join in request.joins for table in (join.left, join.right))
    granted = {table.name for policy in policies for table in policy.tables}
    owners = _listed(policy.holder.id for policy in policies)
    for table in sorted(asked - granted):
        uses = {(ask.column, ask.use.value) for ask in request.column_uses if ask.table == table}
        yield _no(
            "table_not_granted",
            grants=tuple(NeededGrant(table, column, use) for column, use in sorted(uses)),
            table=table,
            purpose=request.purpose,
            owner=owners,
        )
    if not asked and not policies:
        yield _no("table_not_granted", table="*", purpose=request.purpose, owner=owners)


def _columns(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    for ask in request.column_uses:
        table = policy.table(ask.table)
        if table is not None and not _use_granted(table, ask):
            column = table.column(ask.column)
            yield _no(
                "column_use_not_granted",
                at=ask.at,
                grants=(NeededGrant(ask.table, ask.column, ask.use.value),),
                table=ask.table,
                column=ask.column,
                use=ask.use.value,
                granted=_listed(use.value for use in column.uses) if column else "nothing",
                owner=policy.holder.id,
            )


def _use_granted(table: TableGrant, ask: UseAsk) -> bool:
    column = table.column(ask.column)
    return column is not None and ask.use in column.uses


def _aggregates(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    granted = policy.query.aggregates
    for name in request.aggregates:
        if name not in granted:
            listed = _listed(aggregate.value for aggregate in granted)
            yield _no("aggregate_not_granted", name=name.value, granted=listed)


def _joins(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    for ask in request.joins:
        left, right = policy.table(ask.left), policy.table(ask.right)
        if (left is None and right is None) or _join_granted(left, right, ask):
            continue
        # A public table of another holder needs no word of its own: the private side decides.
        if left is None and right is not None and right.public:
            continue
        if right is None and left is not None and left.public:
            continue
        yield _no(
            "join_not_granted", at=ask.at, left=ask.left, right=ask.right, owner=policy.holder.id
        )


def _join_granted(left: TableGrant | None, right: TableGrant | None, ask: JoinAsk) -> bool:
    """Tell whether some entry on either side covers the kind and every pair of columns."""
    turned = tuple((theirs, ours) for ours, theirs in ask.using)
    return any(
        entry.to == other and _covers(entry, ask.kind, pairs)
        for table, other, pairs in ((left, ask.right, ask.using), (right, ask.left, turned))
        if table is not None
        for entry in table.joins
    )


def _covers(entry: JoinGrant, kind: JoinKind, pairs: tuple[tuple[str, str], ...]) -> bool:
    if kind not in _COVERS[entry.kind]:
        return False
    # A join on no pair at all is a cross join, whatever it calls itself.
    return set(pairs) <= set(entry.using) and (bool(pairs) or kind is JoinKind.CROSS)


def _limits(policy: AccessPolicy, request: AccessRequest) -> Iterator[Finding]:
    limits = policy.query
    if request.groups_declared is not None and request.groups_declared > limits.max_groups:
        yield _no(
            "too_many_groups", groups=str(request.groups_declared), limit=str(limits.max_groups)
        )
    if request.literals > limits.max_literals:
        yield _no(
            "too_many_literals", literals=str(request.literals), limit=str(limits.max_literals)
        )


_CHECKS: tuple[Callable[[AccessPolicy, AccessRequest], Iterator[Finding]], ...] = (
    _operator,
    _suspension,
    _period,
    _purpose,
    _columns,
    _aggregates,
    _joins,
    _limits,
)

# The first reason gives the code, so the order is part of the contract: who, when, why, what.
_ORDER = (
    "operator_not_granted",
    "policy_suspended",
    "policy_not_in_force",
    "purpose_not_granted",
    "table_not_granted",
    "column_use_not_granted",
    "aggregate_not_granted",
    "join_not_granted",
    "too_many_groups",
    "too_many_literals",
)


def _rank(finding: Finding) -> tuple[object, ...]:
    at = finding.at
    place = (at.line, at.column) if at else (0, 0)
    return (_ORDER.index(finding.code), place, finding.params)


def _listed(words: Iterable[str]) -> str:
    """Return the words in order, or `nothing`."""
    return ", ".join(sorted(set(words))) or "nothing"


def _no(
    code: str,
    *,
    at: Position | None = None,
    grants: tuple[NeededGrant, ...] = (),
    **params: str,
) -> Finding:
    return Finding(code, Stage.CHECK, at, tuple(params.items()), grants)
