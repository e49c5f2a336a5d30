"""Which rows stay: keys, ways to the unit, caps, epochs; and what refuses a whole file."""

from dataclasses import replace
from pathlib import Path

import pytest

from policies.dataset import Dataset, ForeignKey
from policies.terms import ContributionBound
from sandbox.worker.ingest.refused import Code, IngestRefused
from sandbox.worker.ingest.report import TableReport, Why
from tests.unit.ingest_world import (
    CLAIMS,
    ITEMS,
    PERSONS,
    WEATHER,
    Rows,
    World,
    columns,
    dataset,
    one,
    world,
)

DATASET = dataset(PERSONS, CLAIMS, ITEMS)
ANN, BOB = ("1", "Ann"), ("2", "Bob")


@pytest.fixture
def here(tmp_path: Path) -> World:
    return world(tmp_path)


def take_in(
    here: World, persons: Rows = (ANN, BOB), claims: Rows = (), items: Rows = ()
) -> dict[str, TableReport]:
    for table, rows in ((PERSONS, persons), (CLAIMS, claims), (ITEMS, items)):
        here.write(table, rows)
    return {table.table: table for table in here.take_in(DATASET).report.tables}


def claim(
    number: object, person: object, amount: str = "1.00", day: str = "2024-02-01"
) -> tuple[object, ...]:
    return number, person, amount, day, "n"


def refusal(here: World, made: Dataset) -> IngestRefused:
    with pytest.raises(IngestRefused) as caught:
        here.take_in(made)
    return caught.value


# ---- keys


def test_a_key_shared_by_two_units_refuses_the_file(here: World) -> None:
    """Dropping either row would make one person's data depend on the other's presence."""
    with pytest.raises(IngestRefused) as caught:
        take_in(here, claims=[claim(10, 1), claim(11, 1), claim(10, 2)])
    assert caught.value.code is Code.KEY_SHARED
    assert caught.value.params == {"table": "claims", "columns": "claim_id"}
    assert not (here.output / "snapshot.duckdb").exists()


def test_a_key_repeated_within_a_unit_keeps_one_row(here: World) -> None:
    claims = [claim(10, 1, "1.00"), claim(10, 1, "2.00"), claim(10, 1, "2.00"), claim(11, 1)]
    report = take_in(here, claims=claims)["claims"]
    assert dict(report.dropped) == {Why.KEY_REPEATED: 2}
    assert here.rows("SELECT claim_id FROM claims ORDER BY 1") == [(10,), (11,)]


def test_a_key_of_a_row_that_is_dropped_anyway_clashes_with_nobody(here: World) -> None:
    report = take_in(here, claims=[claim(10, 1), claim(10, 2, "wrong"), claim(10, "")])["claims"]
    assert dict(report.dropped) == {Why.VALUE_WRONG: 1, Why.UNIT_MISSING: 1}
    assert (report.read, report.kept) == (3, 1)


def test_a_missing_key_is_dropped(here: World) -> None:
    report = take_in(here, claims=[claim("", 1), claim("", 2), claim(3, 2)])["claims"]
    assert (dict(report.dropped), report.kept) == ({Why.KEY_MISSING: 2}, 1)


def test_equal_rows_without_a_key_all_stay(here: World) -> None:
    report = take_in(here, claims=[claim(10, 1)], items=[(10, "a", "1"), (10, "a", "1")])
    assert report["items"].kept == 2


@pytest.mark.parametrize("rows", [[["a", "2024-01-01", "1"]] * 2, [["", "2024-01-01", "1"]]])
def test_a_public_key_is_unique_and_there(here: World, rows: Rows) -> None:
    here.write(PERSONS, [ANN])
    here.write(WEATHER, rows)
    found = refusal(here, dataset(PERSONS, WEATHER))
    expected = Code.PUBLIC_KEY_REPEATED if len(rows) == 2 else Code.PUBLIC_ROW_WRONG
    assert (found.code, found.params["table"]) == (expected, "weather")


# ---- units


def test_a_row_of_nobody_is_dropped_and_counted(here: World) -> None:
    report = take_in(here, persons=[ANN, ("", "nobody")], claims=[claim(10, ""), claim(11, 1)])
    assert dict(report["persons"].dropped) == {Why.KEY_MISSING: 1}
    assert dict(report["claims"].dropped) == {Why.UNIT_MISSING: 1}
    assert here.rows("SELECT count(*) FROM _ky_units") == [(1,)]


def test_items_follow_their_claim(here: World) -> None:
    claims = [claim(10, 1), claim(20, 2, day="1999-01-01")]
    items = [(10, "a", "1"), (20, "b", "1"), (30, "c", "1"), ("", "d", "1")]
    report = take_in(here, claims=claims, items=items)
    assert dict(report["claims"].dropped) == {Why.EPOCH_MISSING: 1}
    # One item's claim was dropped, one names a claim that nobody has, one names none.
    assert dict(report["items"].dropped) == {Why.UNIT_MISSING: 1, Why.PARENT_MISSING: 2}
    assert here.rows("SELECT drug, unit_key FROM items JOIN _ky_units ON code = _ky_unit") == [
        ("a", b"i1:1")
    ]


