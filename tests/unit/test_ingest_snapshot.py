"""The files that ingest leaves, what they say and to whom, and what a killed ingest leaves: nothing."""

import hashlib
import json
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from policies.catalogue import from_json
from policies.terms import Accountant
from sandbox.worker.ingest.commitment import _parts, content_hash, snapshot_id
from sandbox.worker.ingest.refused import Code, IngestRefused
from tests.unit import ingest_world
from tests.unit.ingest_world import CLAIMS, ITEMS, PERSONS, SECRET, WEATHER, World, dataset, world

DATASET = dataset(PERSONS, CLAIMS, ITEMS, WEATHER)
FILES = ["catalogue.json", "commitment.json", "report.json", "snapshot.duckdb"]


@pytest.fixture
def here(tmp_path: Path) -> World:
    return filled(world(tmp_path))


def filled(made: World) -> World:
    made.write(PERSONS, [(5, "Eve"), (3, "Cy"), (12, "Dan")])
    made.write(CLAIMS, [(i, (5, 3, 12)[i % 3], "7.25", "2024-02-01", "") for i in range(20)])
    made.write(ITEMS, [(0, "a", "0.1"), (1, "b", "")])
    made.write(WEATHER, [("长沙", "2024-01-01", "0.5"), ("株洲", "2024-01-02", "")])
    return made


def meta(made: World) -> dict[object, object]:
    return {name: value for name, value in made.rows("SELECT name, value FROM _ky_meta")}


def test_the_snapshot_is_as_the_query_worker_expects(here: World) -> None:
    made = here.take_in(DATASET)
    types = {
        (table, column): kind
        for table, column, kind in here.rows(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        )
    }
    declared = {
        (table.name, column.name): str(column.type)
        for table in DATASET.tables
        for column in table.columns
    }
    own = {(table.name, "_ky_unit"): "INTEGER" for table in DATASET.tables if table.private}
    node = {
        ("_ky_units", "code"): "INTEGER",
        ("_ky_units", "unit_key"): "BLOB",
        ("_ky_meta", "name"): "VARCHAR",
        ("_ky_meta", "value"): "VARCHAR",
    }
    assert types == {**declared, **own, **node}
    assert meta(here) == {
        "format_version": "1",
        "dataset": "d",
        "dataset_digest": DATASET.digest,
        "snapshot": made.catalogue.snapshot_id,
        "family": "p",
        "accountant": "pure_eps",
        "loss_per_query_max": "2000000000",
        "delta_per_query_max": "0",
        "family_secret": SECRET.hex(),
    }
    units = here.rows("SELECT code, unit_key FROM _ky_units ORDER BY code")
    assert units == [(0, b"i1:3"), (1, b"i1:5"), (2, b"i2:12")]
    nullable = "SELECT bool_or(is_nullable) FROM duckdb_columns() WHERE column_name LIKE '\\_ky%' ESCAPE '\\'"
    assert here.rows(nullable) == [(False,)]


def test_rows_lie_sorted_by_unit(here: World) -> None:
    here.take_in(DATASET)
    rows = here.rows("SELECT _ky_unit, claim_id FROM claims")
    assert rows == sorted(rows)


def test_four_files_and_their_readers(here: World) -> None:
    here.take_in(DATASET)
    assert sorted(path.name for path in here.output.iterdir()) == FILES
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in here.output.iterdir()}
    assert modes == dict(zip(FILES, (0o444, 0o400, 0o400, 0o444), strict=True))


def test_the_catalogue_tells_public_values_and_no_private_one(here: World) -> None:
    made = here.take_in(DATASET)
    content = (here.output / "catalogue.json").read_bytes()
    read = from_json(content)
    assert read == made.catalogue
    assert read.epochs == ("2024-Q1", "2024-Q2")
    assert set(read.public_domains) == {"weather.region", "weather.day"}
    assert read.public_domains["weather.region"] == ("株洲", "长沙")
    assert not [name for name in ("Eve", "Dan", "7.25", SECRET.hex()) if name.encode() in content]


def test_a_public_column_with_many_values_has_no_domain(here: World) -> None:
    here.write(WEATHER, [(f"r{i}", "2024-01-01", "1") for i in range(1001)])
    assert set(here.take_in(DATASET).catalogue.public_domains) == {"weather.day"}


def test_the_report_counts_and_tells_no_value(here: World) -> None:
    here.raw("persons.csv", b"person_id,name\n5,Eve\nsecret,Dan\n")
    here.take_in(DATASET)
    report = here.report()
    assert report["units"] == 3
    content = (here.output / "report.json").read_text(encoding="utf-8")
    assert not [word for word in ("Eve", "Dan", "secret", "7.25", "长沙") if word in content]


def test_the_holder_can_open_the_commitment(here: World) -> None:
    made = here.take_in(DATASET)
    opening = json.loads((here.output / "commitment.json").read_bytes())
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{here.output / 'snapshot.duckdb'}' AS s (READ_ONLY)")
        content = content_hash(connection, DATASET, "s")
    assert opening["content_hash"] == content
    assert snapshot_id(bytes.fromhex(opening["salt"]), content) == opening["snapshot_id"]
    assert opening["snapshot_id"] == made.catalogue.snapshot_id


