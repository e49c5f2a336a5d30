"""Default deny: nothing is allowed unless a grant says so, and no removed grant allows more."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.access.decide import decide, decide_by
from policies.access.model import AccessPolicy, JoinKind, TableGrant
from policies.access.request import AccessRequest, JoinAsk, UseAsk
from policies.documents import load_access_policy
from policies.refusals import NeededGrant, Position, Stage
from policies.terms import AggregateName, ColumnUse
from tests.unit.policies_world import health, policies, requests

POLICY = load_access_policy(health("policy.yaml"), "p.yaml")
AT = Position(1, 8)
ASK = AccessRequest(
    operator="op-xinyi",
    purpose="public_health",
    now=datetime(2026, 11, 21, tzinfo=UTC),
    tables=("persons", "claims", "weather"),
    column_uses=(
        UseAsk("persons", "region", ColumnUse.GROUP, AT),
        UseAsk("claims", "amount", ColumnUse.AGGREGATE, AT),
        UseAsk("weather", "rain_mm", ColumnUse.FILTER, AT),
    ),
    aggregates=(AggregateName.COUNT, AggregateName.SUM),
    joins=(
        JoinAsk("claims", "persons", JoinKind.INNER, (("person_id", "person_id"),), AT),
        JoinAsk("weather", "persons", JoinKind.INNER, (("region", "region"),), AT),
    ),
    groups_declared=14,
    literals=1,
    suspended=False,
)


def codes(ask: AccessRequest, policy: AccessPolicy = POLICY) -> list[str]:
    return [reason.code for reason in decide(policy, ask).reasons]


def test_a_granted_query_is_allowed() -> None:
    decision = decide(POLICY, ASK)
    assert decision.allowed and decision.needed_grants == ()


CROSS = JoinAsk("persons", "claims", JoinKind.CROSS, (), AT)
ON_REGION = JoinAsk("persons", "claims", JoinKind.INNER, (("region", "hospital"),), AT)
MORE = JoinAsk(
    "persons", "claims", JoinKind.INNER, (("person_id", "person_id"), ("region", "hospital")), AT
)
FULL = JoinAsk("persons", "claims", JoinKind.FULL, (("person_id", "person_id"),), AT)
BY_NAME = UseAsk("persons", "name", ColumnUse.GROUP, AT)
BY_COST = UseAsk("claims", "icd", ColumnUse.AGGREGATE, AT)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (replace(ASK, operator="op-other"), "operator_not_granted"),
        (replace(ASK, suspended=True), "policy_suspended"),
        (replace(ASK, now=datetime(2040, 1, 1, tzinfo=UTC)), "policy_not_in_force"),
        (replace(ASK, now=datetime(2020, 1, 1, tzinfo=UTC)), "policy_not_in_force"),
        (replace(ASK, purpose="advertising"), "purpose_not_granted"),
        (replace(ASK, tables=("persons", "salaries")), "table_not_granted"),
        (replace(ASK, column_uses=(BY_NAME,)), "column_use_not_granted"),
        (replace(ASK, column_uses=(BY_COST,)), "column_use_not_granted"),
        (replace(ASK, joins=(CROSS,)), "join_not_granted"),
        (replace(ASK, joins=(replace(CROSS, kind=JoinKind.INNER),)), "join_not_granted"),
        (replace(ASK, joins=(ON_REGION,)), "join_not_granted"),
        (replace(ASK, joins=(FULL,)), "join_not_granted"),
        (replace(ASK, joins=(MORE,)), "join_not_granted"),
        (replace(ASK, groups_declared=2001), "too_many_groups"),
        (replace(ASK, literals=51), "too_many_literals"),
    ],
)
def test_what_is_not_granted_is_refused(ask: AccessRequest, code: str) -> None:
    decision = decide(POLICY, ask)
    assert codes(ask) == [code]
    assert not decision.allowed
    reason = decision.reasons[0]
    refused = reason.refused()
    assert (refused.code, refused.stage) == (code, Stage.CHECK)
    for language in ("en", "zh-CN"):
        assert "{" not in reason.message(language)


def test_an_aggregate_is_granted_by_name() -> None:
    fewer = replace(POLICY, query=replace(POLICY.query, aggregates=(AggregateName.COUNT,)))
    assert codes(ASK, fewer) == ["aggregate_not_granted"]


def test_a_left_grant_covers_the_inner_join() -> None:
    left = JoinAsk("persons", "claims", JoinKind.LEFT, (("person_id", "person_id"),), AT)
    assert codes(replace(ASK, joins=(left,))) == []
    weather = JoinAsk("persons", "weather", JoinKind.LEFT, (("region", "region"),), AT)
    assert codes(replace(ASK, joins=(weather,))) == ["join_not_granted"]


def test_every_reason_is_told_and_the_first_is_the_weightiest() -> None:
    ask = replace(
        ASK, purpose="advertising", column_uses=(BY_COST, BY_NAME), literals=99, tables=("nope",)
    )
    assert codes(ask) == [
        "purpose_not_granted",
        "table_not_granted",
        "column_use_not_granted",
        "column_use_not_granted",
        "too_many_literals",
    ]


def test_a_refusal_names_the_smallest_grant() -> None:
    decision = decide(POLICY, replace(ASK, column_uses=(BY_NAME, BY_NAME, BY_COST)))
    assert decision.needed_grants == (
        NeededGrant("claims", "icd", "aggregate"),
        NeededGrant("persons", "name", "group"),
    )
    ask = replace(ASK, column_uses=(UseAsk("x", "c", ColumnUse.FILTER, AT),), joins=())
    assert decide(POLICY, ask).needed_grants == (NeededGrant("x", "c", "filter"),)


# ---- properties


@given(requests)
def test_no_policy_allows_nothing(ask: AccessRequest) -> None:
    assert not decide_by((), ask).allowed


@given(policies(), requests)
def test_an_empty_policy_allows_nothing(policy: AccessPolicy, ask: AccessRequest) -> None:
    assert not decide(replace(policy, purposes=()), ask).allowed
    bare = replace(policy, tables=())
    assert not decide(bare, ask).allowed or not (ask.tables or ask.column_uses or ask.joins)


def poorer(policy: AccessPolicy) -> Iterator[AccessPolicy]:
    """Every policy with one grant less."""
    for i in range(len(policy.purposes)):
        yield replace(policy, purposes=without(policy.purposes, i))
    for i, table in enumerate(policy.tables):
        yield replace(policy, tables=without(policy.tables, i))
        for smaller in poorer_table(table):
            changed = (*policy.tables[:i], smaller, *policy.tables[i + 1 :])
            yield replace(policy, tables=changed)
    query = policy.query
    for i in range(len(query.aggregates)):
        yield replace(policy, query=replace(query, aggregates=without(query.aggregates, i)))
    yield replace(policy, query=replace(query, max_groups=query.max_groups - 1))
    yield replace(policy, query=replace(query, max_literals=query.max_literals - 1))


def poorer_table(table: TableGrant) -> Iterator[TableGrant]:
    for i in range(len(table.joins)):
        yield replace(table, joins=without(table.joins, i))
    for i, column in enumerate(table.columns):
        yield replace(table, columns=without(table.columns, i))
        for j in range(len(column.uses)):
            fewer = replace(column, uses=without(column.uses, j))
            yield replace(table, columns=(*table.columns[:i], fewer, *table.columns[i + 1 :]))


def without(items: tuple, index: int) -> tuple:
    return (*items[:index], *items[index + 1 :])


@st.composite
def agreeable(draw: st.DrawFn) -> tuple[AccessPolicy, AccessRequest]:
    """A policy and a request made of its own grants, so that many of the pairs are allowed."""
    policy = draw(policies())
    assume(policy.purposes and policy.tables)
    uses = [(t.name, c.name, u) for t in policy.tables for c in t.columns for u in c.uses]
    pairs = [(t.name, join) for t in policy.tables for join in t.joins if policy.table(join.to)]
    asks = draw(st.lists(st.sampled_from(uses), max_size=3)) if uses else []
    joined = draw(st.lists(st.sampled_from(pairs), max_size=2)) if pairs else []
    request = AccessRequest(
        operator=policy.operator.id,
        purpose=draw(st.sampled_from(policy.purposes)).code,
        now=policy.effective.start,
        tables=tuple(draw(st.sampled_from(policy.tables)).name for _ in range(2)),
        column_uses=tuple(UseAsk(t, c, u, None) for t, c, u in asks),
        aggregates=policy.query.aggregates[:2],
        joins=tuple(JoinAsk(name, j.to, j.kind, j.using, None) for name, j in joined),
        groups_declared=draw(st.integers(0, policy.query.max_groups)),
        literals=draw(st.integers(0, policy.query.max_literals)),
        suspended=False,
    )
    return policy, request


@given(agreeable())
def test_removing_a_grant_never_allows_more(pair: tuple[AccessPolicy, AccessRequest]) -> None:
    policy, ask = pair
    before = {reason.code for reason in decide(policy, ask).reasons}
    for smaller in poorer(policy):
        after = {reason.code for reason in decide(smaller, ask).reasons}
        assert before <= after or "table_not_granted" in after


@given(policies(), requests)
def test_removing_a_grant_never_allows_what_was_refused(
    policy: AccessPolicy, ask: AccessRequest
) -> None:
    if not decide(policy, ask).allowed:
        assert not any(decide(smaller, ask).allowed for smaller in poorer(policy))


def test_the_generated_requests_are_often_allowed() -> None:
    """The property above would be empty if nothing were ever allowed."""
    seen = {True: 0, False: 0}

    @given(agreeable())
    def count(pair: tuple[AccessPolicy, AccessRequest]) -> None:
        seen[decide(*pair).allowed] += 1

    count()
    assert seen[True] > 20


@given(policies(), requests, st.randoms(use_true_random=False))
def test_order_means_nothing(policy: AccessPolicy, ask: AccessRequest, dice: object) -> None:
    def shuffled(items: tuple) -> tuple:
        return tuple(dice.sample(items, len(items)))  # type: ignore[attr-defined]

    tables = tuple(
        replace(
            table,
            columns=tuple(
                replace(column, uses=shuffled(column.uses)) for column in shuffled(table.columns)
            ),
            joins=shuffled(table.joins),
        )
        for table in shuffled(policy.tables)
    )
    query = replace(policy.query, aggregates=shuffled(policy.query.aggregates))
    other = replace(policy, purposes=shuffled(policy.purposes), tables=tables, query=query)
    turned = replace(
        ask,
        tables=shuffled(ask.tables),
        column_uses=shuffled(ask.column_uses),
        aggregates=shuffled(ask.aggregates),
        joins=shuffled(ask.joins),
    )
    assert decide(policy, ask) == decide(other, turned)


@given(policies(), requests)
def test_each_join_may_be_written_either_way_round(
    policy: AccessPolicy, ask: AccessRequest
) -> None:
    turned = tuple(
        replace(
            join,
            left=join.right,
            right=join.left,
            using=tuple((theirs, ours) for ours, theirs in join.using),
        )
        for join in ask.joins
    )
    allowed = decide(policy, ask).allowed
    assert decide(policy, replace(ask, joins=turned)).allowed == allowed
