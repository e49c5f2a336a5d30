"""What a holder may hand in, and what is said about a file that is not what was declared."""

import gzip
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from policies.dataset import Dataset, Source, SourceFormat
from sandbox.worker.ingest.refused import Code, IngestRefused
from tests.unit.ingest_world import World, columns, dataset, one, rows_of, world

DATASET = one(u="BIGINT", v="VARCHAR")
GOOD = b"u,v\n1,a\n2,b\n"


@pytest.fixture
def here(tmp_path: Path) -> World:
    return world(tmp_path)


def values(here: World, query: str = "SELECT u, v FROM t ORDER BY ALL") -> list[tuple[object, ...]]:
    return here.rows(query)


def refusal(here: World, made: Dataset) -> IngestRefused:
    with pytest.raises(IngestRefused) as caught:
        here.take_in(made)
    assert not (here.output / "snapshot.duckdb").exists()
    assert not (here.output / ".ingest").exists()
    return caught.value


def from_source(made: Dataset, source: Source) -> Dataset:
    return replace(made, tables=(replace(made.tables[0], source=source),))


# ---- what is read


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        b"\xef\xbb\xbfu,v\r\n1,a\r\n2,b\r\n",  # a byte-order mark and Windows lines, as spreadsheets save
        b'"u","v"\n"1","a"\n"2","b"\n',
        b"v,u\na,1\nb,2",  # columns in another order, no newline at the end
        b"u,v\n1,a\n\n2,b\n\n",  # empty lines
        b"u,v\n 1 ,a\n 2,b\n",  # spaces around a number
    ],
)
def test_one_table_in_many_hands(here: World, content: bytes) -> None:
    here.raw("t.csv", content)
    here.take_in(DATASET)
    assert values(here) == [(1, "a"), (2, "b")]


def test_an_empty_field_is_null_and_an_empty_text_is_text(here: World) -> None:
    here.raw("t.csv", b'u,v\n1,\n2,""\n3," a "\n4,NA\n5,"x\ny,""z"\n')
    here.take_in(DATASET)
    assert values(here) == [(1, None), (2, ""), (3, " a "), (4, "NA"), (5, 'x\ny,"z')]


def test_text_is_composed_so_that_one_name_is_one_key(here: World) -> None:
    here.raw("t.csv", "u,v\nLe\u0301a,1\nL\u00e9a,2\n长沙,3\n".encode())
    here.take_in(one(u="VARCHAR", v="BIGINT"))
    assert values(
        here, "SELECT unit_key, v FROM t JOIN _ky_units ON code = _ky_unit ORDER BY v"
    ) == [
        ("t4:L\u00e9a".encode(), 1),
        ("t4:L\u00e9a".encode(), 2),
        ("t6:长沙".encode(), 3),
    ]


def test_unicode_names_of_tables_columns_and_files(here: World) -> None:
    table = replace(
        one(编号="BIGINT", 姓名="VARCHAR").tables[0],
        name="人员",
        source=Source(SourceFormat.CSV, "人员 表.csv", None),
    )
    here.raw("人员 表.csv", "编号,姓名\n1,王\n".encode())
    here.take_in(dataset(table))
    assert values(here, 'SELECT * FROM "人员"') == [(1, "王", 0)]


@pytest.mark.parametrize("content", [b"u,v\n", b"u,v"])
def test_an_empty_table_is_a_table(here: World, content: bytes) -> None:
    here.raw("t.csv", content)
    made = here.take_in(DATASET)
    assert (values(here), made.report.units) == ([], 0)


@pytest.mark.parametrize("packed", ["gz", "zip"])
def test_a_packed_copy_stands_for_the_file(here: World, packed: str) -> None:
    if packed == "gz":
        here.raw("t.csv.gz", gzip.compress(GOOD, mtime=0))
    else:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("数据.csv", GOOD)
        here.raw("t.csv.zip", memory.getvalue())
    here.take_in(DATASET)
    assert values(here) == [(1, "a"), (2, "b")]
    assert not (here.output / ".ingest").exists()


def test_parquet_and_duckdb_are_read_by_declared_type(here: World) -> None:
    parquet = from_source(
        one(u="BIGINT", v="DOUBLE"), Source(SourceFormat.PARQUET, "t.parquet", None)
    )
    with duckdb.connect(str(here.sources / "s.duckdb")) as made:
        made.execute("CREATE TABLE mine AS SELECT 7::UTINYINT AS u, 0.5::FLOAT AS v")
        made.execute(f"COPY mine TO '{here.sources / 't.parquet'}'")
    here.take_in(parquet)
    assert values(here) == [(7, 0.5)]
    other = World(here.sources, here.output / "other")
    other.output.mkdir()
    before = (here.sources / "s.duckdb").read_bytes()
    other.take_in(from_source(parquet, Source(SourceFormat.DUCKDB, "s.duckdb", "mine")))
    assert values(other) == [(7, 0.5)]
    assert (here.sources / "s.duckdb").read_bytes() == before


# ---- what is refused


