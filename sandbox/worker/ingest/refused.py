"""Why a holder's files are not taken in. The words for each code are in the catalogue of messages."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The closed list of reasons; the code is the contract with clients."""

    REQUEST_INVALID = "ingest_request_invalid"
    DECLARATION_UNUSABLE = "ingest_declaration_unusable"
    SNAPSHOT_EXISTS = "ingest_snapshot_exists"
    RUNNING = "ingest_running"
    SOURCE_MISSING = "ingest_source_missing"
    SOURCE_UNREADABLE = "ingest_source_unreadable"
    SOURCE_UNFINISHED = "ingest_source_unfinished"
    SOURCE_NOT_UTF8 = "ingest_source_not_utf8"
    SOURCE_LINE_BROKEN = "ingest_source_line_broken"
    COLUMN_MISSING = "ingest_column_missing"
    COLUMN_NOT_DECLARED = "ingest_column_not_declared"
    COLUMN_REPEATED = "ingest_column_repeated"
    TYPE_UNSUPPORTED = "ingest_type_unsupported"
    PUBLIC_ROW_WRONG = "ingest_public_row_wrong"
    PUBLIC_KEY_REPEATED = "ingest_public_key_repeated"
    PUBLIC_REFERENCE_BROKEN = "ingest_public_reference_broken"
    KEY_SHARED = "ingest_key_shared"
    UNITS_ABOVE_DECLARED = "ingest_units_above_declared"
    FAILED = "ingest_failed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something is wrong. `number` is a line of a text file, else a row; never a value."""

    file: str
    counted_in: str
    number: int | None
    column: str | None


class IngestRefused(Exception):
    """Nothing was published. `params` are names from the declaration and the files' own headers.

    `places` say where rows are wrong. They depend on data: the holder's report shows them, the answer does not.
    """

    def __init__(self, code: Code, *, places: tuple[Place, ...] = (), **params: str) -> None:
        self.code = code
        self.places = places
        self.params = params
        told = "".join(f" {name}=`{value}`" for name, value in sorted(params.items()))
        super().__init__(code.value + told)
