"""A draft is made of names, types and keys alone, loads as it is, and grants nothing by accident."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.access.model import ListDomain, RangeDomain, RefDomain
from policies.dataset import ForeignKey, Source, SourceFormat
from policies.documents import lint, load_access_policy, load_dataset, misfits
from policies.drafting.schema import PublicFacts, SchemaTable
from policies.infer import Inferred, infer
from policies.reading.facts import load_public_facts
from policies.refusals import Refused
from policies.terms import NANO, ColumnUse, ContributionBound, PurposeClass, ValueBound

PERSONS = SchemaTable(
    "persons",
    (
        ("person_id", "BIGINT"),
        ("region", "VARCHAR"),
        ("birth", "DATE"),
        ("sex", "ENUM('F', 'M')"),
        ("income", "FLOAT"),
        ("age", "TINYINT"),
        ("smoker", "BOOLEAN"),
        ("photo", "BLOB"),
        ("bad name", "BIGINT"),
    ),
    ("person_id",),
    (),
    Source(SourceFormat.CSV, "persons.csv", None),
)
CLAIMS = SchemaTable(
    "claims",
    (("claim_id", "BIGINT"), ("person_id", "BIGINT"), ("amount", "DECIMAL(12,2)"), ("day", "DATE")),
    ("claim_id",),
    (ForeignKey(("person_id",), "persons", ("person_id",)),),
    Source(SourceFormat.DUCKDB, "all.duckdb", "claims"),
)
WEATHER = SchemaTable(
    "weather",
    (("region", "VARCHAR"), ("day", "DATE"), ("rain_mm", "DOUBLE")),
    ("region", "day"),
    (),
    None,
)
FACTS = load_public_facts(
    """
bounds:
  persons.income: [0, 500000]
  persons.age: [0.5, 110]
  persons.birth: [1920-01-01, 2024-12-31]
  weather.rain_mm: [0, 500]
domains:
  persons.sex: [F, M]
