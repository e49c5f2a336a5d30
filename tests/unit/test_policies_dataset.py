"""A Dataset says who is protected and how, or it is refused at the line that fails to."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import epochs
from policies.check_dataset import check_dataset
from policies.dataset import (
    Column,
    Dataset,
    Epoch,
    ForeignKey,
    Grain,
    Source,
    SourceFormat,
    Table,
    UnitPath,
)
from policies.documents import lint, load_dataset
from policies.refusals import Refused
from policies.terms import ContributionBound, SqlType, TypeKind
from policies.unit_paths import unit_chain, unit_paths
from tests.unit.policies_world import flights, health

TEXT = health("dataset.yaml")


def refused(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        load_dataset(text, "d.yaml")
    return caught.value


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1, old
    return TEXT.replace(old, new, 1)


def test_the_health_declaration_reads_as_written() -> None:
    dataset = load_dataset(TEXT, "d.yaml")
    assert (dataset.id, dataset.holder.id) == ("hn_health", "hn-health-commission")
    assert dataset.family.lifetime == 40 * 10**9
    claims = dataset.table("claims")
    assert claims is not None
    assert claims.unit == UnitPath("person_id", None, protected_path=False)
    assert claims.contribution == ContributionBound(20, 4, 4)
    assert claims.epoch == Epoch("day", Grain.YEAR, "2024", "2024")
    assert claims.source == Source(SourceFormat.CSV, "claims.csv", None)
    amount = claims.column("amount")
    assert amount is not None and str(amount.type) == "DECIMAL(12,2)"


def test_the_flights_declaration_reads_as_written() -> None:
    dataset = load_dataset(flights("dataset.yaml"), "d.yaml")
    assert dataset.family.delta_total == 10**12
    assert [table.name for table in dataset.tables if table.private] == ["planes", "flights"]


@pytest.mark.parametrize(
    ("old", "new", "code", "word"),
    [
        ("    unit: {column: person_id}\n", "", "document_unit_missing", "persons"),
        (
            "    contribution: {rows_per_unit: 1,",
            "    contribution: {",
            "document_field_missing",
            "",
        ),
        (
            "    contribution: {rows_per_unit: 1, rows_per_group: 1, groups_per_unit: 1}\n",
            "",
            "document_field_missing",
            "contribution",
        ),
        ("    provenance: daily", "    # daily", "document_provenance_missing", "weather"),
        ("private: true", "private: yes", "document_field_invalid", "true or false"),
        ("    private: true\n", "", "document_field_missing", "private"),
        ("  units_declared_max: 250000\n", "", "document_field_missing", "units_declared_max"),
        ("  accountant: pure_eps\n", "", "document_field_missing", "accountant"),
        ('  lifetime: "40"\n', "", "document_field_missing", "lifetime"),
        ("size_class: M\n", "", "document_field_missing", "size_class"),
        ("size_class: M", "size_class: XL", "document_field_invalid", "XL"),
        ('lifetime: "40"', 'lifetime: "1"', "document_field_invalid", "loss_per_query_max"),
        ('lifetime: "40"', 'lifetime: "40.0000000001"', "document_field_invalid", "lifetime"),
        (
            'lifetime: "40"',
            'lifetime: "40.00000000000000000000000000000000001"',
            "document_field_invalid",
            "lifetime",
        ),
        ('lifetime: "40"', "lifetime: .inf", "document_field_invalid", "lifetime"),
        ('lifetime: "40"', "lifetime: -40", "document_field_invalid", "lifetime"),
        ("accountant: pure_eps", "accountant: approx_zcdp", "document_field_missing", "delta"),
        (
            "accountant: pure_eps",
            'accountant: pure_eps\n  delta_total: "1e-9"',
            "document_field_invalid",
            "delta_total",
        ),
        (
            "accountant: pure_eps",
            'accountant: approx_zcdp\n  delta_total: "4e-7"',
            "document_delta_too_large",
            "250000",
        ),
        ("income: DOUBLE", "income: MONEY", "document_field_invalid", "MONEY"),
        ("income: DOUBLE", "income: DECIMAL(39,2)", "document_field_invalid", "DECIMAL"),
        ("income: DOUBLE", "_ky_unit: DOUBLE", "document_field_invalid", "reserved"),
        ("income: DOUBLE", "NAME: DOUBLE", "document_field_invalid", "case"),
        ("income: DOUBLE", '"a b": DOUBLE', "document_field_invalid", "name"),
        ("primary_key: [claim_id]", "primary_key: [claim]", "document_field_invalid", "claim"),
        ("references: persons", "references: people", "document_field_invalid", "people"),
        ("to: [person_id]", "to: [name]", "document_field_invalid", "primary key"),
        ("grain: year", "grain: month", "document_field_invalid", "from"),
        ('from: "2024"', "from: 2025", "document_field_invalid", "before"),
        ("column: day,", "column: icd,", "document_field_invalid", "DATE"),
        ("unit: {column: person_id}", "unit: {column: income}", "document_field_invalid", "DOUBLE"),
        ("unit: {column: person_id}", "unit: {column: who}", "document_field_invalid", "unit"),
        (
            "person_id: BIGINT\n      hospital",
            "person_id: VARCHAR\n      hospital",
            "document_field_invalid",
            "BIGINT",
        ),
        ("source: persons.csv", "source: ../persons.csv", "document_field_invalid", "folder"),
        ("source: persons.csv", "source: /etc/x.csv", "document_field_invalid", "folder"),
        ("source: persons.csv", "source: s3://b/x.csv", "document_field_invalid", "folder"),
        ("source: persons.csv", "source: p*.csv", "document_field_invalid", "folder"),
        ("source: persons.csv", "source: persons.db", "document_field_invalid", "duckdb"),
        ("kind: Dataset", "kind: Policy", "document_field_invalid", "kind"),
        ("apiVersion: keyong/v1", "apiVersion: keyong/v2", "document_field_invalid", "keyong/v1"),
        ("  id: hn_person", "  ident: hn_person", "document_field_missing", "family.id"),
    ],
)
def test_what_protects_nobody_is_refused(old: str, new: str, code: str, word: str) -> None:
    text = changed(old, new)
    findings = lint(text, "d.yaml")
    assert [f for f in findings if f.code == code and word in f.message("en")], findings
    assert all(finding.at for finding in findings)
    assert refused(text).code == findings[0].code


def test_a_refusal_names_the_place() -> None:
    found = refused(changed("income: DOUBLE", "income: MONEY"))
    line = TEXT.splitlines().index("      income: DOUBLE") + 1
    assert str(found.at) == f"{line}:15"


def test_all_faults_are_told_from_top_to_bottom() -> None:
    text = changed("size_class: M", "size_class: XL").replace("private: true", "privat: true", 1)
    findings = lint(text, "d.yaml")
    assert [finding.code for finding in findings] == [
        "document_field_invalid",
        "document_field_unknown",
        "document_field_missing",
    ]
    places = [(f.at.line, f.at.column) for f in findings if f.at]
    assert places == sorted(places)
    assert "did you mean `private`" in findings[1].message("en")


# ---- the ways to a unit


def table(name: str, unit: UnitPath | None, keys: tuple[ForeignKey, ...] = ()) -> Table:
    names = ("id", "person_id", "payee_id", "claim_id", "parent_id")
    return Table(
        name=name,
        private=True,
        columns=tuple(Column(column, SqlType(TypeKind.BIGINT)) for column in names),
        primary_key=("id",),
        unit=unit,
        contribution=ContributionBound(1, 1, 1),
        foreign_keys=keys,
        epoch=None,
        provenance=None,
        source=None,
    )


def dataset_of(*tables: Table) -> Dataset:
    return replace(load_dataset(TEXT, "d.yaml"), tables=tables)


OWN = UnitPath("id", None, protected_path=False)
BY_PERSON = UnitPath("person_id", None, protected_path=False)
TO_PERSON = ForeignKey(("person_id",), "persons", ("id",))
TO_PAYEE = ForeignKey(("payee_id",), "persons", ("id",))
TO_CLAIM = ForeignKey(("claim_id",), "claims", ("id",))
PARENT = ForeignKey(("parent_id",), "persons", ("id",))
PERSONS = table("persons", OWN)


@pytest.mark.parametrize(
    ("tables", "count"),
    [
        ((PERSONS,), 1),
        ((PERSONS, table("claims", BY_PERSON, (TO_PERSON,))), 1),
        ((PERSONS, table("claims", BY_PERSON, (TO_PERSON, TO_PAYEE))), 2),
        ((PERSONS, table("claims", BY_PERSON, (TO_PAYEE,))), 2),
        ((table("persons", OWN, (PARENT,)),), 2),
        (
            (
                PERSONS,
                table("claims", BY_PERSON, (TO_PERSON,)),
                table("lines", UnitPath("claim_id", "claims", protected_path=False)),
            ),
            1,
        ),
        (
            (
                PERSONS,
                table("claims", BY_PERSON, (TO_PERSON,)),
                table("lines", BY_PERSON, (TO_PERSON, TO_CLAIM)),
            ),
            2,
        ),
        (
            (
                PERSONS,
                table("claims", BY_PERSON, (TO_PERSON, TO_PAYEE)),
                table("lines", UnitPath("claim_id", "claims", protected_path=False)),
            ),
            2,
        ),
    ],
)
def test_every_way_to_a_person_is_counted(tables: tuple[Table, ...], count: int) -> None:
    dataset = dataset_of(*tables)
    last = tables[-1]
    assert len(unit_paths(dataset, last)) == count
    codes = [p.code for p in check_dataset(dataset) if p.pointer[:2] == ("tables", last.name)]
    assert codes == (["document_unit_ambiguous"] if count > 1 else [])
    assert last.unit is not None
    signed = replace(last, unit=replace(last.unit, protected_path=True))
    resigned = dataset_of(*tables[:-1], signed)
    assert not [p for p in check_dataset(resigned) if p.pointer[:2] == ("tables", last.name)]


def test_a_chain_that_breaks_or_turns_is_refused() -> None:
    ring_a = table("a", UnitPath("claim_id", "b", protected_path=False))
    ring_b = table("b", UnitPath("claim_id", "a", protected_path=False))
    lost = table("c", UnitPath("claim_id", "nowhere", protected_path=False))
    dataset = dataset_of(PERSONS, ring_a, ring_b, lost)
    for broken in (ring_a, ring_b, lost):
        assert unit_chain(dataset, broken) is None
        assert [p for p in check_dataset(dataset) if p.pointer == ("tables", broken.name, "unit")]
    whole = table("lines", UnitPath("claim_id", "claims", protected_path=False))
    claims = table("claims", BY_PERSON, (TO_PERSON,))
    assert unit_chain(dataset_of(PERSONS, claims, whole), whole) == (whole, claims)


def test_a_public_table_may_not_point_at_people() -> None:
    public = replace(
        table("notes", None, (TO_PERSON,)),
        private=False,
        contribution=None,
        provenance="a register",
    )
    problems = check_dataset(dataset_of(PERSONS, public))
    assert [problem.pointer for problem in problems] == [("tables", "notes", "foreign_keys", "0")]


# ---- epochs


@given(st.sampled_from(Grain), st.dates(date(1000, 1, 1), date(9998, 12, 31)))
def test_each_day_lies_in_exactly_one_epoch(grain: Grain, day: date) -> None:
    label = epochs.epoch_of(grain, day)
    first, last = epochs.days(grain, label)
    assert first <= day <= last
    assert epochs.epoch_of(grain, last + timedelta(days=1)) != label
    assert epochs.epoch_of(grain, first - timedelta(days=1)) != label
    number = epochs.ordinal(grain, label)
    assert number is not None and epochs.label_of(grain, number) == label


@pytest.mark.parametrize(
    ("grain", "first", "last", "listed"),
    [
        (Grain.YEAR, "2023", "2024", ("2023", "2024")),
        (Grain.QUARTER, "2023-Q4", "2024-Q2", ("2023-Q4", "2024-Q1", "2024-Q2")),
        (Grain.MONTH, "2023-12", "2024-01", ("2023-12", "2024-01")),
        (Grain.MONTH, "2023-13", "2024-01", ()),
        (Grain.YEAR, "2023-01", "2024", ()),
        (Grain.YEAR, "２０２３", "2024", ()),
    ],
)
def test_epochs_are_a_closed_list(
    grain: Grain, first: str, last: str, listed: tuple[str, ...]
) -> None:
    assert epochs.labels(Epoch("day", grain, first, last)) == listed
