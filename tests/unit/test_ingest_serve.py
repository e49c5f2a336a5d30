"""What leaves the ingest process, and the holder's tools around it: secret, schema, demo data."""

import hashlib
import json
import stat
from pathlib import Path

import duckdb
import pytest

from policies.catalogue import dataset_to_json
from policies.dataset import Column, ForeignKey
from policies.documents import load_dataset
from policies.reading.dataset import sql_type
from sandbox.worker.ingest.family_secret import family_secret
from sandbox.worker.ingest.generate import generate
from sandbox.worker.ingest.ingest import ingest
from sandbox.worker.ingest.schema import Unreadable, schema_of, written
from sandbox.worker.ingest.serve import serve_ingest
from tests.tidy import tree
from tests.unit.ingest_world import CLAIMS, PERSONS, SECRET, World, dataset, world

DATASET = dataset(PERSONS, CLAIMS)
SCRIPT = tree.ROOT / "keyong" / "demo" / "health.sql"


@pytest.fixture
def here(tmp_path: Path) -> World:
    made = world(tmp_path)
    made.write(PERSONS, [(5, "Eve"), (3, "Cy")])
    made.write(CLAIMS, [(i, 5, "7.25", "2024-02-01", "") for i in range(9)])
    return made


def request(document: str = dataset_to_json(DATASET).decode(), secret: str = SECRET.hex()) -> bytes:
    return json.dumps({"dataset": document, "secret": secret}).encode()


def answer(here: World, asked: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(serve_ingest(asked, here.sources, here.output))
    return found


# ---- the request and the answer


def test_the_answer_is_the_public_id(here: World) -> None:
    told = answer(here, request())
    catalogue = json.loads((here.output / "catalogue.json").read_bytes())
    assert told == {"ok": True, "snapshot": catalogue["snapshot_id"]}


def test_a_refusal_names_file_and_column_but_no_place_and_no_count(here: World) -> None:
    here.raw("persons.csv", b"person_id,name\n5,Eve\n3,Cy,secret\n")
    told = answer(here, request())
    assert told == {
        "ok": False,
        "code": "ingest_source_line_broken",
        "params": {"file": "persons.csv"},
    }
    assert here.report()["places"] == [{"file": "persons.csv", "line": 3}]


def test_the_answer_does_not_tell_whose_key_clashed(here: World) -> None:
    here.write(CLAIMS, [(777, 5, "1", "2024-02-01", ""), (777, 3, "1", "2024-02-01", "")])
    told = answer(here, request())
    params = {"table": "claims", "columns": "claim_id"}
    assert told == {"ok": False, "code": "ingest_key_shared", "params": params}


def test_an_unexpected_failure_is_one_constant(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the income of Eve is 0")

    monkeypatch.setattr("sandbox.worker.ingest.ingest.number_units", fail)
    assert answer(here, request()) == {"ok": False, "code": "ingest_failed", "params": {}}


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({"dataset": "{}", "secret": SECRET.hex(), "more": 1}).encode(),
        request(secret="00"),
        request(secret="no hex"),
        json.dumps({"dataset": 1, "secret": SECRET.hex()}).encode(),
        b" " * (5 << 20),
    ],
)
def test_what_is_no_request_is_refused(here: World, asked: bytes) -> None:
    told = answer(here, asked)
    assert (told["ok"], told["code"]) == (False, "ingest_request_invalid")
    assert list(here.output.iterdir()) == []


@pytest.mark.parametrize(
    "document",
    ["{}", "nothing", dataset_to_json(DATASET).decode().replace('"persons"', '"person"', 1)],
)
def test_what_is_no_declaration_is_refused(here: World, document: str) -> None:
    told = answer(here, request(document))
    assert (told["ok"], told["code"]) == (False, "ingest_declaration_unusable")


# ---- the secret


def test_a_secret_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "family.secret"
    first = family_secret(path)
    assert (len(first), stat.S_IMODE(path.stat().st_mode)) == (32, 0o600)
    assert family_secret(path) == first != family_secret(tmp_path / "other.secret")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["family.secret", "other.secret"]


