"""Compute what reads other rows inside the relation: what is measured then reads one row, as every proof about it says."""

from dataclasses import replace

from sandbox.algebra import Exists, walk
from sandbox.compiler.aggregates import ResolvedAggregate, moved, parts_of
from sandbox.compiler.derive import own, project
from sandbox.compiler.keyed import ResolvedKey
from sandbox.compiler.rows import Rows

Measurable = tuple[Rows, tuple[ResolvedKey, ...], tuple[ResolvedAggregate, ...]]


def with_exists_below(
    rows: Rows,
    keys: tuple[ResolvedKey, ...],
    aggregates: tuple[ResolvedAggregate, ...],
    number: int,
) -> Measurable:
    """Return the rows with every key and argument as a column of theirs, if one of them holds an EXISTS."""
    read = (*(k.expr for k in keys), *(e for a in aggregates for e in parts_of(a)))
    if not any(isinstance(part, Exists) for expr in read for part in walk(expr)):
        return rows, keys, aggregates
    columns = tuple(dict.fromkeys(read))
    place = {expr: own(number, index, expr) for index, expr in enumerate(columns)}
    below = project(number, rows, columns, (), rows.name)
    return (
        below,
        tuple(replace(key, expr=place[key.expr]) for key in keys),
        tuple(moved(found, place.__getitem__) for found in aggregates),
    )
