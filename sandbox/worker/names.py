"""Names as SQL text: declared ones, quoted, and how rows above and below the release are referred to."""

from sandbox.algebra import Column, GroupingRef, KeyRef
from sandbox.worker.scalars import Reference
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
