"""Stage 3: `ResolvedQuery` → `PermittedQuery`. The facts of the query meet the policy; nothing is granted by default."""

from dataclasses import dataclass
from datetime import datetime

from policies.access.decide import decide
from policies.access.model import AccessPolicy
from policies.access.request import AccessRequest
from policies.catalogue import Catalogue
from policies.refusals import Refused
from sandbox.compiler.resolve import ResolvedQuery


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for which purpose, and when; `suspended` is the holder's declaration."""

    operator: str
    purpose: str
    now: datetime
    suspended: bool


@dataclass(frozen=True, slots=True)
class PermittedQuery:
    """A query that this operator may ask for this purpose."""

    query: ResolvedQuery
    policy: AccessPolicy
    catalogue: Catalogue


def check(
    query: ResolvedQuery, policy: AccessPolicy, catalogue: Catalogue, asker: Asker
) -> PermittedQuery:
    """Ask the policy.

    Refuses: with the first reason, and with every grant that would be needed, so that one request to the holder is enough.
    """
    decision = decide(policy, request_of(query, asker))
    if decision.allowed:
        return PermittedQuery(query, policy, catalogue)
    first = decision.reasons[0]
    raise Refused(
        first.code,
        first.stage,
        at=first.at,
        needed_grants=decision.needed_grants,
        **dict(first.params),
    )


def request_of(query: ResolvedQuery, asker: Asker) -> AccessRequest:
    """Return the facts a policy judges. How many groups a query declares is known, and checked, after the twin has run."""
    return AccessRequest(
        operator=asker.operator,
        purpose=asker.purpose,
        now=asker.now,
        tables=tuple(dict.fromkeys(t.table.name for t in query.tables)),
        column_uses=query.uses,
        aggregates=tuple(dict.fromkeys(a.name for a in query.aggregates)),
        joins=query.joins,
        groups_declared=None,
        literals=query.literals,
        suspended=asker.suspended,
    )
