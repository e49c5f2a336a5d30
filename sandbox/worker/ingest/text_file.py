"""Look into a text file with Python: its header, the line a record stands on, the first line that is broken.

DuckDB reads the rows; it counts records, quotes values in its messages, and says little about a broken file. So the places
that a person needs are found here, in a second reading, and only when something is wrong.
"""

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from sandbox.worker.ingest.refused import Code

# Looked up now: inside confinement there is no library left to load a codec from.
codecs.lookup("utf-8-sig")
csv.field_size_limit(1 << 30)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a text file as bytes, unpacked if it is a `.gz`."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def header(path: Path) -> tuple[str, ...]:
    """Return the names in the first line, none for an empty file. Raises UnicodeDecodeError or csv.Error."""
    with open_bytes(path) as file:
        return tuple(next(_records(file), ((), 0))[0])


def lines_of(path: Path, records: frozenset[int], columns: int) -> dict[int, int]:
    """Return the line on which each record begins; both are counted from 1, the records after the header."""
    found: dict[int, int] = {}
    with open_bytes(path) as file:
        number = -1
        end_before = 0
        for record, end in _records(file):
            # An empty line is no record, except in a file of one column, where it is a missing value.
            if record or columns == 1:
                number += 1
            if number in records and number not in found:
                found[number] = end_before + 1
                if len(found) == len(records):
                    break
            end_before = end
    return found


def first_fault(path: Path) -> tuple[Code, int | None]:
    """Return what is wrong with a file that the engine could not read, and the line if it can be told."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return Code.SOURCE_NOT_UTF8, number
    with open_bytes(path) as file:
        records = _records(file)
        end_before, width = 0, None
        try:
            for record, end in records:
                width = len(record) if width is None else width
                if len(record) != width and (record or width == 1):
                    return Code.SOURCE_LINE_BROKEN, end_before + 1
                end_before = end
        except csv.Error:
            return Code.SOURCE_LINE_BROKEN, end_before + 1
    return Code.SOURCE_LINE_BROKEN, None


def _records(file: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """Yield each record and the line it ends on, in the one dialect that is read (RFC 4180)."""
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(lines, strict=True)
    for record in reader:
        yield record, reader.line_num
