"""Relations by hand: two private tables and two public ones, and small expressions over them."""

from collections.abc import Iterable, Mapping

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


def measured(relation: Relation, unit: int, scans: tuple[TableScan, ...] = SCANS) -> Measurement:
    """Return the measurement of a relation's rows, without keys and moments: enough for the proof."""
    return Measurement(scans, relation, unit_of(unit), (), 1, (), (), None)


def scanned(relation: Relation) -> tuple[int, ...]:
    """Return the scans that a relation reads, those inside EXISTS included."""
    return tuple(r.index for r in relations(relation) if isinstance(r, Scan))


def prove(relation: Relation, unit: int) -> None:
    """Prove a relation over the scans of this world, or raise. Scans that it does not read are dropped from the end."""
    used = scanned(relation)
    read = tuple(
        scan if index in used else TableScan(f"{scan.table}_unread", False, ())
        for index, scan in enumerate(SCANS)
    )
    unread = (Scan(index) for index in range(len(SCANS)) if index not in used)
    for scan in unread:  # a plan reads each of its tables: a public product changes no unit
        relation = inner(relation, scan)
    check_unit_flow(measured(relation, unit, read))
