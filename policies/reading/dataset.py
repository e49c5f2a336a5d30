"""Read a Dataset document field by field."""

import re

from policies.dataset import (
    Column,
    Dataset,
    Epoch,
    Family,
    ForeignKey,
    Grain,
    Holder,
    SizeClass,
    Source,
    SourceFormat,
    Table,
    UnitPath,
)
from policies.reading.nodes import Scalar
from policies.reading.reader import Reader
from policies.reading.report import Fields
from policies.terms import (
    DELTA_UNIT,
    NANO,
    Accountant,
    ContributionBound,
    PartyType,
    SqlType,
    TypeKind,
)

FIELDS: Fields = {
    "": ("apiVersion", "kind", "metadata", "family", "size_class", "tables"),
    "metadata": ("id", "holder", "version"),
    "metadata.holder": ("id", "type"),
    "family": (
        "id",
        "unit",
        "units_declared_max",
        "accountant",
        "loss_per_query_max",
        "lifetime",
        "delta_total",
    ),
    "tables.*": (
        "private",
        "source",
        "columns",
        "primary_key",
        "unit",
        "contribution",
        "foreign_keys",
        "epoch",
        "provenance",
    ),
    "tables.*.source": ("duckdb", "table"),
    "tables.*.unit": ("column", "via", "protected_path"),
    "tables.*.unit.via": ("column", "references"),
    "tables.*.contribution": ("rows_per_unit", "rows_per_group", "groups_per_unit"),
    "tables.*.foreign_keys[]": ("columns", "references", "to"),
    "tables.*.epoch": ("column", "grain", "from", "to"),
}

COUNT_MAX = 10**9
_DECIMAL = re.compile(r"DECIMAL\(([0-9]{1,2}), ?([0-9]{1,2})\)")
_GLOB = frozenset("*?[]{}\\:'\"\n")


def read_dataset(reader: Reader, digest: str) -> Dataset:
    """Build the Dataset; what only the whole document shows is left to `check_dataset`."""
    metadata = reader.section("metadata", _metadata)
    family = reader.section("family", _family)
    size_class = reader.choice("size_class", SizeClass)
    tables = reader.each("tables", _table)
    reader.close()
    dataset_id, version, holder = metadata
    return Dataset(dataset_id, version, holder, family, size_class, tables, digest)


def sql_type(text: str) -> SqlType | None:
    """Read a declared column type; anything else in a source is refused at ingest."""
    if match := _DECIMAL.fullmatch(text):
        precision, scale = int(match[1]), int(match[2])
        fits = 1 <= precision <= 38 and scale <= precision
        return SqlType(TypeKind.DECIMAL, precision, scale) if fits else None
    kinds = {kind.value: kind for kind in TypeKind if kind is not TypeKind.DECIMAL}
    return SqlType(kinds[text]) if text in kinds else None


def _metadata(reader: Reader) -> tuple[str, int, Holder]:
    dataset_id, version = reader.id("id"), reader.whole("version", 1, COUNT_MAX)
    holder = reader.section("holder", read_holder)
    reader.close()
    return dataset_id, version, holder


def read_holder(reader: Reader) -> Holder:
    """Read who holds the data."""
    holder = Holder(reader.id("id"), reader.choice("type", PartyType))
    reader.close()
    return holder


def _family(reader: Reader) -> Family:
    family = Family(
        id=reader.id("id"),
        unit=reader.id("unit"),
        units_declared_max=reader.whole("units_declared_max", 1, COUNT_MAX),
        accountant=reader.choice("accountant", Accountant),
        loss_per_query_max=reader.units("loss_per_query_max", NANO),
        lifetime=reader.units("lifetime", NANO),
        delta_total=reader.units("delta_total", DELTA_UNIT) if reader.has("delta_total") else 0,
    )
    reader.close()
    return family


def _table(name: str, reader: Reader) -> Table:
    table = Table(
        name=name,
        private=reader.truth("private", "say whether the rows belong to somebody"),
        columns=_columns(reader),
        primary_key=reader.texts("primary_key") if reader.has("primary_key") else (),
        unit=reader.optional("unit", _unit),
        contribution=reader.optional("contribution", _contribution),
        foreign_keys=reader.items("foreign_keys", _foreign_key)
        if reader.has("foreign_keys")
        else (),
        epoch=reader.optional("epoch", _epoch),
        provenance=reader.text("provenance") if reader.has("provenance") else None,
        source=_source(reader),
    )
    reader.close()
    return table


def _columns(reader: Reader) -> tuple[Column, ...]:
    columns = []
    for name, scalar in reader.named_scalars("columns"):
        kind = sql_type(scalar.text)
        if kind is None:
            known = ", ".join(kind.value for kind in TypeKind)
            problem = f"has the type `{scalar.text[:40]}`; write one of {known} (DECIMAL as DECIMAL(12,2))"
            reader.invalid_at(scalar.at, f"columns.{name}", problem)
        else:
            columns.append(Column(name, kind))
    return tuple(columns)


def _unit(reader: Reader) -> UnitPath:
    signed = reader.truth("protected_path") if reader.has("protected_path") else False
    if reader.has("via") == reader.has("column"):
        reader.missing("column", "name the unit's column, or the way to it under `via`, not both")
        reader.close()
    if reader.has("via"):
        via = reader.section("via", _via)
        reader.close()
        column, references = via
        return UnitPath(column, references, signed)
    unit = UnitPath(reader.text("column"), None, signed)
    reader.close()
    return unit


def _via(reader: Reader) -> tuple[str, str]:
    via = reader.text("column"), reader.text("references")
    reader.close()
    return via


def _contribution(reader: Reader) -> ContributionBound:
    rows = reader.whole("rows_per_unit", 1, COUNT_MAX)
    per_group = reader.whole("rows_per_group", 1, COUNT_MAX)
    groups = reader.whole("groups_per_unit", 1, COUNT_MAX)
    reader.close()
    return ContributionBound(rows, per_group, groups)


def _foreign_key(reader: Reader) -> ForeignKey:
    key = ForeignKey(reader.texts("columns"), reader.text("references"), reader.texts("to"))
    reader.close()
    return key


def _epoch(reader: Reader) -> Epoch:
    epoch = Epoch(
        reader.text("column"),
        reader.choice("grain", Grain),
        reader.label("from"),
        reader.label("to"),
    )
    reader.close()
    return epoch


def _source(reader: Reader) -> Source | None:
    if not reader.has("source"):
        return None
    if not isinstance(reader.raw("source"), Scalar):
        return reader.section("source", _duckdb)
    path = reader.text("source")
    kind = path.rpartition(".")[2]
    if kind not in (SourceFormat.CSV, SourceFormat.PARQUET):
        reader.invalid("source", "must end in .csv or .parquet, or be {duckdb: file, table: name}")
        return None
    return Source(SourceFormat(kind), _relative(reader, "source", path), None)


def _duckdb(reader: Reader) -> Source:
    path = _relative(reader, "duckdb", reader.text("duckdb"))
    source = Source(SourceFormat.DUCKDB, path, reader.name("table"))
    reader.close()
    return source


def _relative(reader: Reader, name: str, path: str) -> str:
    # The engine would follow `..`, absolute paths, patterns and URLs to files nobody declared.
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or _GLOB & set(path):
        reader.invalid(name, "must be one plain file inside the source folder")
    return path
