"""Read a text file with Python: its header, whether every record is whole, the line a record stands on.

DuckDB reads the values. It also reads more than it should: it drops empty fields at the end of a record that has too many, so
an unquoted comma in a name moves every value after it. And its messages quote values. So each file is first read here, by
the letter of the dialect, and lines are told from here.

Source  RFC 4180; a byte-order mark and lines without values are let pass.
"""

import codecs
import csv
import gzip
import io
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import IO, cast

# Looked up now: inside confinement there is no library left to load a codec from.
codecs.lookup("utf-8-sig")
csv.field_size_limit(1 << 30)


class NotUtf8(Exception):
    """The file is not UTF-8; `line` is the first line that is not."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(line)


class LineBroken(Exception):
    """A record has too few or too many fields, or a quote that does not end; `line` is where it begins."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(line)


def header(path: Path) -> tuple[str, ...]:
    """Return the names in the first line, none for an empty file."""
    with closing(_records(path)) as records:
        return tuple(next(records, ([], 0))[0])


def count_records(path: Path, columns: int) -> int:
    """Count the records after the header. Raises NotUtf8 or LineBroken for the first that is not whole."""
    count, end_before = -1, 0
    for record, end in _records(path):
        if len(record) == columns or (columns == 1 and not record):
            count += 1
        elif record:
            raise LineBroken(end_before + 1)
        end_before = end
    return count


def lines_of(path: Path, wanted: frozenset[int], columns: int) -> dict[int, int]:
    """Return the line on which each record begins; both are counted from 1, the records after the header."""
    found: dict[int, int] = {}
    number, end_before = -1, 0
    with closing(_records(path)) as records:
        for record, end in records:
            # An empty line is no record, except in a file of one column, where it is a missing value.
            if record or columns == 1:
                number += 1
                if number in wanted:
                    found[number] = end_before + 1
            if len(found) == len(wanted):
                break
            end_before = end
    return found


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _records(path: Path) -> Generator[tuple[list[str], int], None, None]:
    """Yield each record and the line it ends on."""
    end = 0
    with _opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            for record in reader:
                end = reader.line_num
                yield record, end
        except csv.Error:
            raise LineBroken(end + 1) from None
        except UnicodeDecodeError:
            raise NotUtf8(_first_not_utf8(path)) from None


def _first_not_utf8(path: Path) -> int:
    # No byte of a longer character looks like the end of a line, so lines can be judged one by one.
    with _opened(path) as file:
        return next(number for number, line in enumerate(file, start=1) if not _is_utf8(line))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
