"""Draft a policy and a declaration from a DuckDB file's schema: names, types and keys, never a value."""

from pathlib import Path

from policies.dataset import Source, SourceFormat
from policies.drafting.schema import PublicFacts, SchemaTable
from policies.infer import Inferred, infer
from policies.reading.facts import load_public_facts
from policies.refusals import Refused, Stage
from sandbox.worker.ingest.schema import TableSchema, schema_of


def infer_from(database: Path, unit: str, public: tuple[str, ...], facts: Path | None) -> Inferred:
    """Return two drafts for a holder to review.

    Refuses  a file that is no database, a unit that is no column of it, a file of facts with a fault.
    """
    if not database.is_file():
        raise Refused("document_not_found", Stage.DOCUMENT, path=str(database))
    try:
        found = schema_of(database)
    except Exception:
        # The engine's own words may quote the file; what it is not is all that is said.
        raise Refused(
            "document_field_invalid",
            Stage.DOCUMENT,
            path=database.name,
            field="--db",
            problem="is not a DuckDB file that can be opened; close whoever writes to it",
        ) from None
    known = PublicFacts({}, {}) if facts is None else load_public_facts(_read(facts), facts.name)
    schema = tuple(_table(table, database.name) for table in found)
    return infer(schema, unit, public, known)


def _table(table: TableSchema, file: str) -> SchemaTable:
    return SchemaTable(
        name=table.name,
        columns=tuple((column.name, str(column.type)) for column in table.columns),
        primary_key=table.primary_key,
        foreign_keys=table.foreign_keys,
        source=Source(SourceFormat.DUCKDB, file, table.name),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Refused("document_not_found", Stage.DOCUMENT, path=str(path)) from None
