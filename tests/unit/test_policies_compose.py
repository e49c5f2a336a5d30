"""Several policies: the strictest wins, order and repetition mean nothing, and one more never widens."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.access.compose import JointPolicy, compose, decide_jointly
from policies.access.decide import decide
from policies.access.model import AccessPolicy, JoinKind
from policies.access.request import AccessRequest, JoinAsk, UseAsk
from policies.documents import load_access_policy
from policies.refusals import Refused
from policies.terms import Accountant, AggregateName, ColumnUse
from tests.unit.policies_world import OPERATORS, health, named, policies, requests

same_operator = policies().map(
    lambda policy: named(replace(policy, operator=replace(policy.operator, id=OPERATORS[0])))
)
several = st.lists(same_operator, min_size=1, max_size=3).map(tuple)


@given(several, same_operator)
def test_one_more_policy_only_takes_away(
    some: tuple[AccessPolicy, ...], more: AccessPolicy
) -> None:
    few, many = compose(some), compose((*some, more))
    assert set(many.purposes) <= set(few.purposes)
    assert set(many.aggregates) <= set(few.aggregates)
    assert set(many.obligations) >= set(few.obligations)
    assert many.effective.start >= few.effective.start
    assert many.effective.end <= few.effective.end
    for name in (
        "per_query_max",
        "lifetime_per_epoch",
        "delta_total",
        "max_groups",
        "max_literals",
        "failures_max",
    ):
        assert getattr(many, name) <= getattr(few, name)
    assert few.max_rows is None or (many.max_rows is not None and many.max_rows <= few.max_rows)
    assert few.formats is None or (many.formats is not None and many.formats <= few.formats)


@given(several, same_operator, requests)
def test_one_more_policy_never_allows_a_refused_query_on_the_same_tables(
    some: tuple[AccessPolicy, ...], more: AccessPolicy, ask: AccessRequest
) -> None:
    before = decide_jointly(compose(some), ask)
    assume("table_not_granted" not in {reason.code for reason in before.reasons})
    if not before.allowed:
        assert not decide_jointly(compose((*some, more)), ask).allowed


@given(several, requests, st.permutations([0, 1, 2]))
def test_order_and_repetition_mean_nothing(
    some: tuple[AccessPolicy, ...], ask: AccessRequest, order: list[int]
) -> None:
    shuffled = tuple(some[i] for i in order if i < len(some))
    assert compose(shuffled) == compose(some) == compose((*some, *shuffled))
    assert decide_jointly(compose(shuffled), ask) == decide_jointly(compose(some), ask)


@given(same_operator, requests)
def test_one_policy_composes_to_itself(policy: AccessPolicy, ask: AccessRequest) -> None:
    assert decide_jointly(compose((policy,)), ask) == decide(policy, ask)


@given(several, requests)
def test_the_joint_limits_agree_with_the_verdict(
    some: tuple[AccessPolicy, ...], ask: AccessRequest
) -> None:
    """What a form shows and what a query gets come from two functions; they must not differ."""
    joint = compose(some)
    if decide_jointly(joint, ask).allowed:
        assert ask.purpose in joint.purposes
        assert set(ask.aggregates) <= set(joint.aggregates)
        assert joint.effective.start <= ask.now <= joint.effective.end
        assert ask.literals <= joint.max_literals
        assert ask.groups_declared is None or ask.groups_declared <= joint.max_groups


# ---- a health commission and a weather bureau


def split() -> tuple[AccessPolicy, AccessPolicy]:
    """The example policy as two holders would write it, each for its own tables."""
    whole = load_access_policy(health("policy.yaml"), "p.yaml")
    people = replace(
        whole, tables=tuple(t for t in whole.tables if not t.public), digest="sha256:" + "a" * 64
    )
    weather = replace(
        whole,
        metadata=replace(whole.metadata, id="weather"),
        holder=replace(whole.holder, id="weather-bureau"),
        tables=tuple(t for t in whole.tables if t.public),
        query=replace(whole.query, aggregates=(AggregateName.COUNT, AggregateName.AVG)),
        digest="sha256:" + "b" * 64,
    )
    return people, weather


RAIN = AccessRequest(
    operator="op-xinyi",
    purpose="public_health",
    now=datetime(2026, 11, 21, tzinfo=UTC),
    tables=("persons", "weather"),
    column_uses=(
        UseAsk("persons", "income", ColumnUse.AGGREGATE, None),
        UseAsk("weather", "rain_mm", ColumnUse.GROUP, None),
    ),
    aggregates=(AggregateName.AVG,),
    joins=(JoinAsk("persons", "weather", JoinKind.INNER, (("region", "region"),), None),),
    groups_declared=50,
    literals=0,
    suspended=False,
)


def joint() -> JointPolicy:
    return compose(split())


def test_two_holders_are_asked_together() -> None:
    people, weather = split()
    assert decide_jointly(joint(), RAIN).allowed
    for alone in (people, weather):
        assert "table_not_granted" in {r.code for r in decide(alone, RAIN).reasons}


def test_each_holder_is_heard_on_everything() -> None:
    summed = replace(RAIN, aggregates=(AggregateName.SUM,))
    assert [r.code for r in decide_jointly(joint(), summed).reasons] == ["aggregate_not_granted"]


def test_the_private_side_must_grant_the_join() -> None:
    people, weather = split()
    persons = replace(people.tables[0], joins=())
    fewer = replace(people, tables=(persons, *people.tables[1:]))
    decision = decide_jointly(compose((fewer, weather)), RAIN)
    assert [reason.code for reason in decision.reasons] == ["join_not_granted"]


def test_epsilon_and_rho_are_not_composed() -> None:
    people, weather = split()
    rho = replace(weather, budget=replace(weather.budget, accountant=Accountant.APPROX_ZCDP))
    stranger = replace(weather, operator=replace(weather.operator, id="op-other"))
    for policies_given in ((people, rho), (people, stranger), ()):
        with pytest.raises(Refused) as caught:
            compose(policies_given)
        assert caught.value.code == "policies_incompatible"