@pytest.mark.parametrize(
    ("content", "code", "params"),
    [
        (b"u\n1\n", Code.COLUMN_MISSING, {"file": "t.csv", "column": "v"}),
        (b"u,v,w\n1,a,x\n", Code.COLUMN_NOT_DECLARED, {"file": "t.csv", "column": "w"}),
        (b"u,V\n1,a\n", Code.COLUMN_MISSING, {"file": "t.csv", "column": "v"}),
        (b"u,v,V\n1,a,b\n", Code.COLUMN_REPEATED, {"file": "t.csv", "column": "v"}),
        (b"", Code.COLUMN_MISSING, {"file": "t.csv", "column": "u"}),
        (b"\nu,v\n1,a\n", Code.COLUMN_MISSING, {"file": "t.csv", "column": "u"}),
        (b"u;v\n1;a\n", Code.COLUMN_MISSING, {"file": "t.csv", "column": "u"}),
    ],
)
def test_columns_are_those_declared(
    here: World, content: bytes, code: Code, params: dict[str, str]
) -> None:
    here.raw("t.csv", content)
    found = refusal(here, DATASET)
    assert (found.code, found.params) == (code, params)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"u,v\n1,a\n2,secret\xff\n", Code.SOURCE_NOT_UTF8, 3),
        (b"u,v\xff\n1,a\n", Code.SOURCE_NOT_UTF8, 1),
        (b"u,v\n1,a\n2,secret,x\n", Code.SOURCE_LINE_BROKEN, 3),
        (b'u,v\n1,"a\nb"\n2\n', Code.SOURCE_LINE_BROKEN, 4),
        (b'u,v\n1,"secret\n2,b\n', Code.SOURCE_LINE_BROKEN, 2),
        (b'u,v\n1,a\n2,"sec"ret\n', Code.SOURCE_LINE_BROKEN, 3),
        (b"u,v\n1,a,\n", Code.SOURCE_LINE_BROKEN, 2),  # the engine alone would drop the empty field
        (b"u,v\n1, Smith, \n", Code.SOURCE_LINE_BROKEN, 2),
        ("u,v\n1,a\n".encode("utf-16"), Code.SOURCE_NOT_UTF8, 1),
    ],
)
def test_a_broken_text_file_is_refused_with_its_line(
    here: World, content: bytes, code: Code, line: int | None
) -> None:
    here.raw("t.csv", content)
    found = refusal(here, DATASET)
    assert (found.code, found.params) == (code, {"file": "t.csv"})
    told = here.report()
    assert told["places"] == [{"file": "t.csv", "line": line}]
    assert "secret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("other.csv", GOOD, Code.SOURCE_MISSING),
        ("t.csv.gz", b"not gzip", Code.SOURCE_UNREADABLE),
        ("t.csv.gz", gzip.compress(GOOD * 1000, mtime=0)[:-20], Code.SOURCE_UNREADABLE),
        ("t.csv.zip", b"not zip", Code.SOURCE_UNREADABLE),
        ("t.csv", b"u,v\r\n1,a\n2,b\r\n", Code.SOURCE_UNREADABLE),  # two kinds of line ending
    ],
)
def test_a_file_that_is_not_there_or_not_whole(
    here: World, name: str, content: bytes, code: Code
) -> None:
    here.raw(name, content)
    found = refusal(here, DATASET)
    assert (found.code, found.params) == (code, {"file": "t.csv"})


