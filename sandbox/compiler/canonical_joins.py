"""Put a tree of inner joins in the one order of its tables' names, with each condition where it can first be decided."""

from dataclasses import replace
from itertools import groupby
from typing import Any

from sandbox.algebra import (
    Call,
    Column,
    Exists,
    Expr,
    Filter,
    Join,
    JoinType,
    Literal,
    Op,
    Relation,
    Scan,
    columns_of,
    walk,
)
from sandbox.boundary import Measurement
from sandbox.compiler.rewrite import rewritten
from sandbox.compiler.types import BOOLEAN


def in_order(measurement: Measurement) -> Measurement:
    """Return the same measurement over its tables by name; as it is, where it is more than inner joins of tables.

    A table that is joined to itself stays where it is: which of the two is which is said by their order alone.
    """
    names = [scan.table for scan in measurement.scans]
    parts = _parts(measurement.relation)
    if parts is None or len(set(names)) < len(names) or sorted(parts[0]) != list(range(len(names))):
        return measurement
    order = sorted(range(len(names)), key=lambda old: names[old])
    numbers = {old: new for new, old in enumerate(order)}
    conditions = tuple(_renumbered(part, numbers) for part in parts[1])
    moved = replace(
        measurement,
        scans=tuple(measurement.scans[old] for old in order),
        relation=_joined(len(names), conditions),
        unit=_renumbered(measurement.unit, numbers),
        keys=_renumbered(measurement.keys, numbers),
        moments=_renumbered(measurement.moments, numbers),
    )
    first = next(index for index, scan in enumerate(moved.scans) if scan.private)
    # Every private table is joined on the unit, so each of their unit columns holds the same.
    return replace(moved, unit=replace(moved.unit, scan=first))


def _parts(relation: Relation) -> tuple[list[int], list[Expr]] | None:
    """Return the scans and the conditions of inner joins and filters; None for anything else."""
    if isinstance(relation, Scan):
        return [relation.index], []
    if isinstance(relation, Filter):
        found = _parts(relation.input)
        return None if found is None else (found[0], [*found[1], *_conjuncts(relation.predicate)])
    if not isinstance(relation, Join) or relation.type is not JoinType.INNER:
        return None
    left, right = _parts(relation.left), _parts(relation.right)
    if left is None or right is None:
        return None
    return [*left[0], *right[0]], [*left[1], *right[1], *_conjuncts(relation.on)]


def _conjuncts(condition: Expr) -> tuple[Expr, ...]:
    if condition == Literal(BOOLEAN, True):
        return ()
    if isinstance(condition, Call) and condition.op is Op.AND:
        return condition.args
    return (condition,)


def _joined(scans: int, conditions: tuple[Expr, ...]) -> Relation:
    parts = [found for _, found in sorted({repr(part): part for part in conditions}.items())]
    links = [part for part in parts if _is_link(part)]
    rest = [part for part in parts if not _is_link(part)]
    by_last = {
        last: tuple(found) for last, found in groupby(sorted(links, key=_last_scan), key=_last_scan)
    }
    relation: Relation = Scan(0)
    for index in range(1, scans):
        on = _conjunction(by_last.get(index, ()))
        relation = Join(JoinType.INNER, relation, Scan(index), on)
    return Filter(relation, _conjunction(tuple(rest))) if rest else relation


def _is_link(condition: Expr) -> bool:
    """Tell whether a condition joins: an equality over more than one table. Everything else filters."""
    if not isinstance(condition, Call) or condition.op is not Op.EQ:
        return False
    if any(isinstance(node, Exists) for node in walk(condition)):
        return False
    return len({column.scan for column in columns_of(condition)}) > 1


def _last_scan(condition: Expr) -> int:
    return max(column.scan for column in columns_of(condition))


def _conjunction(parts: tuple[Expr, ...]) -> Expr:
    if not parts:
        return Literal(BOOLEAN, True)
    return parts[0] if len(parts) == 1 else Call(Op.AND, parts, BOOLEAN)


def _renumbered(value: Any, numbers: dict[int, int]) -> Any:
    def moved(node: Any) -> Any:
        if isinstance(node, Column) and node.scan in numbers:
            return replace(node, scan=numbers[node.scan])
        return node

    return rewritten(value, moved)
