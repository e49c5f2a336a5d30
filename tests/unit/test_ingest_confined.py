"""Ingest in real confinement: no network, no other file, no library left to load, and still every kind of source."""

import gzip
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from policies.catalogue import dataset_to_json
from policies.dataset import Dataset, Source, SourceFormat, Table
from sandbox.channel import Limits, Role
from sandbox.runtimes.base import Completed, Folders, Unavailable
from sandbox.runtimes.namespace import namespace
from tests.unit.ingest_world import CLAIMS, ITEMS, PERSONS, SECRET, WEATHER, World, dataset, world

pytestmark = pytest.mark.isolation
LIMITS = Limits(memory_bytes=2 << 30, cpu_s=60, deadline_s=60.0, output_bytes_max=1 << 30)


@pytest.fixture
def here(tmp_path: Path) -> World:
    if isinstance(standing := namespace().probe(), Unavailable):
        pytest.skip(f"this machine cannot isolate a worker: {standing.reason}")
    return world(tmp_path)


def confined(here: World, made: Dataset) -> dict[str, object]:
    request = {"dataset": dataset_to_json(made).decode(), "secret": SECRET.hex()}
    folders = Folders(here.sources, here.output)
    outcome = namespace().run(Role.INGEST, json.dumps(request).encode(), folders, LIMITS)
    assert isinstance(outcome, Completed), outcome
    answer: dict[str, object] = json.loads(outcome.answer)
    return answer


def from_source(table: Table, source: Source) -> Table:
    return replace(table, source=source)


def test_every_kind_of_source_is_read_in_confinement(here: World) -> None:
    here.write(PERSONS, [(i, "王") for i in range(50)])
    packed = here.sources / "persons.csv.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("é.csv", (here.sources / "persons.csv").read_bytes())
    (here.sources / "persons.csv").unlink()
    here.write(WEATHER, [("长沙", "2024-01-01", "0.5")])
    weather = here.sources / "weather.csv"
    here.raw("weather.csv.gz", gzip.compress(weather.read_bytes()))
    weather.unlink()
    with duckdb.connect(str(here.sources / "s.duckdb")) as made:
        made.execute(
            "CREATE TABLE claims AS SELECT i AS claim_id, i % 50 AS person_id, i / 4 AS amount, "
            "DATE '2024-01-01' + (i % 200)::INTEGER AS day, 'n' AS note FROM range(3000) r(i)"
        )
        made.execute(
            "COPY (SELECT claim_id AS claim_ref, 'a' AS drug, 0.5 AS price FROM claims) "
            f"TO '{here.sources / 'items.parquet'}'"
        )
    claims = from_source(CLAIMS, Source(SourceFormat.DUCKDB, "s.duckdb", "claims"))
    items = from_source(ITEMS, Source(SourceFormat.PARQUET, "items.parquet", None))
    answer = confined(here, dataset(PERSONS, claims, items, WEATHER))
    assert answer["ok"] is True, (here.output / "report.json").read_text(encoding="utf-8")
    assert here.rows("SELECT count(*) FROM claims") == [(150,)]
    assert here.rows("SELECT count(*) FROM items") == [(100,)]
    assert sorted(path.name for path in here.output.iterdir()) == [
        "catalogue.json",
        "commitment.json",
        "report.json",
        "snapshot.duckdb",
    ]


def test_confinement_changes_no_row(here: World, tmp_path: Path) -> None:
    rows = [(i, i % 7, "1.00", "2024-02-01", "é") for i in range(200)] + [("x", 1, "y", "z", "")]
    free = world(tmp_path / "free")
    for each in (here, free):
        each.write(PERSONS, [(i, "a") for i in range(7)])
        each.write(CLAIMS, rows)
    made = dataset(PERSONS, CLAIMS)
    assert confined(here, made)["ok"] is True
    free.take_in(made)
    query = "SELECT * FROM claims"
    assert here.rows(query) == free.rows(query)
    assert {**here.report(), "snapshot_id": ""} == {**free.report(), "snapshot_id": ""}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"person_id,name\n1,\xff\n", "ingest_source_not_utf8"),
        (b'person_id,name\n1,"a\n', "ingest_source_line_broken"),
        (b"person_id,name\n1,a\n1,b\n", None),
    ],
)
def test_a_refusal_finds_its_words_in_confinement(
    here: World, content: bytes, code: str | None
) -> None:
    here.raw("persons.csv", content)
    answer = confined(here, dataset(PERSONS))
    assert answer.get("code") == code
    assert (here.output / "report.json").exists()