def test_a_zip_of_two_files_is_refused(here: World) -> None:
    with zipfile.ZipFile(here.sources / "t.csv.zip", "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    assert refusal(here, DATASET).code is Code.SOURCE_UNREADABLE


def test_a_link_out_of_the_folder_is_not_followed(here: World, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").write_bytes(GOOD)
    (here.sources / "t.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert refusal(here, DATASET).code is Code.SOURCE_MISSING


@pytest.mark.parametrize(
    ("kind", "value", "declared", "told"),
    [
        ("BLOB", "'x'::BLOB", "VARCHAR", "BLOB"),
        ("INTEGER[]", "[1]", "VARCHAR", "LIST"),
        ("STRUCT(a INTEGER)", "{'a': 1}", "VARCHAR", "STRUCT"),
        ("TIMESTAMP WITH TIME ZONE", "now()", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
        ("TIME", "TIME '10:00:00'", "VARCHAR", "TIME"),
        ("INTERVAL", "INTERVAL 1 DAY", "VARCHAR", "INTERVAL"),
        ("INTEGER", "1", "VARCHAR", "INTEGER"),
        ("DATE", "DATE '2024-01-01'", "BIGINT", "DATE"),
        ("BOOLEAN", "true", "DOUBLE", "BOOLEAN"),
        ("ENUM('secret')", "'secret'", "BIGINT", None),
    ],
)
def test_a_type_that_cannot_hold_the_declared_one(
    here: World, kind: str, value: str, declared: str, told: str | None
) -> None:
    with duckdb.connect(str(here.sources / "s.duckdb")) as made:
        made.execute(f"CREATE TABLE mine AS SELECT 1 AS u, CAST({value} AS {kind}) AS v")
    source = Source(SourceFormat.DUCKDB, "s.duckdb", "mine")
    made_dataset = from_source(one(u="BIGINT", v=declared), source)
    if told is None:  # text is read by value, and this one is no number
        assert here.take_in(made_dataset).report.tables[0].kept == 0
        return
    found = refusal(here, made_dataset)
    assert found.code is Code.TYPE_UNSUPPORTED
    assert found.params == {"file": "s.duckdb", "column": "v", "found": told, "declared": declared}


def test_a_view_is_a_program_and_is_not_run(here: World) -> None:
    with duckdb.connect(str(here.sources / "s.duckdb")) as made:
        made.execute("CREATE VIEW mine AS SELECT 1 AS u, 'a' AS v")
    source = Source(SourceFormat.DUCKDB, "s.duckdb", "mine")
    found = refusal(here, from_source(DATASET, source))
    assert (found.code, found.params) == (Code.SOURCE_MISSING, {"file": "s.duckdb (mine)"})


def test_a_database_that_somebody_still_writes_is_refused(here: World) -> None:
    (here.sources / "s.duckdb.wal").touch()
    with duckdb.connect(str(here.sources / "s.duckdb")) as made:
        made.execute("CREATE TABLE mine AS SELECT 1 AS u, 'a' AS v")
    (here.sources / "s.duckdb.wal").touch()
    source = Source(SourceFormat.DUCKDB, "s.duckdb", "mine")
    assert refusal(here, from_source(DATASET, source)).code is Code.SOURCE_UNFINISHED


@pytest.mark.parametrize("kind", [SourceFormat.PARQUET, SourceFormat.DUCKDB])
def test_a_file_of_another_kind_is_refused(here: World, kind: SourceFormat) -> None:
    here.raw("t.bin", GOOD)
    found = refusal(here, from_source(DATASET, Source(kind, "t.bin", "mine")))
    assert (found.code, found.params) == (Code.SOURCE_UNREADABLE, {"file": "t.bin"})


# ---- wrong values


def test_a_wrong_value_is_named_by_line_and_column_but_never_told(here: World) -> None:
    here.raw(
        "t.csv",
        b'u,v,w\n1,2024-01-01,"a\nb"\nsecret1,2024-01-02,c\n\n3,secret2,d\nsecret3,secret4,e\n',
    )
    made = here.take_in(one(u="BIGINT", v="DATE", w="VARCHAR"))
    (table,) = made.report.tables
    assert [(w.place.number, w.place.column, w.expected) for w in table.wrong_values] == [
        (4, "u", "BIGINT"),
        (6, "v", "DATE"),
        (7, "u", "BIGINT"),
        (7, "v", "DATE"),
    ]
    assert dict(table.dropped) == {"value_wrong": 3}
    assert (table.read, table.kept) == (4, 1)
    written = (here.output / "report.json").read_text(encoding="utf-8")
    assert "secret" not in written
    assert json.loads(written)["tables"]["t"]["wrong_values"][0] == {
        "file": "t.csv",
        "line": 4,
        "column": "u",
        "expected": "BIGINT",
    }


def test_wrong_values_of_a_parquet_file_are_named_by_row(here: World) -> None:
    with duckdb.connect() as made_by:
        rows = "SELECT i AS u, i + 0.5 * (i % 2) AS v FROM range(4) r(i)"
        made_by.execute(f"COPY ({rows}) TO '{here.sources / 't.parquet'}'")
    source = Source(SourceFormat.PARQUET, "t.parquet", None)
    made = here.take_in(from_source(one(u="BIGINT", v="BIGINT"), source))
    (table,) = made.report.tables
    assert [(w.place.counted_in, w.place.number) for w in table.wrong_values] == [
        ("row", 2),
        ("row", 4),
    ]
    assert rows_of(here.output / "snapshot.duckdb", "SELECT v FROM t ORDER BY 1") == [(0,), (2,)]


def test_at_most_a_thousand_places_are_named(here: World) -> None:
    here.raw("t.csv", b"u,v\n" + b"x,a\n" * 1500)
    (table,) = here.take_in(DATASET).report.tables
    assert (len(table.wrong_values), dict(table.dropped)) == (1000, {"value_wrong": 1500})


def test_a_public_row_is_mended_not_dropped(here: World) -> None:
    hospital = replace(
        one(u="BIGINT").tables[0],
        name="hospital",
        private=False,
        columns=columns(code="VARCHAR", beds="BIGINT"),
        unit=None,
        contribution=None,
        provenance="published list",
        source=Source(SourceFormat.CSV, "hospital.csv", None),
    )
    here.raw("t.csv", b"u\n1\n")
    here.raw("hospital.csv", b"code,beds\nH1,10\nH2,many\n")
    found = refusal(here, dataset(one(u="BIGINT").tables[0], hospital))
    assert (found.code, found.params) == (Code.PUBLIC_ROW_WRONG, {"table": "hospital"})
    assert here.report()["places"] == [{"file": "hospital.csv", "line": 3, "column": "beds"}]
