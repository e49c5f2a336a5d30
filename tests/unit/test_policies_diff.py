"""What widens is never missed: a change without a widening allows nothing new."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given

from policies.access.decide import decide
from policies.access.diff import Direction, diff, widens
from policies.access.model import AccessPolicy
from policies.access.request import AccessRequest
from policies.documents import load_access_policy
from tests.unit.policies_world import flights, health, policies, requests
from tests.unit.test_policies_decide import poorer

TEXT = health("policy.yaml")
POLICY = load_access_policy(TEXT, "p.yaml")


def edited(old: str, new: str) -> AccessPolicy:
    assert old in TEXT, old
    return load_access_policy(TEXT.replace(old, new, 1), "p.yaml")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("sex: {use: [group, filter]", "sex: {use: [group]", "columns.sex.use.filter"),
        ("domain: [F, M]", "domain: [F]", "columns.sex.domain"),
        ("bounds: [0, 50000]", "bounds: [0, 40000]", "amount.bounds.high"),
        ("bounds: [0, 50000]", "bounds: [10, 50000]", "amount.bounds.low"),
        ("range: [1920-01-01", "range: [1930-01-01", "birth.domain.low"),
        ("bin: 50000", "bin: 100000", "income.bin"),
        ("per_query_max: 1\n", "per_query_max: 0.5\n", "per_query_max"),
        ("max_literals: 50", "max_literals: 49", "max_literals"),
        ("count, count_distinct, sum, avg", "count, sum, avg", "aggregates.count_distinct"),
        ("max_rows: 2000", "max_rows: 10", "max_rows"),
        ("formats: [json, csv]", "formats: [json]", "formats.csv"),
        ("2034-12-31", "2033-12-31", "effective.to"),
        ("2024-01-01T", "2024-02-01T", "effective.from"),
        ("quarter, epsilon: 8", "quarter, epsilon: 7", "allowances.public_health"),
        ("  allowances:\n", "  allowances:\n    - {purpose: public_health, window: day, epsilon: 1}\n", "day"),
        ("[log_decision,", "[log_decision, watermark,", "watermark"),
        ("      - {to: weather, using: [day], kind: inner}", "      - {to: weather, using: [day], kind: inner}", ""),
    ],
)  # fmt: skip
def test_a_narrowing_and_its_reverse(old: str, new: str, what: str) -> None:
    other = edited(old, new)
    down, up = diff(POLICY, other), diff(other, POLICY)
    if old == new:
        assert down == up == ()
        return
    assert {change.direction for change in down} == {Direction.NARROWS}
    assert {change.direction for change in up} == {Direction.WIDENS}
    assert any(what in change.what for change in down)
    assert widens(other, POLICY) and not widens(POLICY, other)


def test_a_new_version_number_changes_nothing_that_may_be_asked() -> None:
    changes = diff(POLICY, edited("version: 1", "version: 2"))
    assert [change.direction for change in changes] == [Direction.NEUTRAL]


def test_a_change_reads_as_a_sentence() -> None:
    (change,) = diff(POLICY, edited("per_query_max: 1\n", "per_query_max: 0.5\n"))
    assert (change.what, change.before, change.after) == ("budget.per_query_max", "1", "0.5")


@given(policies(rich=True), policies(rich=True), requests)
def test_what_does_not_widen_allows_nothing_new(
    before: AccessPolicy, after: AccessPolicy, ask: AccessRequest
) -> None:
    if not widens(before, after) and not decide(before, ask).allowed:
        assert not decide(after, ask).allowed


@given(policies(rich=True), requests)
def test_one_grant_less_never_widens_and_one_more_always_does(
    policy: AccessPolicy, ask: AccessRequest
) -> None:
    for smaller in poorer(policy):
        if diff(policy, smaller):
            assert not widens(policy, smaller)
            assert widens(smaller, policy)
        else:
            assert decide(policy, ask) == decide(smaller, ask)


def test_every_field_of_a_policy_is_compared() -> None:
    """A field that `diff` forgets could be widened without a second pair of eyes."""
    other = load_access_policy(flights("policy.yaml"), "p.yaml")
    start, query, output = POLICY.effective, POLICY.query, POLICY.output
    for field in fields(AccessPolicy):
        value = getattr(other, field.name)
        if field.name == "digest" or value == getattr(POLICY, field.name):
            assert field.name in {"digest", "query", "output"}  # those two are compared below
            continue
        assert diff(POLICY, replace(POLICY, **{field.name: value})), field.name
    inner = [
        replace(POLICY, effective=replace(start, end=start.end + timedelta(microseconds=1))),
        replace(POLICY, query=replace(query, failures_max=4)),
        replace(POLICY, output=replace(output, max_rows=None)),
        replace(POLICY, output=replace(output, formats=())),
        replace(POLICY, budget=replace(POLICY.budget, unit="household")),
        replace(POLICY, budget=replace(POLICY.budget, allowances=())),
    ]
    assert all(widens(POLICY, changed) for changed in inner)
