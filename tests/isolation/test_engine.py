"""The engine's own settings, in a process without any wall: the second line must hold when tried alone."""

import shutil
from pathlib import Path

import duckdb
import pytest

from sandbox.worker.engine import CATALOGUE, EngineLimits, open_empty, open_snapshot

LIMITS = EngineLimits(memory_bytes=256 << 20, threads=2)

# {db} is the attached snapshot, {dir} its folder, {csv} another readable file there.
DOORS = {
    "read a file": "SELECT * FROM read_csv('{csv}')",
    "read a file by its name": "SELECT * FROM '{csv}'",
    "read text": "SELECT content FROM read_text('{csv}')",
    "read the raw snapshot": "SELECT size FROM read_blob('{db}')",
    "list a folder": "SELECT * FROM glob('{dir}/*')",
    "sniff": "SELECT * FROM sniff_csv('{csv}')",
    "write a file": "COPY (SELECT 1) TO '{dir}/new.csv'",
    "overwrite the snapshot": "COPY (SELECT 1) TO '{db}' (FORMAT csv, USE_TMP_FILE false)",
    "plant a write-ahead log": "COPY (SELECT 1) TO '{db}.wal' (FORMAT csv, USE_TMP_FILE false)",
    "export": "EXPORT DATABASE '{dir}/export'",
    "attach another database": "ATTACH '{other}' AS other; SELECT count(*) FROM other.t",
    "attach a new database": "ATTACH '{dir}/fresh.duckdb' AS fresh; CREATE TABLE fresh.t (i INT)",
    "log to a file": "SET log_query_path = '{dir}/log.txt'; SELECT 1",
    "profile to a file": (
        "SET enable_profiling = 'json'; SET profiling_output = '{dir}/profile.json'; SELECT 1"
    ),
    "spill elsewhere": "SET temp_directory = '{dir}/spill'",
    "more memory": "SET memory_limit = '64GB'",
    "more threads": "SET threads = 64",
    "another time zone": "SET TimeZone = 'Asia/Shanghai'",
    "another order": "SET default_null_order = 'NULLS_FIRST'",
    "a Python variable": "SELECT * FROM a_python_variable",
    "a known extension": "SET autoload_known_extensions = true",
}
# Refused by both: nothing an engine without a network can do shows their power here.
NEVER = {
    "a network file": "SELECT * FROM read_csv('https://localhost:1/x.csv')",
    "an unknown extension": "SET allow_community_extensions = true",
    "install": "INSTALL spatial",
    "load": "LOAD '{dir}/x.duckdb_extension'",
    "write the snapshot": "INSERT INTO t VALUES (2)",
    "unlock": "SET lock_configuration = false",
    "external access": "SET enable_external_access = true",
    "the file system again": "SET disabled_filesystems = ''",
}


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "domain"
    folder.mkdir()
    for name in ("snapshot", "other"):
        with duckdb.connect(str(folder / f"{name}.duckdb")) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS i, 2::DECIMAL(9,2) AS paid")
    (folder / "public.csv").write_text("a,b\n1,2\n")
    return {
        "db": str(folder / "snapshot.duckdb"),
        "dir": str(folder),
        "csv": str(folder / "public.csv"),
        "other": str(folder / "other.duckdb"),
    }


def opens(connection: duckdb.DuckDBPyConnection, door: str, files: dict[str, str]) -> bool:
    a_python_variable = connection.sql("SELECT 1 AS x")  # noqa: F841  # what DuckDB finds by name, if it looks
    try:
        for statement in door.format(**files).split("; "):
            connection.execute(statement)
            connection.fetchall()
    except duckdb.Error:
        return False
    return True


def listing(files: dict[str, str]) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in Path(files["dir"]).rglob("*") if f.is_file()}


@pytest.mark.parametrize("door", [*DOORS, *NEVER])
def test_a_door_is_shut(door, files):
    before = listing(files)
    connection = open_snapshot(files["db"], LIMITS)
    assert connection.execute("SELECT sum(paid) FROM t").fetchone() == (2,)
    assert not opens(connection, (DOORS | NEVER)[door], files)
    connection.close()
    assert listing(files) == before


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_open_without_us(door, files):
    """The negative twin: read-only attachment alone, as DuckDB comes out of its box."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{files['db']}' AS s (READ_ONLY)")
    connection.execute("USE s")
    assert opens(connection, DOORS[door], files)


def test_external_access_alone_would_leave_the_snapshot_open(files):
    """Why `disabled_filesystems` is there: without it a read-only snapshot is overwritten through its own allowance."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{files['db']}' AS s (READ_ONLY)")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    assert opens(connection, DOORS["overwrite the snapshot"], files)
    assert Path(files["db"]).stat().st_size < 100


def test_an_empty_engine_is_shut_too_and_still_makes_tables(files):
    connection = open_empty(LIMITS)
    connection.execute("CREATE TABLE made (i INTEGER)")
    connection.execute("INSERT INTO made VALUES (1), (NULL)")
    assert connection.execute("SELECT count(i), count(*) FROM made").fetchone() == (1, 2)
    for door in ("read a file", "write a file", "attach another database", "more memory"):
        assert not opens(connection, DOORS[door], files)


def test_what_an_answer_means_is_pinned(files):
    connection = open_snapshot(files["db"], LIMITS)
    settings = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    pinned = {
        "TimeZone": "UTC",
        "default_null_order": "NULLS_LAST",
        "default_collation": "",
        "async_threads": "0",
        "threads": "2",
        "memory_limit": "256.0 MiB",
        "temp_directory": "",
        "lock_configuration": "true",
        "enable_progress_bar": "false",
        "python_enable_replacements": "false",
    }
    assert {name: settings[name] for name in pinned} == pinned
    assert connection.execute("SELECT 1 // 0, 1 % 0, 7 / 2").fetchone() == (None, None, 3.5)
    assert connection.execute("SELECT current_database()").fetchone() == (CATALOGUE,)


def test_a_path_with_a_quote_is_refused():
    with pytest.raises(ValueError, match="quote"):
        open_snapshot("/data/x' AS y; ATTACH '/z", LIMITS)


def test_a_file_that_is_no_database_is_an_error(files, tmp_path):
    broken = tmp_path / "broken.duckdb"
    shutil.copy(files["csv"], broken)
    with pytest.raises(duckdb.Error):
        open_snapshot(str(broken), LIMITS)


def test_limits_are_positive():
    for wrong in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="memory and a thread"):
            EngineLimits(*wrong)