def test_a_unit_in_one_table_only_is_a_unit(here: World) -> None:
    report = take_in(here, persons=[ANN], claims=[claim(10, 77)])
    assert report["claims"].unresolved == (("person_id -> persons", 1),)
    assert report["claims"].kept == 1
    assert here.rows("SELECT unit_key, code FROM _ky_units ORDER BY code") == [
        (b"i1:1", 0),
        (b"i2:77", 1),
    ]


def test_more_units_than_declared_are_refused(here: World) -> None:
    here.write(PERSONS, [(i, "x") for i in range(5)])
    family = replace(DATASET.family, units_declared_max=5)
    here.take_in(replace(dataset(PERSONS), family=family))
    other = World(here.sources, here.output / "other")
    other.output.mkdir()
    found = refusal(other, replace(dataset(PERSONS), family=replace(family, units_declared_max=4)))
    assert (found.code, found.params) == (Code.UNITS_ABOVE_DECLARED, {"declared": "4"})


# ---- caps and epochs


@pytest.mark.parametrize(("rows", "kept"), [(2, 2), (3, 3), (4, 3), (500, 3)])
def test_a_unit_has_no_more_rows_than_declared(here: World, rows: int, kept: int) -> None:
    claims = [claim(100 + i, 1) for i in range(rows)] + [claim(9, 2)]
    report = take_in(here, claims=claims)["claims"]
    assert report.kept == kept + 1
    assert dict(report.dropped) == ({Why.ABOVE_CAP: rows - kept} if rows > kept else {})


def test_the_cap_drops_items_of_dropped_claims(here: World) -> None:
    claims = [claim(100 + i, 1) for i in range(6)]
    items = [(100 + i, "a", "1") for i in range(6)]
    report = take_in(here, claims=claims, items=items)["items"]
    assert dict(report.dropped) == {Why.PARENT_MISSING: 3, Why.ABOVE_CAP: 1}


@pytest.mark.parametrize(
    ("day", "kept"),
    [("2023-12-31", 0), ("2024-01-01", 1), ("2024-06-30", 1), ("2024-07-01", 0), ("", 0)],
)
def test_a_row_lies_in_a_declared_epoch(here: World, day: str, kept: int) -> None:
    report = take_in(here, claims=[claim(1, 1, day=day)])["claims"]
    assert (report.kept, dict(report.dropped)) == (kept, {} if kept else {Why.EPOCH_MISSING: 1})


def test_the_last_moment_of_an_epoch_is_in_it(here: World) -> None:
    table = replace(
        CLAIMS,
        columns=columns(claim_id="BIGINT", person_id="BIGINT", day="TIMESTAMP"),
        foreign_keys=(),
    )
    here.write(table, [(1, 1, "2024-06-30 23:59:59.999999"), (2, 1, "2024-07-01 00:00:00")])
    here.take_in(dataset(table))
    assert here.rows("SELECT claim_id FROM claims") == [(1,)]


# ---- foreign keys of public tables, and the declaration


def test_a_public_reference_leads_somewhere(here: World) -> None:
    region = replace(
        WEATHER,
        name="region",
        columns=columns(region="VARCHAR"),
        primary_key=("region",),
        source=replace(WEATHER.source, path="region.csv") if WEATHER.source else None,
    )
    weather = replace(WEATHER, foreign_keys=(ForeignKey(("region",), "region", ("region",)),))
    here.write(PERSONS, [ANN])
    here.write(region, [("a",)])
    here.write(weather, [("a", "2024-01-01", "1"), ("b", "2024-01-01", "1")])
    found = refusal(here, dataset(PERSONS, weather, region))
    assert (found.code, found.params) == (
        Code.PUBLIC_REFERENCE_BROKEN,
        {"table": "weather", "references": "region"},
    )


@pytest.mark.parametrize(
    "made",
    [
        dataset(replace(PERSONS, contribution=None)),
        dataset(replace(PERSONS, unit=None)),
        dataset(replace(CLAIMS, foreign_keys=()), replace(ITEMS, unit=CLAIMS.unit)),
        one(u="DOUBLE"),
        one(u="BIGINT", _ky_unit="BIGINT"),
        one(u="BIGINT", _KY_x="BIGINT"),
        dataset(replace(PERSONS, contribution=ContributionBound(1, 2, 1))),
    ],
)
def test_a_declaration_that_does_not_protect_is_refused_here_too(
    here: World, made: Dataset
) -> None:
    assert refusal(here, made).code is Code.DECLARATION_UNUSABLE


def test_a_table_without_a_source_is_refused(here: World) -> None:
    found = refusal(here, dataset(replace(PERSONS, source=None)))
    assert found.params == {"field": "tables.persons.source", "problem": "is missing"}
