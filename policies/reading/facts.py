"""Read a file of public facts: bounds and domains of columns, for a draft to build on."""

from policies.access.model import Domain
from policies.drafting.schema import PublicFacts
from policies.reading.columns import read_bounds, read_domain
from policies.reading.parse import load_yaml
from policies.reading.reader import Reader
from policies.reading.report import Abandoned, Fields, Report
from policies.terms import ValueBound

FIELDS: Fields = {
    "": ("columns",),
    "columns.*": ("bounds", "domain"),
    "columns.*.domain": ("range", "ref"),
}


def load_public_facts(text: str | bytes, path: str) -> PublicFacts:
    """Read `columns: {table.column: {bounds: [low, high], domain: ...}}`."""
    report = Report(path, FIELDS)
    entries: tuple[tuple[str, ValueBound | None, Domain | None], ...] = ()
    try:
        reader = Reader(report, load_yaml(text, path), (), "")
        entries = reader.each("columns", _column)
        reader.close()
    except Abandoned:
        report.raise_first()
    return PublicFacts(
        bounds={name: bounds for name, bounds, _ in entries if bounds is not None},
        domains={name: domain for name, _, domain in entries if domain is not None},
    )


def _column(name: str, reader: Reader) -> tuple[str, ValueBound | None, Domain | None]:
    table, _, column = name.partition(".")
    if not table or not column:
        reader.invalid("columns", "must name columns as table.column")
    bounds = read_bounds(reader) if reader.has("bounds") else None
    domain = read_domain(reader) if reader.has("domain") else None
    reader.close()
    return name, bounds, domain
