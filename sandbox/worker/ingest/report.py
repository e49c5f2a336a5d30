"""What ingest did, for the holder alone: how many rows went where, and which places in which file are wrong.

No cell's value is written here either. A line, a column and the declared type are enough to mend a file, and a report
travels further than its author means.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from sandbox.worker.ingest.refused import IngestRefused, Place

REPORT_FORMAT = 1
PLACES_MAX = 1000  # named places in one table; more would be a second copy of the file


class Why(StrEnum):
    """Why a row of a private table is not in the snapshot. Each is decided by the rows of one unit alone."""

    VALUE_WRONG = "value_wrong"  # a value is not of the declared type
    KEY_MISSING = "key_missing"  # a column of the primary key is NULL
    UNIT_MISSING = "unit_missing"  # the unit's column is NULL: the row belongs to nobody
    EPOCH_MISSING = "epoch_missing"  # the row lies in none of the declared epochs
    PARENT_MISSING = "parent_missing"  # the row that leads on to the unit is not there
    KEY_REPEATED = "key_repeated"  # the unit has another row with the same primary key
    ABOVE_CAP = "above_cap"  # the unit has more rows than declared


@dataclass(frozen=True, slots=True)
class WrongValue:
    """A value that the declared type does not hold: where it stands, not what it is."""

    place: Place
    expected: str


@dataclass(frozen=True, slots=True)
class TableReport:
    """The rows of one table. `unresolved` counts rows that stay although a foreign key of theirs leads nowhere."""

    table: str
    read: int
    kept: int
    dropped: tuple[tuple[Why, int], ...]
    wrong_values: tuple[WrongValue, ...]
    unresolved: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The holder's account of one ingest."""

    dataset: str
    version: int
    snapshot_id: str
    units: int
    tables: tuple[TableReport, ...]


def written(report: IngestReport) -> bytes:
    """Write the report as JSON for people."""
    return _json(
        {
            "format_version": REPORT_FORMAT,
            "dataset": report.dataset,
            "version": report.version,
            "snapshot_id": report.snapshot_id,
            "units": report.units,
            "tables": {table.table: _table(table) for table in report.tables},
        }
    )


def written_refusal(refusal: IngestRefused) -> bytes:
    """Write why nothing was taken in, with the places."""
    return _json(
        {
            "format_version": REPORT_FORMAT,
            "refused": refusal.code.value,
            "params": refusal.params,
            "places": [_place(place) for place in refusal.places[:PLACES_MAX]],
        }
    )


def written_failure(error: BaseException) -> bytes:
    """Write that ingest itself failed, by the kind of error and its line in our code: its words may quote a cell."""
    trace = error.__traceback__
    at = ""
    while trace is not None:
        at = f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return _json({"format_version": REPORT_FORMAT, "failed": type(error).__name__, "at": at})


def _table(table: TableReport) -> dict[str, object]:
    return {
        "rows_read": table.read,
        "rows_kept": table.kept,
        "dropped": {why.value: rows for why, rows in table.dropped},
        "wrong_values": [
            {**_place(wrong.place), "expected": wrong.expected} for wrong in table.wrong_values
        ],
        "unresolved": dict(table.unresolved),
    }


def _place(place: Place) -> dict[str, object]:
    told: dict[str, object] = {"file": place.file, place.counted_in: place.number}
    if place.column is not None:
        told["column"] = place.column
    return told


def _json(content: dict[str, object]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
