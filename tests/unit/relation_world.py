"""Relations by hand: two private tables and two public ones, and small expressions over them."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from policies.terms import SqlType, TypeKind
from sandbox.algebra import (
    Aggregation,
    Branch,
    Call,
    Column,
    Expr,
    Group,
    Join,
    JoinType,
    Literal,
    Op,
    Project,
    Relation,
    Scan,
    relations,
)
from sandbox.boundary import Measurement, ScanColumn, TableScan
from sandbox.worker.proven import unit_of
from sandbox.worker.unit_flow import check_unit_flow

BOOLEAN, INTEGER, BIGINT, HUGEINT, DOUBLE, VARCHAR = (
    SqlType(TypeKind(name))
    for name in ("BOOLEAN", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "VARCHAR")
)
MONEY = SqlType(TypeKind.DECIMAL, 12, 2)
TRUE = Literal(BOOLEAN, True)
Node = TypeVar("Node")

# Two private tables of one family and two public ones, each under the number of its scan.
TABLES: Mapping[str, Mapping[str, SqlType]] = {
    "persons": {"age": INTEGER, "town": VARCHAR},
    "claims": {"age": INTEGER, "paid": MONEY, "risk": DOUBLE},
    "towns": {"town": VARCHAR, "size": INTEGER},
    "ages": {"age": INTEGER},
}
PRIVATE = ("persons", "claims")
P, C, T, A, P2, C2, T2 = 0, 1, 2, 3, 4, 5, 6
NAMES = ("persons", "claims", "towns", "ages", "persons", "claims", "towns")
SCANS = tuple(
    TableScan(name, name in PRIVATE, tuple(ScanColumn(*c) for c in TABLES[name].items()))
    for name in NAMES
)


def col(scan: int, name: str) -> Column:
    """Return a column of a scan."""
    return Column(scan, name, TABLES[NAMES[scan]][name])


def call(op: Op, *args: Expr, type_: SqlType = BOOLEAN) -> Call:
    return Call(op, args, type_)


def eq(left: Expr, right: Expr) -> Call:
    return call(Op.EQ, left, right)


def same(left: int, right: int) -> Call:
    """Return the equality of two units."""
    return eq(unit_of(left), unit_of(right))


def both(*conditions: Expr) -> Call:
    return call(Op.AND, *conditions)


def either(*conditions: Expr) -> Call:
    return call(Op.OR, *conditions)


def whole(value: int) -> Literal:
    return Literal(INTEGER, value)


def inner(left: Relation, right: Relation, on: Expr = TRUE) -> Join:
    return Join(JoinType.INNER, left, right, on)


def left(kept: Relation, other: Relation, on: Expr) -> Join:
    return Join(JoinType.LEFT, kept, other, on)


def full(first: Relation, second: Relation, on: Expr) -> Join:
    return Join(JoinType.FULL, first, second, on)


def project(number: int, below: Relation, units: Iterable[int], *columns: Expr) -> Project:
    return Project(number, below, tuple(map(unit_of, units)), columns, ())


def group(
    number: int,
    below: Relation,
    units: Iterable[int],
    keys: tuple[Expr, ...],
    *found: Aggregation,
) -> Group:
    return Group(number, below, tuple(map(unit_of, units)), keys, found)


def branch(below: Relation, units: Iterable[int], *columns: Expr) -> Branch:
    return Branch(below, tuple(map(unit_of, units)), columns)


def measured(relation: Relation, unit: int, scans: tuple[TableScan, ...]) -> Measurement:
    """Return the measurement of a relation's rows, without keys and moments: enough for the proof."""
    return Measurement(scans, relation, unit_of(unit), (), 1, (), (), None)


def scanned(relation: Relation) -> tuple[int, ...]:
    """Return the scans that a relation reads, those inside EXISTS included."""
    return tuple(r.index for r in relations(relation) if isinstance(r, Scan))


def renumbered(relation: Relation, unit: int) -> tuple[Relation, int, tuple[TableScan, ...]]:
    """Return the relation as a plan holds it: over its own scans only, numbered from 0; and the number of its unit."""
    used = sorted(set(scanned(relation)))
    numbers = {scan: index for index, scan in enumerate(used)}
    scans = tuple(SCANS[scan] for scan in used)
    return _renumbered(relation, numbers), numbers.get(unit, unit), scans


def _renumbered(node: Node, numbers: Mapping[int, int]) -> Node:
    if isinstance(node, Scan):
        return replace(node, index=numbers[node.index])
    if isinstance(node, Column):
        return replace(node, scan=numbers.get(node.scan, node.scan))
    if isinstance(node, tuple):
        return type(node)(_renumbered(part, numbers) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    values = {found.name: getattr(node, found.name) for found in fields(node)}
    return replace(node, **{name: _renumbered(value, numbers) for name, value in values.items()})


def prove(relation: Relation, unit: int) -> None:
    """Prove a relation, or raise."""
    found, number, scans = renumbered(relation, unit)
    check_unit_flow(measured(found, number, scans))
