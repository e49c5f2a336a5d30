"""An AccessPolicy is read as written, and every contradiction in it is found."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from policies.access.model import (
    Allowance,
    ColumnGrant,
    Fee,
    JoinGrant,
    JoinKind,
    Level,
    ListDomain,
    RangeDomain,
    RefDomain,
    Window,
)
from policies.documents import (
    document_digest,
    lint,
    load_access_policy,
    load_dataset,
    load_price_plan,
    load_split_agreement,
    misfits,
)
from policies.pricing import agreement_from, plan_from
from policies.reading.nodes import to_plain
from policies.reading.parse import load_yaml
from policies.refusals import Refused
from policies.terms import (
    Accountant,
    AggregateName,
    ColumnUse,
    ContributionBound,
    ValueBound,
)
from tests.unit.policies_world import flights, health

TEXT = health("policy.yaml")


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text, old
    return text.replace(old, new, 1)


def test_the_health_policy_reads_as_written() -> None:
    policy = load_access_policy(TEXT, "p.yaml")
    assert policy.operator.id == "op-xinyi"
    assert policy.effective.start == datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    assert policy.classification.level is Level.GENERAL
    assert [(p.code, p.fee) for p in policy.purposes] == [
        ("public_health", Fee.FREE),
        ("insurance_pricing", Fee.PAID),
    ]
    persons, claims, weather = policy.tables
    assert not persons.public and weather.public
    assert claims.unit is not None and claims.unit.bound == ContributionBound(20, 4, 4)
    assert persons.column("income") == ColumnGrant(
        "income",
        (ColumnUse.GROUP, ColumnUse.FILTER, ColumnUse.AGGREGATE),
        None,
        ValueBound(Decimal(0), Decimal(500000)),
        Decimal(50000),
    )
    assert persons.column("name") is None
    assert claims.joins == (JoinGrant("weather", (("day", "day"),), JoinKind.INNER),)
    day, region = claims.column("day"), weather.column("region")
    assert day is not None and day.domain == RangeDomain(date(2024, 1, 1), date(2024, 12, 31))
    assert region is not None and region.domain == RefDomain("weather", "region")
    assert policy.budget.per_query_max == 10**9
    assert policy.budget.allowances[1] == Allowance("insurance_pricing", Window.MONTH, 4 * 10**9)
    assert policy.query.aggregates == tuple(AggregateName)[:4]
    assert policy.digest == document_digest(TEXT, "p.yaml")


def test_the_flights_policy_reads_as_written() -> None:
    policy = load_access_policy(flights("policy.yaml"), "p.yaml")
    assert policy.budget.accountant is Accountant.APPROX_ZCDP
    assert policy.budget.delta_total == 10**12
    assert policy.budget.allowances == (Allowance("research", Window.YEAR, 8 * 10**9),)
    flown = policy.table("flights")
    assert flown is not None
    assert (("dest", "faa"),) in [join.using for join in flown.joins]
    engines = policy.tables[0].column("engines")
    assert engines is not None and engines.domain == ListDomain((1, 2, 3, 4))


CASES = [
    ("state_secret: false", "state_secret: true", "document_classification_refused", "secret"),
    ("level: 一般", "level: 核心", "document_classification_refused", "core"),
    ("level: 一般", "level: 重要", "document_field_invalid", "general_level"),
    ("level: 一般", "level: low", "document_field_invalid", "一般"),
    ("  personal_info: true", "  personal_info: false", "document_field_invalid", "sensitive"),
    ("  state_secret: false\n", "", "document_field_missing", "state_secret"),
    ("class: governance, fee: free", "class: governance, fee: paid", "document_fee_refused", "go"),
    ("price: {plan", "# price: {plan", "document_field_missing", "price"),
    ("revenue: {agree", "# revenue: {agree", "document_field_missing", "revenue"),
    ("digest: \"sha256:", "digest: \"md5:", "document_field_invalid", "sha256"),
    ("PP-HN-HEALTH@1", "PP-HN-HEALTH", "document_field_invalid", "version"),
    (", bounds: [0, 500000], bin: 50000", "", "document_bounds_missing", "persons.income"),
    ("bounds: [0, 500000]", "bounds: [500000, 0]", "document_field_invalid", "lower bound first"),
    ("bounds: [0, 500000]", "bounds: [0]", "document_field_invalid", "[low, high]"),
    ("bounds: [0, 500000]", "bounds: [0, 2024-01-01]", "document_field_invalid", "[low, high]"),
    ("bounds: [0, 500000]", "bounds: [0, .inf]", "document_field_invalid", "[low, high]"),
    ("bin: 50000", "bin: 0", "document_field_invalid", "above 0"),
    ("bin: 50000", "bin: 50000, domain: [1, 2]", "document_field_invalid", "list"),
    ("domain: [F, M]", "domain: [F, F]", "document_field_invalid", "different"),
    ("domain: [F, M]", "domain: [F, 1]", "document_field_invalid", "one type"),
    ("domain: [F, M]", "domain: [null]", "document_field_invalid", "null"),
    ("domain: [F, M]", "domain: []", "document_field_invalid", "at least one"),
    ("domain: [F, M]", "domain: {range: [F, M]}", "document_field_invalid", "range"),
    ("domain: [F, M]", "domain: {ref: claims.icd}", "document_field_invalid", "private table"),
    ("domain: [F, M]", "domain: {ref: weather}", "document_field_invalid", "ref"),
    ("domain: [F, M]", "domain: {range: [1, 2], ref: a.b}", "document_field_missing", "either"),
    ("    public: true\n", "", "document_unit_missing", "weather"),
    ("    public: true\n", "    public: false\n", "document_unit_missing", "weather"),
    ("      max_rows_per_unit: 1\n", "", "document_field_missing", "max_rows_per_unit"),
    ("      max_rows_per_group: 1\n", "", "document_field_missing", "max_rows_per_group"),
    ("      max_groups_per_unit: 1\n", "", "document_field_missing", "max_groups_per_unit"),
    ("max_rows_per_unit: 1\n", "max_rows_per_unit: 0\n", "document_field_invalid", "from 1"),
    ("max_rows_per_unit: 1\n", "max_rows_per_unit: 1.5\n", "document_field_invalid", "whole"),
    ("max_rows_per_unit: 1\n", "max_rows_per_unit: true\n", "document_field_invalid", "whole"),
    ("overflow: sample", "overflow: drop", "document_field_invalid", "sample"),
    ("      overflow: sample\n", "", "document_field_missing", "overflow"),
    ("using: [person_id], kind: left", "using: [region], kind: left", "document_field_invalid", "join_key"),
    ("using: [person_id], kind: left", "using: [sex], kind: left", "document_field_invalid", "join_key"),
    ("using: [person_id], kind: left", "kind: left", "document_field_missing", "using"),
    ("using: [person_id], kind: left", "using: [person_id], kind: cross", "document_field_invalid", "cross"),
    ("using: [person_id], kind: left", "using: [[a, b, c]], kind: left", "document_field_invalid", "pairs"),
    ("failures_max: 3", "", "document_field_missing", "failures_max"),
    ("failures_max: 3", "failures_max: 0", "document_field_invalid", "failures_max"),
    ("max_groups: 2000", "max_groups: 20001", "document_field_invalid", "20000"),
    ("[count, count_distinct, sum, avg]", "[count, count]", "document_field_invalid", "twice"),
    ("[count, count_distinct, sum, avg]", "[count, any_value]", "document_field_invalid", "any_value"),
    ("[count, count_distinct, sum, avg]", "[]", "document_field_invalid", "at least one"),
    ("mode: dp", "mode: exact", "document_exact_output", "exact"),
    ("{mode: dp, ", "{", "document_field_missing", "mode"),
    ("per_query_max: 1\n", "per_query_max: 100\n", "document_field_invalid", "per_query_max"),
    ("per_query_max: 1\n", "per_query_max: 1e-10\n", "document_field_invalid", "multiple"),
    ("  per_query_max: 1\n", "", "document_field_missing", "per_query_max"),
    ("accountant: pure_eps", "accountant: approx_zcdp", "document_field_missing", "rho"),
    ("accountant: pure_eps", "accountant: pure_eps\n  delta_total: 1e-9", "document_field_invalid", "delta"),
    ("window: quarter, epsilon: 8", "window: quarter, rho: 8", "document_field_invalid", "rho"),
    ("window: quarter, epsilon: 8", "window: ever, epsilon: 8", "document_field_invalid", "ever"),
    ("{purpose: public_health, window", "{purpose: other, window", "document_field_missing", "public_health"),
    ("public_health, window: quarter", "insurance_pricing, window: month", "document_field_invalid", "more than once"),
    ("code: insurance_pricing", "code: public_health", "document_field_invalid", "more than once"),
    ("code: public_health", "code: Public Health", "document_field_invalid", "small letters"),
    ("2034-12-31T23:59:59+08:00", "2023-12-31T23:59:59+08:00", "document_field_invalid", "after"),
    ("2034-12-31T23:59:59+08:00", "2034-12-31T23:59:59", "document_field_invalid", "offset"),
    ("2034-12-31T23:59:59+08:00", "2034-02-30T23:59:59Z", "document_field_invalid", "offset"),
    ("expect: allow", "expect: deny", "document_field_invalid", "allow"),
    ("expect: [column_use_not_granted]", "expect: [no_such_code]", "document_field_invalid", "no_such"),
    ("obligations: [log_decision,", "obligations: [annual_disclosure,", "document_field_invalid", "different"),
    ("region: {use: [group, filter, join_key]", "region: {use: [project]", "document_field_invalid", "project"),
    ("  operator: {id: op-xinyi, ", "  operator: {", "document_field_missing", "operator.id"),
    ("purposes:", "purposes: {}\nx:", "document_field_invalid", "list"),
    ("budget:", "budgets:", "document_field_unknown", "`budget`"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "word"), CASES)
def test_every_contradiction_is_found(old: str, new: str, code: str, word: str) -> None:
    text = changed(old, new)
    findings = lint(text, "p.yaml")
    assert [f for f in findings if f.code == code and word in f.message("en")], findings
    assert all(finding.at for finding in findings)
    with pytest.raises(Refused) as caught:
        load_access_policy(text, "p.yaml")
    assert caught.value.code == findings[0].code
    assert caught.value.message("zh-CN") != caught.value.message("en")


def test_the_cases_start_from_a_sound_policy() -> None:
    """The negative twin: with nothing changed, nothing is found."""
    assert lint(TEXT, "p.yaml") == ()
    assert lint(flights("policy.yaml"), "p.yaml") == ()


def test_a_finding_is_at_the_line_it_is_about() -> None:
    text = changed("mode: dp", "mode: exact")
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "mode: exact" in row)
    assert str(lint(text, "p.yaml")[0].at) == f"{line}:16"


def test_null_may_be_a_group_of_its_own() -> None:
    text = changed("domain: [F, M]", "domain: [F, M, null]")
    sex = load_access_policy(text, "p.yaml").tables[0].column("sex")
    assert sex is not None and sex.domain == ListDomain(("F", "M", None))
    assert misfits(text, "p.yaml", DATASET) == ()


def test_free_purposes_need_no_price() -> None:
    text = changed("class: industry, fee: paid", "class: industry, fee: free")
    without = "\n".join(row for row in text.splitlines() if not row.startswith(("price", "reve")))
    assert load_access_policy(without, "p.yaml").price is None


def test_the_policy_names_the_price_plan_and_the_agreement_of_its_folder() -> None:
    policy = load_access_policy(TEXT, "p.yaml")
    assert policy.price is not None and policy.revenue is not None
    assert policy.price.digest == document_digest(health("price-plan.yaml"), "x")
    assert policy.revenue.digest == document_digest(health("split-agreement.yaml"), "x")
    plan = load_price_plan(health("price-plan.yaml"), "x")
    agreement = load_split_agreement(health("split-agreement.yaml"), "x")
    assert policy.price.id == f"{plan.id}@{plan.version}"
    assert policy.revenue.id == f"{agreement.id}@{agreement.version}"


def test_plans_and_agreements_read_the_same_on_both_ways() -> None:
    """The auditor reads them from the log's JSON, the gateway from the holder's YAML."""
    for name, ours, theirs in (
        ("price-plan.yaml", load_price_plan, plan_from),
        ("split-agreement.yaml", load_split_agreement, agreement_from),
    ):
        plain = to_plain(load_yaml(health(name), name))
        assert isinstance(plain, dict)
        assert ours(health(name), name) == theirs(plain)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("price-plan.yaml", "currency: CNY", "currency: USD"),
        ("price-plan.yaml", "per_query_uy: 2000000", "per_query_uy: 2.5"),
        ("price-plan.yaml", "per_query_uy: 2000000", "per_query_uy: -1"),
        ("price-plan.yaml", "S: 0, ", ""),
        ("price-plan.yaml", "tax: vat_6", "tax: vat_9"),
        ("split-agreement.yaml", "basis_points: 300", "basis_points: 10000"),
        ("split-agreement.yaml", "{party: op-xinyi, weight: 1}", "{party: nobody, weight: 1}"),
        ("split-agreement.yaml", "type: platform", "type: bank"),
        ("split-agreement.yaml", "name: 流通", "name: 采集"),
    ],
)
def test_money_that_does_not_hold_together_is_refused(name: str, old: str, new: str) -> None:
    findings = lint(changed(old, new, health(name)), name)
    assert findings and all(f.code.startswith("document_") and f.at for f in findings)


# ---- fit


DATASET = load_dataset(health("dataset.yaml"), "d.yaml")


def test_the_examples_fit() -> None:
    assert misfits(TEXT, "p.yaml", DATASET) == ()
    plane = load_dataset(flights("dataset.yaml"), "d.yaml")
    assert misfits(flights("policy.yaml"), "p.yaml", plane) == ()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("lifetime_per_epoch: 20", "lifetime_per_epoch: 41", "lifetime_per_epoch"),
        ("per_query_max: 1\n", "per_query_max: 2.1\n", "per_query_max"),
        ("unit: person\n", "unit: household\n", "person"),
        ("id: hn-health-commission", "id: other", "holder"),
        ("max_rows_per_unit: 20", "max_rows_per_unit: 21", "20"),
        ("max_rows_per_group: 4", "max_rows_per_group: 5", "4"),
        ("max_groups_per_unit: 4", "max_groups_per_unit: 5", "4"),
        ("      column: person_id\n", "      column: name\n", "unit column"),
        ("      sex: {use", "      gender: {use", "not a column"),
        ("  weather:\n    public", "  storms:\n    public", "not a table"),
        ("domain: [F, M]", "domain: [1, 2]", "VARCHAR"),
        ("{range: [1920-01-01, 2024-12-31]}", "{range: [1, 2]}", "DATE"),
        ("{ref: weather.region}", "{ref: weather.day}", "VARCHAR"),
        ("bounds: [0, 50000]}", "bounds: [2020-01-01, 2021-01-01]}", "DECIMAL"),
        ("icd:\n        use: [group,", "icd:\n        bounds: [0, 1]\n        use: [aggregate,", "aggregate"),
        ("using: [day], kind: inner", "using: [[day, region]], kind: inner", "type"),
    ],
)  # fmt: skip
def test_a_policy_may_not_grant_more_than_is_declared(old: str, new: str, word: str) -> None:
    findings = misfits(changed(old, new), "p.yaml", DATASET)
    assert [f for f in findings if word in f.message("en") and f.at], findings


def test_a_private_table_cannot_be_made_public_by_a_policy() -> None:
    start = TEXT.index("    privacy_unit:\n      column: person_id\n      max_rows_per_unit: 20")
    end = TEXT.index("    columns:", start)
    findings = misfits(TEXT[:start] + "    public: true\n" + TEXT[end:], "p.yaml", DATASET)
    assert any("private" in finding.message("en") for finding in findings)


def test_epsilon_and_rho_never_meet() -> None:
    plane = load_dataset(flights("dataset.yaml"), "d.yaml")
    findings = misfits(TEXT, "p.yaml", plane)
    assert any("approx_zcdp" in finding.message("en") for finding in findings)


def test_the_clock_of_the_demo_is_inside_the_policy() -> None:
    policy = load_access_policy(TEXT, "p.yaml")
    assert policy.effective.start < datetime(2026, 11, 21, tzinfo=UTC) < policy.effective.end
