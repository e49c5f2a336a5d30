"""Read a file of public facts: bounds and domains of columns, for a draft to build on.

{"bounds": {"table.column": [low, high]}, "domains": {"table.column": [value, …]}}
"""

from policies.access.model import Domain
from policies.drafting.schema import PublicFacts
from policies.reading.columns import read_bounds, read_domain
from policies.reading.nodes import Mapping, Node
from policies.reading.parse import load_yaml
from policies.reading.reader import Reader
from policies.reading.report import Abandoned, Fields, Report
from policies.refusals import Position
from policies.terms import ValueBound

FIELDS: Fields = {
    "": ("bounds", "domains"),
    "facts": ("columns",),
    "facts.columns.*": ("bounds", "domain"),
    "facts.columns.*.domain": ("range", "ref"),
}
_ONE_COLUMN = {"bounds": "bounds", "domains": "domain"}


def load_public_facts(text: str | bytes, path: str) -> PublicFacts:
    """Read public facts from JSON or YAML.

    Refuses  a name that is not `table.column`, and an interval or a list that is none, each with its place.
    """
    report = Report(path, FIELDS)
    entries: tuple[tuple[str, ValueBound | None, Domain | None], ...] = ()
    try:
        document = load_yaml(text, path)
        Reader(report, document, (), "").close()
        reader = Reader(report, _by_column(document), (), "facts")
        entries = reader.each("columns", _column)
        reader.close()
    except Abandoned:
        report.raise_first()
    return PublicFacts(
        bounds={name: bounds for name, bounds, _ in entries if bounds is not None},
        domains={name: domain for name, _, domain in entries if domain is not None},
    )


def _by_column(document: Node) -> Node:
    """Turn facts by kind into facts by column, each node with its own place."""
    if not isinstance(document, Mapping):
        return document
    facts: dict[str, dict[str, Node]] = {}
    places: dict[str, Position] = {}
    for kind, section in document.entries.items():
        if not isinstance(section, Mapping):
            return section
        for name, node in section.entries.items():
            facts.setdefault(name, {})[_ONE_COLUMN[kind]] = node
            places.setdefault(name, section.keys_at[name])
    columns: dict[str, Node] = {
        name: Mapping(found, dict.fromkeys(found, places[name]), places[name])
        for name, found in facts.items()
    }
    listed = Mapping(columns, places, document.at)
    return Mapping({"columns": listed}, {"columns": document.at}, document.at)


def _column(name: str, reader: Reader) -> tuple[str, ValueBound | None, Domain | None]:
    table, _, column = name.partition(".")
    if not table or not column:
        reader.invalid("columns", "must name columns as table.column")
    bounds = read_bounds(reader) if reader.has("bounds") else None
    domain = read_domain(reader) if reader.has("domain") else None
    reader.close()
    return name, bounds, domain
