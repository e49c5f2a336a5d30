"""Write a Dataset back as the document it was read from, for code that has no YAML parser."""

from policies.dataset import Dataset, Source, Table, UnitPath
from policies.terms import DELTA_UNIT, NANO


def dataset_document(dataset: Dataset) -> dict[str, object]:
    """Return JSON values that `read_dataset` reads as the same Dataset.

    Units  losses and deltas are decimal strings, counts are numbers, as holders write them.
    """
    family = dataset.family
    written: dict[str, object] = {
        "id": family.id,
        "unit": family.unit,
        "units_declared_max": family.units_declared_max,
        "accountant": family.accountant.value,
        "loss_per_query_max": decimal_units(family.loss_per_query_max, NANO),
        "lifetime": decimal_units(family.lifetime, NANO),
    }
    if family.delta_total:
        written["delta_total"] = decimal_units(family.delta_total, DELTA_UNIT)
    return {
        "apiVersion": "keyong/v1",
        "kind": "Dataset",
        "metadata": {
            "id": dataset.id,
            "version": dataset.version,
            "holder": {"id": dataset.holder.id, "type": dataset.holder.type.value},
        },
        "family": written,
        "size_class": dataset.size_class.value,
        "tables": {table.name: _table(table) for table in dataset.tables},
    }


def decimal_units(units: int, per_one: int) -> str:
    """Write whole units as the exact decimal they stand for."""
    sign, digits = ("-", -units) if units < 0 else ("", units)
    whole, part = divmod(digits, per_one)
    places = len(str(per_one)) - 1
    fraction = f"{part:0{places}d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _table(table: Table) -> dict[str, object]:
    written: dict[str, object] = {
        "private": table.private,
        "columns": {column.name: str(column.type) for column in table.columns},
    }
    if table.source is not None:
        written["source"] = source_document(table.source)
    if table.primary_key:
        written["primary_key"] = list(table.primary_key)
    if table.unit is not None:
        written["unit"] = _unit(table.unit)
    if table.contribution is not None:
        written["contribution"] = {
            "rows_per_unit": table.contribution.rows_per_unit_max,
            "rows_per_group": table.contribution.rows_per_group_max,
            "groups_per_unit": table.contribution.groups_per_unit_max,
        }
    if table.foreign_keys:
        written["foreign_keys"] = [
            {"columns": list(key.columns), "references": key.references, "to": list(key.to)}
            for key in table.foreign_keys
        ]
    if table.epoch is not None:
        written["epoch"] = {
            "column": table.epoch.column,
            "grain": table.epoch.grain.value,
            "from": table.epoch.first,
            "to": table.epoch.last,
        }
    if table.provenance is not None:
        written["provenance"] = table.provenance
    return written


def source_document(source: Source) -> object:
    """Write a source as a holder does: a file name, or a DuckDB file with its table."""
    if source.table is None:
        return source.path
    return {"duckdb": source.path, "table": source.table}


def _unit(unit: UnitPath) -> dict[str, object]:
    written: dict[str, object] = (
        {"column": unit.column}
        if unit.references is None
        else {"via": {"column": unit.column, "references": unit.references}}
    )
    if unit.protected_path:
        written["protected_path"] = True
    return written
