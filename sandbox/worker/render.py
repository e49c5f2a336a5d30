"""Relations and names as SQL text: declared names, quoted, and total conditions; nothing else of a plan becomes text."""

from sandbox.algebra import Column, Filter, GroupingRef, Join, KeyRef, Relation, Scan
from sandbox.boundary import TableScan
from sandbox.worker.scalars import Reference, Rendering
from sandbox.worker.sql_types import NotRenderable

_NAME_BYTES_MAX = 256


def quoted(name: str) -> str:
    """Return a declared name as an SQL identifier, whatever letters it has."""
    if not name or "\0" in name or len(name.encode()) > _NAME_BYTES_MAX:
        raise NotRenderable("a name has between 1 and 256 bytes and no NUL")
    return '"' + name.replace('"', '""') + '"'


def row_reference(reference: Reference) -> str:
    """Return how a row of the relation names a column."""
    if not isinstance(reference, Column):
        raise NotRenderable("below the release there are columns only")
    return f"t{reference.scan}.{quoted(reference.name)}"


def released_reference(reference: Reference) -> str:
    """Return how a released row names its keys and noisy aggregates: there is no column of a table above the noise."""
    if isinstance(reference, Column):
        raise NotRenderable("above the release there are keys and noisy aggregates only")
    if isinstance(reference, GroupingRef):
        highest = len(reference.keys) - 1
        bits = (f"r{key} * {1 << (highest - place)}" for place, key in enumerate(reference.keys))
        return f"CAST({' + '.join(bits)} AS BIGINT)"
    return f"k{reference.index}" if isinstance(reference, KeyRef) else f"a{reference.index}"


def render_relation(relation: Relation, scans: tuple[TableScan, ...], rendering: Rendering) -> str:
    """Return the rows of a relation, as the text after FROM.

    Filters move above the joins: all joins are inner and all predicates total, so the rows stay the same.
    """
    predicates: list[str] = []
    text = _tables(relation, scans, rendering, predicates)
    if predicates:
        text += " WHERE " + " AND ".join(predicates)
    return text


def _tables(
    relation: Relation, scans: tuple[TableScan, ...], rendering: Rendering, predicates: list[str]
) -> str:
    if isinstance(relation, Scan):
        return f"{quoted(scans[relation.index].table)} AS t{relation.index}"
    if isinstance(relation, Filter):
        predicates.append(rendering.render(relation.predicate))
        return _tables(relation.input, scans, rendering, predicates)
    if not isinstance(relation, Join):
        raise NotRenderable("a relation is a scan, a join or a filter")
    left = _tables(relation.left, scans, rendering, predicates)
    right = _tables(relation.right, scans, rendering, predicates)
    return f"({left} JOIN {right} ON {rendering.render(relation.on)})"