""",
    "facts.yaml",
)
UNIT = "persons.person_id"
NO_FACTS = PublicFacts({}, {})


def drafted(*more: SchemaTable, facts: PublicFacts = FACTS) -> Inferred:
    return infer((PERSONS, CLAIMS, WEATHER, *more), UNIT, ("weather",), facts)


def test_a_draft_loads_and_fits() -> None:
    draft = drafted()
    assert lint(draft.policy, "p") == lint(draft.dataset, "d") == ()
    assert misfits(draft.policy, "p", load_dataset(draft.dataset, "d")) == ()


def test_a_draft_is_ready_for_a_demo_and_says_that_it_is_no_more() -> None:
    draft = drafted()
    policy = load_access_policy(draft.policy, "p")
    assert policy.operator.id == "op-demo"
    assert [(p.code, p.purpose_class) for p in policy.purposes] == [
        ("research", PurposeClass.PUBLIC_GOOD)
    ]
    assert policy.price is policy.revenue is None
    assert (policy.effective.start.year, policy.effective.end.year) == (2020, 2099)
    assert policy.budget.per_query_max == NANO
    assert policy.budget.lifetime_per_epoch == 1000 * NANO
    assert "# REVIEW" in draft.policy and "# REVIEW" in draft.dataset


def test_grants_follow_from_types_and_public_facts() -> None:
    policy = load_access_policy(drafted().policy, "p")
    persons, claims, weather = policy.tables
    uses = {column.name: set(column.uses) for column in persons.columns}
    group = {ColumnUse.GROUP, ColumnUse.FILTER}
    assert uses == {
        "person_id": {ColumnUse.FILTER, ColumnUse.JOIN_KEY, ColumnUse.COUNT_DISTINCT},
        "region": {*group, ColumnUse.COUNT_DISTINCT, ColumnUse.JOIN_KEY},
        "birth": {*group, ColumnUse.COUNT_DISTINCT},
        "sex": {*group, ColumnUse.COUNT_DISTINCT},
        "income": {*group, ColumnUse.AGGREGATE},
        "age": {*group, ColumnUse.AGGREGATE},
        "smoker": {*group, ColumnUse.COUNT_DISTINCT},
    }
    domain = {column.name: column.domain for column in persons.columns}
    assert domain["smoker"] == ListDomain((False, True))
    assert domain["sex"] == ListDomain(("F", "M"))
    assert domain["age"] == RangeDomain(1, 110)
    assert domain["region"] == RefDomain("weather", "region")
    assert isinstance(domain["birth"], RangeDomain)
    assert domain["income"] is None
    amount = claims.column("amount")
    assert amount is not None and ColumnUse.AGGREGATE not in amount.uses
    assert weather.public


def test_null_in_a_domain_stays_null() -> None:
    facts = load_public_facts("domains: {persons.sex: [F, M, null]}", "facts.yaml")
    draft = drafted(facts=facts)
    sex = load_access_policy(draft.policy, "p").tables[0].column("sex")
    assert sex is not None and sex.domain == ListDomain(("F", "M", None))
    assert misfits(draft.policy, "p", load_dataset(draft.dataset, "d")) == ()


def test_a_missing_bound_is_a_remark_that_names_the_cure() -> None:
    text = drafted().policy
    assert "no aggregate: give public bounds of `claims.amount`, then grant it" in text
    assert "bounds of `persons.income`" not in text
    assert "left out, with names or types not supported: bad name, photo" in text


def test_contribution_is_one_only_where_the_unit_is_the_key() -> None:
    dataset = load_dataset(drafted().dataset, "d")
    persons, claims = dataset.table("persons"), dataset.table("claims")
    assert persons is not None and persons.contribution == ContributionBound(1, 1, 1)
    assert claims is not None and claims.contribution == ContributionBound(100, 20, 20)
    assert claims.source == Source(SourceFormat.DUCKDB, "all.duckdb", "claims")


def test_a_table_that_is_neither_is_left_out() -> None:
    junk = SchemaTable("junk", (("a", "BIGINT"),), (), (), None)
    draft = drafted(junk)
    assert draft.left_out == (("junk", "neither holds the unit nor was named public"),)
    assert load_dataset(draft.dataset, "d").table("junk") is None
    assert "Left out: `junk`" in draft.policy


def test_a_table_of_two_people_is_left_out() -> None:
    keys = tuple(ForeignKey((c,), "persons", ("person_id",)) for c in ("payer", "payee"))
    columns = (("payer", "BIGINT"), ("payee", "BIGINT"), ("sum", "BIGINT"))
    draft = drafted(SchemaTable("transfers", columns, (), keys, None))
    ((name, why),) = draft.left_out
    assert name == "transfers" and "`payee` and `payer`" in why
    one_way = drafted(SchemaTable("transfers", columns, (), keys[:1], None))
    transfers = load_dataset(one_way.dataset, "d").table("transfers")
    assert transfers is not None and transfers.unit is not None
    assert transfers.unit.column == "payer"


@pytest.mark.parametrize(
    ("unit", "public"),
    [
        ("persons.nobody", ()),
        ("nowhere.person_id", ()),
        ("person_id", ()),
        ("persons.photo", ()),
        ("persons.person_id", ("claims",)),
        ("persons.person_id", ("persons",)),
        ("persons.person_id", ("storms",)),
    ],
)
def test_a_draft_that_protects_nobody_is_refused(unit: str, public: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        infer((PERSONS, CLAIMS), unit, public, NO_FACTS)


@pytest.mark.parametrize("unit", ["persons.income", "persons.birth", "persons.smoker"])
def test_a_unit_of_a_wrong_type_is_refused(unit: str) -> None:
    with pytest.raises(Refused):
        infer((PERSONS,), unit, (), NO_FACTS)


def test_without_facts_nothing_private_is_aggregated() -> None:
    policy = load_access_policy(drafted(facts=NO_FACTS).policy, "p")
    for table in policy.tables:
        for column in table.columns:
            assert ColumnUse.AGGREGATE not in column.uses
            assert column.bounds is None


def test_flights_are_protected_by_aeroplane() -> None:
    planes = SchemaTable(
        "planes", (("tailnum", "VARCHAR"), ("seats", "INTEGER")), ("tailnum",), (), None
    )
    flown = SchemaTable("flights", (("tailnum", "VARCHAR"), ("origin", "VARCHAR")), (), (), None)
    draft = infer((planes, flown), "planes.tailnum", (), NO_FACTS)
    dataset = load_dataset(draft.dataset, "d")
    bounds = [
        table.contribution and table.contribution.rows_per_unit_max for table in dataset.tables
    ]
    assert bounds == [1, 100]


@pytest.mark.parametrize(
    "text",
    [
        "bounds: {persons: [0, 1]}",
        "bounds: {persons.income: [1, 0]}",
        "bound: {persons.income: [0, 1]}",
        "bounds: []",
        "bounds: {}",
    ],
)
def test_a_file_of_facts_is_read_strictly(text: str) -> None:
    with pytest.raises(Refused):
        load_public_facts(text, "facts.yaml")


KINDS = (
    "BIGINT;INTEGER;SMALLINT;DOUBLE;DECIMAL(9,3);VARCHAR;DATE;TIMESTAMP;BOOLEAN;BLOB;UUID;"
    "INTEGER[];STRUCT(a INTEGER);HUGEINT;TIME;UBIGINT"
).split(";")
kinds = st.sampled_from(KINDS)
names = st.sampled_from(["person_id", "region", "a", "b", "C", "c", "select", "值", "x y", "_ky_u"])


@st.composite
def schemas(draw: st.DrawFn) -> tuple[SchemaTable, ...]:
    tables = [PERSONS]
    for name in draw(st.lists(st.sampled_from(["t", "u", "v", "表"]), unique=True, max_size=3)):
        columns = draw(st.dictionaries(names, kinds, min_size=1, max_size=5))
        keys = draw(st.lists(st.sampled_from(sorted(columns)), unique=True, max_size=2))
        foreign = tuple(ForeignKey((key,), "persons", ("person_id",)) for key in keys)
        primary = tuple(keys[: draw(st.integers(0, 1))])
        tables.append(SchemaTable(name, tuple(columns.items()), primary, foreign, None))
    return tuple(tables)


@given(schemas(), st.sets(st.sampled_from(["t", "u"])))
def test_every_draft_loads_and_fits(schema: tuple[SchemaTable, ...], public: set[str]) -> None:
    named = tuple(sorted(public & {table.name for table in schema}))
    facts = replace(NO_FACTS, bounds={"t.a": ValueBound(Decimal(0), Decimal(9))})
    try:
        draft = infer(schema, UNIT, named, facts)
    except Refused as refused:
        assert "cannot be public" in refused.message("en")
        return
    assert lint(draft.policy, "p") == lint(draft.dataset, "d") == ()
    assert misfits(draft.policy, "p", load_dataset(draft.dataset, "d")) == ()
