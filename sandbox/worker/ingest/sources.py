"""Open a declared source as a relation with the declared columns, and refuse a file that is not what was declared."""

# ruff: noqa: S608  # SQL is composed of our own words and of declared names, each quoted by `names.quoted`

import codecs
import gzip
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import duckdb

from policies.dataset import Source, SourceFormat, Table
from sandbox.worker.ingest.exact import plain_kind, readable
from sandbox.worker.ingest.names import ROW, listed, quoted, text
from sandbox.worker.ingest.refused import Code, IngestRefused, Place
from sandbox.worker.ingest.text_file import LineBroken, NotUtf8, count_records, header

# The names inside a zip are in this code; inside confinement there is no library left to load it from.
codecs.lookup("cp437")

_RAW = "raw"
_ATTACHED = "source_file"
_UNPACKED = "unpacked.csv"
_PATTERN = frozenset("*?[")
_DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)

# The one dialect. Nothing is guessed: a guess depends on the rows. An empty field is NULL, "" is an empty text.
DIALECT = (
    "auto_detect=false, header=true, delim=',', quote='\"', escape='\"', strict_mode=true, "
    "encoding='utf-8', allow_quoted_nulls=false, hive_partitioning=false"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source as SQL: `relation` has the declared columns and `ROW`; `kinds` are the engine's types of them.

    `text_file` is the plain or gzipped text behind it, where records have lines; else None.
    """

    relation: str
    kinds: tuple[str, ...]
    counted_in: str
    text_file: Path | None


def open_source(
    connection: duckdb.DuckDBPyConnection, table: Table, sources: Path, folder: Path
) -> Opened:
    """Open the table's source. `folder` is where a packed file may be unpacked."""
    if table.source is None:
        raise IngestRefused(
            Code.DECLARATION_UNUSABLE, field=f"tables.{table.name}.source", problem="is missing"
        )
    path = _located(table.source, sources)
    if table.source.format is SourceFormat.CSV:
        return _open_text(connection, table, _unpacked(path, table.source, folder))
    if table.source.format is SourceFormat.PARQUET:
        return _open_parquet(connection, table, path)
    return _open_duckdb(connection, table, path)


def close_source(connection: duckdb.DuckDBPyConnection, opened: Opened) -> None:
    """Let go of the source, and remove what was unpacked or read in of it."""
    connection.execute(f"DROP TABLE IF EXISTS {_RAW}")
    if opened.counted_in == "row":
        connection.execute(f"DETACH DATABASE IF EXISTS {_ATTACHED}")
    if opened.text_file is not None and opened.text_file.name == _UNPACKED:
        opened.text_file.unlink()


def _located(source: Source, sources: Path) -> Path:
    """Return the file, or the packed copy of a text file that stands in its place."""
    root = sources.resolve()
    suffixes = ("", ".gz", ".zip") if source.format is SourceFormat.CSV else ("",)
    named = (root / (source.path + suffix) for suffix in suffixes)
    path = next((path.resolve() for path in named if path.exists()), root)
    # A link out of the folder would bring in a file that nobody declared, and so would a pattern, which the engine follows.
    if not path.is_relative_to(root) or not path.is_file() or _PATTERN & set(str(path)):
        raise IngestRefused(Code.SOURCE_MISSING, file=source.path)
    return path


def _unpacked(path: Path, source: Source, folder: Path) -> Path:
    if path.suffix != ".zip":
        return path
    target = folder / _UNPACKED
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise IngestRefused(Code.SOURCE_UNREADABLE, file=source.path)
            with archive.open(members[0]) as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
    except _DAMAGED:  # RuntimeError: a zip with a password, or packed in a way Python cannot read
        raise IngestRefused(Code.SOURCE_UNREADABLE, file=source.path) from None
    return target


def _open_text(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> Opened:
    file = _file(table)
    records = _examined(table, path)
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in header(path))
    read = f"read_csv([{text(str(path))}], columns={{{columns}}}, {DIALECT})"
    try:
        connection.execute(f"CREATE TABLE {_RAW} AS SELECT * FROM {read}")
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        raise IngestRefused(Code.SOURCE_UNREADABLE, file=file) from None
    (found,) = connection.execute(f"SELECT count(*) FROM {_RAW}").fetchall()[0]
    if found != records:
        raise IngestRefused(Code.SOURCE_UNREADABLE, file=file)
    # Rows are inserted in the order of the file, and nothing was deleted: rowid counts records.
    relation = f"(SELECT {_declared(table)}, rowid + 1 AS {ROW} FROM {_RAW})"
    return Opened(relation, ("VARCHAR",) * len(table.columns), "line", path)


def _examined(table: Table, path: Path) -> int:
    """Return how many records a text file has, after making sure that it has the declared columns in every line."""
    file = _file(table)
    try:
        names = header(path)
        _same_columns(table, names)
        return count_records(path, len(names))
    except NotUtf8 as fault:
        place = Place(file, "line", fault.line, None)
        raise IngestRefused(Code.SOURCE_NOT_UTF8, file=file, places=(place,)) from None
    except LineBroken as fault:
        place = Place(file, "line", fault.line, None)
        raise IngestRefused(Code.SOURCE_LINE_BROKEN, file=file, places=(place,)) from None
    except (*_DAMAGED, OSError):
        raise IngestRefused(Code.SOURCE_UNREADABLE, file=file) from None


def _open_parquet(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> Opened:
    read = f"read_parquet([{text(str(path))}], hive_partitioning=false)"
    try:
        found = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
    except duckdb.Error:
        raise IngestRefused(Code.SOURCE_UNREADABLE, file=_file(table)) from None
    kinds = _same_kinds(table, [(str(row[0]), str(row[1])) for row in found])
    relation = f"(SELECT {_declared(table)}, file_row_number + 1 AS {ROW} FROM {read})"
    return Opened(relation, kinds, "row", None)


def _open_duckdb(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> Opened:
    file = _file(table)
    if path.with_name(path.name + ".wal").exists():
        raise IngestRefused(Code.SOURCE_UNFINISHED, file=file)
    try:
        connection.execute(f"ATTACH {text(str(path))} AS {_ATTACHED} (READ_ONLY)")
    except duckdb.Error:
        raise IngestRefused(Code.SOURCE_UNREADABLE, file=file) from None
    name = table.source.table if table.source and table.source.table else ""
    # Tables only: a view is a program, and would run here.
    found = connection.execute(
        "SELECT c.column_name, c.data_type FROM duckdb_columns() c JOIN duckdb_tables() t "
        "USING (database_name, schema_name, table_name) WHERE database_name = ? "
        "AND schema_name = 'main' AND table_name = ? ORDER BY c.column_index",
        [_ATTACHED, name],
    ).fetchall()
    if not found:
        raise IngestRefused(Code.SOURCE_MISSING, file=f"{file} ({name})")
    kinds = _same_kinds(table, [(str(row[0]), str(row[1])) for row in found])
    origin = f"{_ATTACHED}.main.{quoted(name)}"
    relation = f"(SELECT {_declared(table)}, rowid + 1 AS {ROW} FROM {origin})"
    return Opened(relation, kinds, "row", None)


def _same_kinds(table: Table, found: list[tuple[str, str]]) -> tuple[str, ...]:
    _same_columns(table, tuple(name for name, _ in found))
    kinds = dict(found)
    for column in table.columns:
        if not readable(kinds[column.name], column.type):
            raise IngestRefused(
                Code.TYPE_UNSUPPORTED,
                file=_file(table),
                column=column.name,
                found=plain_kind(kinds[column.name]),
                declared=str(column.type),
            )
    return tuple(kinds[column.name] for column in table.columns)


def _same_columns(table: Table, names: tuple[str, ...]) -> None:
    file = _file(table)
    for name in names:
        # The engine folds case: it could not tell the two apart.
        if [other.casefold() for other in names].count(name.casefold()) > 1:
            raise IngestRefused(Code.COLUMN_REPEATED, file=file, column=name)
    for column in table.columns:
        if column.name not in names:
            raise IngestRefused(Code.COLUMN_MISSING, file=file, column=column.name)
    for name in names:
        if table.column(name) is None:
            raise IngestRefused(Code.COLUMN_NOT_DECLARED, file=file, column=name)


def _declared(table: Table) -> str:
    return listed(tuple(column.name for column in table.columns))


def _file(table: Table) -> str:
    return table.source.path if table.source else table.name
