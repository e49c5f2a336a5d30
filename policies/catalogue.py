"""What the gateway knows about a published snapshot: declarations, public domains, a commitment.

Ingest writes it beside the data and the gateway reads it outside, so the form is strict: one byte
string per value, and no field that could carry a measure of a private table.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from policies.check_dataset import check_dataset
from policies.dataset import Dataset
from policies.dataset_document import dataset_document
from policies.epochs import declared_epochs
from policies.reading.dataset import FIELDS, read_dataset
from policies.reading.nodes import from_plain
from policies.reading.reader import Reader
from policies.reading.report import Abandoned, Report
from policies.reading.values import SHA256
from policies.refusals import Refused, Stage
from policies.terms import Scalar, SqlType, TypeKind

FORMAT_VERSION = 1
BYTES_MAX = 16 << 20
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_PYTHON_TYPES: Mapping[TypeKind, type] = {
    TypeKind.BOOLEAN: bool,
    TypeKind.INTEGER: int,
    TypeKind.BIGINT: int,
    TypeKind.HUGEINT: int,
    TypeKind.DECIMAL: Decimal,
    TypeKind.DOUBLE: float,
    TypeKind.VARCHAR: str,
    TypeKind.DATE: date,
    TypeKind.TIMESTAMP: datetime,
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The public face of one snapshot; ingest writes it, the compiler plans by it.

    `public_domains` maps `table.column` of a PUBLIC table to its distinct values; a private table
    never appears here. `snapshot_id` is a hiding commitment in hex: a plain hash would confirm a
    guess at the data.
    """

    format_version: int
    dataset: Dataset
    snapshot_id: str
    public_domains: Mapping[str, tuple[Scalar, ...]]
    epochs: tuple[str, ...]


def to_json(catalogue: Catalogue) -> bytes:
    """Write a catalogue in its one form: names in this order, tables and columns as declared."""
    domains = [
        {"column": name, "values": [encode(value) for value in values]}
        for name, values in sorted(catalogue.public_domains.items())
    ]
    return canonical(
        {
            "format_version": catalogue.format_version,
            "kind": "Catalogue",
            "dataset": dataset_document(catalogue.dataset),
            "digest": catalogue.dataset.digest,
            "snapshot_id": catalogue.snapshot_id,
            "public_domains": domains,
            "epochs": list(catalogue.epochs),
        }
    )


def from_json(content: bytes) -> Catalogue:
    """Read a catalogue.

    Refuses  anything that `to_json` would not have written, byte by byte, and a domain of a private
             table: its values are what must not be told.
    """
    try:
        return _read(content)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
        raise _refused("is not as ingest writes it") from None


def dataset_to_json(dataset: Dataset) -> bytes:
    """Write a declaration canonically, to hand it to ingest, which has no YAML parser."""
    return canonical({"dataset": dataset_document(dataset), "digest": dataset.digest})


def dataset_from_json(content: bytes) -> Dataset:
    """Read a declaration that `dataset_to_json` wrote, and check it again."""
    try:
        plain = _loads(content)
        dataset = _dataset(plain["dataset"], plain["digest"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refused("is not a declaration") from None
    if dataset_to_json(dataset) != content:
        raise _refused("is not canonical")
    return dataset


def encode(value: Scalar) -> str:
    """Write a value with its type, so that no reader has to guess it."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool:true" if value else "bool:false"
        case int():
            return f"int:{value}"
        case float():
            return f"double:{value.hex()}"
        case Decimal():
            return f"decimal:{value:f}"
        case datetime():
            return f"timestamp:{value.isoformat()}"
        case date():
            return f"date:{value.isoformat()}"
        case str():
            return f"text:{value}"


def decode(text: str) -> Scalar:
    """Read a value that `encode` wrote."""
    kind, _, rest = text.partition(":")
    match kind:
        case "null":
            return None
        case "bool":
            return {"true": True, "false": False}[rest]
        case "int":
            return int(rest)
        case "double":
            return float.fromhex(rest)
        case "decimal":
            return Decimal(rest)
        case "timestamp":
            return datetime.fromisoformat(rest)
        case "date":
            return date.fromisoformat(rest)
        case "text":
            return rest
    raise ValueError("no such kind of value")


def canonical(value: object) -> bytes:
    """Write JSON without spaces, in the order given: the order of columns is part of a table."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def _read(content: bytes) -> Catalogue:
    plain = _loads(content)
    if plain["kind"] != "Catalogue" or plain["format_version"] != FORMAT_VERSION:
        raise _refused(f"is not of kind Catalogue, format {FORMAT_VERSION}")
    dataset = _dataset(plain["dataset"], plain["digest"])
    domains = {
        entry["column"]: tuple(decode(text) for text in entry["values"])
        for entry in plain["public_domains"]
    }
    for name, values in domains.items():
        _check_domain(dataset, name, values)
    catalogue = Catalogue(
        format_version=FORMAT_VERSION,
        dataset=dataset,
        snapshot_id=plain["snapshot_id"],
        public_domains=MappingProxyType(domains),
        epochs=tuple(plain["epochs"]),
    )
    if not _COMMITMENT.fullmatch(catalogue.snapshot_id):
        raise _refused("has no commitment of 64 hexadecimal digits")
    if not set(catalogue.epochs) <= set(declared_epochs(dataset)):
        raise _refused("names an epoch that the dataset does not declare")
    if to_json(catalogue) != content:
        raise _refused("is not canonical")
    return catalogue


def _loads(content: bytes) -> Any:
    if len(content) > BYTES_MAX:
        raise _refused(f"is larger than {BYTES_MAX} bytes")
    return json.loads(content.decode("utf-8"))


def _dataset(document: object, digest: object) -> Dataset:
    if not isinstance(digest, str) or not SHA256.fullmatch(digest):
        raise _refused("has no digest of its dataset")
    node = from_plain(document)
    report = Report("catalogue.json", FIELDS)
    try:
        dataset = read_dataset(Reader(report, node, (), ""), digest)
    except Abandoned:
        report.raise_first()
        raise _refused("holds no dataset") from None
    report.add_problems(check_dataset(dataset), node)
    report.raise_first()
    return dataset


def _check_domain(dataset: Dataset, name: str, values: tuple[Scalar, ...]) -> None:
    table_name, _, column_name = name.partition(".")
    table = dataset.table(table_name)
    column = table.column(column_name) if table else None
    if table is None or column is None or table.private:
        raise _refused(f"tells values of `{name}`, which is not a column of a public table")
    if len(set(values)) != len(values) or not all(_fits(value, column.type) for value in values):
        raise _refused(f"tells values of `{name}` twice or of another type")


def _fits(value: Scalar, kind: SqlType) -> bool:
    # Exactly the type: a bool is an int and a datetime is a date to `isinstance`.
    return type(value) is _PYTHON_TYPES[kind.kind]


def _refused(problem: str) -> Refused:
    return Refused(
        "document_field_invalid",
        Stage.DOCUMENT,
        path="catalogue.json",
        field="catalogue",
        problem=problem,
    )