def test_the_id_hides_the_content(here: World, tmp_path: Path) -> None:
    """Equal files have equal content and unlike ids, so an id confirms no guess; another value, another content."""
    again, changed = filled(world(tmp_path / "again")), filled(world(tmp_path / "changed"))
    changed.write(PERSONS, [(5, "Eva"), (3, "Cy"), (12, "Dan")])
    ids, contents = [], []
    for each in (here, again, changed):
        ids.append(each.take_in(DATASET).catalogue.snapshot_id)
        contents.append(json.loads((each.output / "commitment.json").read_bytes())["content_hash"])
    assert len(set(ids)) == 3
    assert contents[0] == contents[1] != contents[2]
    assert hashlib.sha256(bytes.fromhex(contents[0])).hexdigest() not in ids


def test_a_snapshot_is_never_replaced(here: World) -> None:
    here.take_in(DATASET)
    before = {path.name: path.read_bytes() for path in here.output.iterdir()}
    with pytest.raises(IngestRefused) as caught:
        here.take_in(DATASET)
    assert caught.value.code is Code.SNAPSHOT_EXISTS
    assert {path.name: path.read_bytes() for path in here.output.iterdir()} == before


def test_a_refused_file_can_be_mended_and_taken_in(here: World) -> None:
    here.raw("persons.csv", b"person_id\n5\n")
    with pytest.raises(IngestRefused):
        here.take_in(DATASET)
    assert [path.name for path in here.output.iterdir()] == ["report.json"]
    filled(here).take_in(DATASET)
    assert sorted(path.name for path in here.output.iterdir()) == FILES


CHILD = """
import os, signal, sys
from pathlib import Path
from sandbox.worker.ingest import ingest as module, snapshot
from tests.unit.ingest_world import World
from tests.unit.test_ingest_snapshot import DATASET

place, count = sys.argv[3], int(sys.argv[4])
home = {"rename": Path, "sync_file": module}.get(place, module)
real = getattr(home, place)

def deadly(*arguments):
    global count
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    count -= 1
    return real(*arguments)

setattr(home, place, deadly)
World(Path(sys.argv[1]), Path(sys.argv[2])).take_in(DATASET)
"""


@pytest.mark.parametrize(
    ("place", "count"),
    [
        ("write_tables", 0),
        ("close_snapshot", 0),
        ("rename", 0),
        ("rename", 3),
        ("sync_folder", 3),
    ],
)
def test_a_killed_ingest_leaves_no_half_snapshot(here: World, place: str, count: int) -> None:
    sources = {path.name: path.read_bytes() for path in here.sources.iterdir()}
    command = [sys.executable, "-c", CHILD, str(here.sources), str(here.output), place, str(count)]
    done = subprocess.run(
        command, cwd=Path(ingest_world.__file__).parents[2], timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert {path.name: path.read_bytes() for path in here.sources.iterdir()} == sources
    if (here.output / "snapshot.duckdb").exists():
        assert place == "sync_folder"
        assert set(FILES) <= {path.name for path in here.output.iterdir()}
        assert here.rows("SELECT count(*) FROM persons") == [(3,)]
    else:
        here.take_in(DATASET)
        assert sorted(path.name for path in here.output.iterdir()) == FILES


def test_two_ingests_do_not_meet_in_one_folder(here: World) -> None:
    folder = here.output / ".ingest"
    folder.mkdir()
    hold = (
        "import fcntl, sys\nlock = open(sys.argv[1], 'w')\n"
        "fcntl.lockf(lock, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(folder / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(IngestRefused) as caught:
            here.take_in(DATASET)
        assert caught.value.code is Code.RUNNING
        other.communicate(b"")
    here.take_in(DATASET)


def test_an_unexpected_failure_says_where_and_nothing_else(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("the income of Eve is 0")

    monkeypatch.setattr("sandbox.worker.ingest.ingest.number_units", fail)
    with pytest.raises(ZeroDivisionError):
        here.take_in(DATASET)
    assert [path.name for path in here.output.iterdir()] == ["report.json"]
    assert here.report()["failed"] == "ZeroDivisionError"
    assert "Eve" not in (here.output / "report.json").read_text(encoding="utf-8")


def test_zcdp_carries_its_delta(here: World) -> None:
    family = replace(DATASET.family, accountant=Accountant.APPROX_ZCDP, delta_total=10**9)
    here.take_in(replace(DATASET, family=family))
    rows = meta(here)
    assert (rows["accountant"], rows["delta_per_query_max"]) == ("approx_zcdp", "1000000000")


def test_the_content_hash_is_read_piece_by_piece_as_it_would_be_at_once() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT sha256(i::VARCHAR) AS h FROM range(150000) r(i)"
        )
        at_once = connection.execute(
            "SELECT substr(h, 1, 2) AS part, sha256(string_agg(h, '' ORDER BY h)) FROM t GROUP BY part ORDER BY part"
        ).fetchall()
        assert len(at_once) == 256
        assert list(_parts(connection.execute("SELECT h FROM t ORDER BY h"))) == at_once
        assert list(_parts(connection.execute("SELECT h FROM t WHERE false"))) == []