def test_a_secret_that_others_read_or_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "family.secret"
    family_secret(path)
    path.chmod(0o640)
    with pytest.raises(PermissionError, match="set its mode to 0600"):
        family_secret(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="5 bytes, not 32"):
        family_secret(path)


# ---- the schema of a file


def test_a_schema_is_names_types_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute(
            "CREATE TABLE persons (id INTEGER PRIMARY KEY, sex ENUM('secret'), seen TIMESTAMPTZ)"
        )
        made.execute("INSERT INTO persons VALUES (424242, 'secret', NULL)")
        made.execute(
            "CREATE TABLE claims (n UBIGINT, p INTEGER REFERENCES persons (id), a DECIMAL(12,2), "
            "tags VARCHAR[], PRIMARY KEY (p, n))"
        )
        made.execute("CREATE VIEW looking AS SELECT * FROM persons")
    before = path.read_bytes()
    claims, persons = schema_of(path)
    assert (claims.name, persons.name) == ("claims", "persons")
    assert claims.columns == (
        column("n", "HUGEINT"),
        column("p", "INTEGER"),
        column("a", "DECIMAL(12,2)"),
    )
    assert claims.unreadable == (Unreadable("tags", "LIST"),)
    assert claims.primary_key == ("p", "n")
    assert claims.foreign_keys == (ForeignKey(("p",), "persons", ("id",)),)
    assert persons.columns == (column("id", "INTEGER"), column("sex", "VARCHAR"))
    assert persons.unreadable == (Unreadable("seen", "TIMESTAMP WITH TIME ZONE"),)
    assert not [word for word in (b"secret", b"424242") if word in written((claims, persons))]
    assert path.read_bytes() == before


def column(name: str, kind: str) -> Column:
    declared = sql_type(kind)
    assert declared is not None
    return Column(name, declared)


# ---- the demo's raw data


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    generate(SCRIPT, folder, 2000)
    return folder


def test_the_demo_is_the_same_on_every_run(demo: Path, tmp_path: Path) -> None:
    for path in generate(SCRIPT, tmp_path, 2000):
        again, first = path.read_bytes(), (demo / path.name).read_bytes()
        assert hashlib.sha256(again).digest() == hashlib.sha256(first).digest()


def test_the_demo_grows_by_adding_people(demo: Path, tmp_path: Path) -> None:
    """A larger demo holds the smaller one, so numbers told about one can be found again in the other."""
    generate(SCRIPT, tmp_path, 500)
    small = (tmp_path / "persons.csv").read_bytes()
    assert (demo / "persons.csv").read_bytes().startswith(small)


def test_the_demo_is_dirty_skewed_and_taken_in(demo: Path, tmp_path: Path) -> None:
    document = tree.ROOT / "examples" / "health" / "dataset.yaml"
    declared = load_dataset(document.read_bytes(), document.name)
    result = ingest(declared, demo, tmp_path, SECRET)
    reports = {table.table: table for table in result.report.tables}
    assert {name: report.wrong_values for name, report in reports.items()} == dict.fromkeys(
        reports, ()
    )
    assert reports["persons"].kept == result.report.units == 2000
    assert reports["claims"].read > 8 * 2000
    assert [why.value for why, _ in reports["claims"].dropped] == ["above_cap"]
    with duckdb.connect() as connection:
        missing = connection.execute(
            f"SELECT count(*) - count(region), count(*) - count(income) FROM '{demo / 'persons.csv'}'"
        ).fetchall()[0]
        heaviest = connection.execute(
            f"SELECT max(n) FROM (SELECT count(*) n FROM '{demo / 'claims.csv'}' GROUP BY person_id)"
        ).fetchall()[0][0]
    assert min(missing) > 0
    assert heaviest > 800
    assert len(result.catalogue.public_domains["weather.region"]) == 14
