"""Prove that removing one privacy unit from the raw input removes exactly its rows from the relation, or refuse.

Statement   R(D) is the disjoint union over units u of R(D_u, Public), and no row has a NULL unit.
Reason      docs/proofs/bounded_aggregation.md, lemma 2: R is a selection from a product of registered tables, and the
            top-level conjuncts of its conditions join all private tables by equal units. Private is what the snapshot
            stores a unit in, whatever the plan says.
"""

from collections.abc import Iterator

from sandbox.algebra import (
    AggregateRef,
    Call,
    Column,
    Expr,
    Filter,
    GroupingRef,
    Join,
    JoinType,
    KeyRef,
    Op,
    Relation,
    Scan,
    walk,
)
from sandbox.boundary import UNIT_COLUMN, Measurement
from sandbox.worker.sql_types import INTEGER


class NotPrivate(ValueError):
    """The relation, or an expression over it, is not one that the proof covers."""


def check_unit_flow(measurement: Measurement) -> None:
    """Check the relation and its expressions, or raise NotPrivate."""
    scans = tuple(_scans(measurement.relation))
    if sorted(scans) != list(range(len(measurement.scans))):
        raise NotPrivate("each table of the plan is scanned once")
    joined: list[set[int]] = [{index} for index in scans]
    for condition in conditions(measurement.relation):
        for conjunct in _conjuncts(condition):
            pair = _unit_pair(conjunct)
            if pair is None:
                _check_expr(conjunct, measurement)
            else:
                joined = _unite(joined, pair)
    private = {index for index, scan in enumerate(measurement.scans) if scan.private}
    if measurement.unit != _unit_of(measurement.unit.scan) or measurement.unit.scan not in private:
        raise NotPrivate("the unit is the unit column of a private table")
    # Without equal units, one person's row would meet everybody's, and removing it would remove theirs.
    if not any(private <= block for block in joined):
        raise NotPrivate("private tables are joined by equal units")
    for key in measurement.keys:
        _check_expr(key.expr, measurement)
    for moment in measurement.moments:
        _check_expr(moment.value, measurement)


def _scans(relation: Relation) -> Iterator[int]:
    if isinstance(relation, Scan):
        yield relation.index
    elif isinstance(relation, Filter):
        yield from _scans(relation.input)
    elif isinstance(relation, Join) and relation.type is JoinType.INNER:
        yield from _scans(relation.left)
        yield from _scans(relation.right)
    else:
        raise NotPrivate("the proof covers scans, inner joins and filters")


def conditions(relation: Relation) -> Iterator[Expr]:
    """Return every condition of a relation: they all hold for each of its rows, as every join is inner."""
    if isinstance(relation, Filter):
        yield relation.predicate
        yield from conditions(relation.input)
    elif isinstance(relation, Join):
        yield relation.on
        yield from conditions(relation.left)
        yield from conditions(relation.right)


def _conjuncts(condition: Expr) -> Iterator[Expr]:
    if isinstance(condition, Call) and condition.op is Op.AND:
        for part in condition.args:
            yield from _conjuncts(part)
    else:
        yield condition


def _unit_of(scan: int) -> Column:
    return Column(scan, UNIT_COLUMN, INTEGER)


def _unit_pair(conjunct: Expr) -> tuple[int, int] | None:
    if not isinstance(conjunct, Call) or conjunct.op is not Op.EQ or len(conjunct.args) != 2:
        return None
    left, right = conjunct.args
    if not isinstance(left, Column) or not isinstance(right, Column):
        return None
    units = left == _unit_of(left.scan) and right == _unit_of(right.scan)
    return (left.scan, right.scan) if units else None


def _unite(blocks: list[set[int]], pair: tuple[int, int]) -> list[set[int]]:
    met = [block for block in blocks if block & set(pair)]
    return [block for block in blocks if not block & set(pair)] + [set().union(*met)]


def _check_expr(expr: Expr, measurement: Measurement) -> None:
    for node in walk(expr):
        if isinstance(node, KeyRef | AggregateRef | GroupingRef):
            raise NotPrivate("below the release there are no released values")
        # The unit code itself has no business in a value: it names a person and shifts with everyone's presence.
        if isinstance(node, Column) and not _is_declared(node, measurement):
            raise NotPrivate("an expression reads a column that its scan does not declare")


def _is_declared(column: Column, measurement: Measurement) -> bool:
    if not 0 <= column.scan < len(measurement.scans) or column.name == UNIT_COLUMN:
        return False
    columns = measurement.scans[column.scan].columns
    return any(found.name == column.name and found.type == column.type for found in columns)
