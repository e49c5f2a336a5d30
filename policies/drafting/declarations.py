"""Draft what a dataset declares of each table."""

from policies.dataset_document import source_document
from policies.drafting.schema import SchemaTable, Sorted, columns_of, type_of
from policies.reading.render import Pointer

OWN_ROW = {"rows_per_unit": 1, "rows_per_group": 1, "groups_per_unit": 1}
GUESSED = {"rows_per_unit": 100, "rows_per_group": 20, "groups_per_unit": 20}


def contribution(found: Sorted, table: SchemaTable) -> dict[str, int]:
    """Return 1 where the unit is the primary key, and a guess to be reviewed elsewhere."""
    own = table.primary_key == (found.unit_ways[table.name],)
    return OWN_ROW if own else GUESSED


def draft_declarations(found: Sorted, remarks: dict[Pointer, str]) -> dict[str, object]:
    """Return the `tables` of a dataset and add what a reviewer must know to the remarks."""
    return {table.name: _table(found, table, remarks) for table in found.tables}


def _table(found: Sorted, table: SchemaTable, remarks: dict[Pointer, str]) -> dict[str, object]:
    way = found.unit_ways.get(table.name)
    at: Pointer = ("tables", table.name)
    columns = columns_of(table)
    written: dict[str, object] = {"private": way is not None}
    if table.source is not None:
        written["source"] = source_document(table.source)
    written["columns"] = {column.name: str(column.type) for column in columns}
    if table.primary_key and set(table.primary_key) <= {column.name for column in columns}:
        written["primary_key"] = list(table.primary_key)
    if way is None:
        written["provenance"] = "named public when this draft was made"
        remarks[(*at, "provenance")] = (
            "REVIEW: state the source, and that it is not computed from the private tables"
        )
        return written
    written["unit"] = {"column": way}
    written["contribution"] = dict(contribution(found, table))
    if written["contribution"] == GUESSED:
        remarks[(*at, "contribution")] = (
            "REVIEW: a declaration, not a measurement; rows beyond it are dropped at ingest"
        )
    if keys := _foreign_keys(found, table):
        written["foreign_keys"] = keys
    return written


def _foreign_keys(found: Sorted, table: SchemaTable) -> list[object]:
    """Keep the keys towards private tables: each may be a second way to somebody."""
    kept = {other.name: other for other in found.tables if other.name in found.unit_ways}
    return [
        {"columns": list(key.columns), "references": key.references, "to": list(key.to)}
        for key in table.foreign_keys
        if key.references in kept
        and key.to == kept[key.references].primary_key
        and all(
            type_of(table, own) == type_of(kept[key.references], theirs) is not None
            for own, theirs in zip(key.columns, key.to, strict=True)
        )
    ]
