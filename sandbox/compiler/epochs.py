"""Which epochs a query can touch, by its conditions alone. Each of them is charged the whole loss.

Narrowing is by conjuncts that compare an epoch column with a constant and hold for every row the query takes from its table; a
condition that is not understood narrows nothing, so the charge can only be too high.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from policies.dataset import Epoch
from policies.epochs import days, labels
from policies.terms import Scalar, TypeKind
from sandbox.algebra import (
    Call,
    Column,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Literal,
    Op,
    Project,
    Relation,
    Scan,
    SetOperation,
    columns_of,
    exists_in,
    own_expressions,
)
from sandbox.compiler.conjunction import split_and
from sandbox.compiler.resolve import ResolvedQuery

ALWAYS = "always"  # tables without an epoch column share one account that never resets
Conditions = tuple[Expr, ...]


def epochs_touched(query: ResolvedQuery) -> tuple[str, ...]:
    """Return the labels of all epochs whose rows the query may read, in order."""
    found: set[str] = set()
    for scan, conditions in scans_under(query.relation, ()):
        table = query.tables[scan.index].table
        if not table.private:
            continue
        epoch = table.epoch
        if epoch is None:
            found.add(ALWAYS)
            continue
        column = next(
            Column(scan.index, c.name, c.type) for c in table.columns if c.name == epoch.column
        )
        first, last = date.min, date.max
        for condition in conditions:
            low, high = _days(condition, column)
            first = first if low is None else max(first, low)
            last = last if high is None else min(last, high)
        inside = [name for name in labels(epoch) if _overlaps(epoch, name, first, last)]
        # an empty range still charges one epoch: the query does run
        found.update(inside or labels(epoch)[:1])
    return tuple(sorted(found))


def scans_under(relation: Relation, conditions: Conditions) -> Iterator[tuple[Scan, Conditions]]:
    """Return each scan with conditions that hold for all rows taken from it.

    A row that fails one of them is in no way part of the outcome, so that its epoch is not touched.
    """
    for expr in own_expressions(relation):
        for part in exists_in(expr):
            yield from scans_under(part.relation, split_and(part.on))
    if isinstance(relation, Scan):
        yield relation, conditions
    elif isinstance(relation, Filter):
        yield from scans_under(relation.input, (*conditions, *split_and(relation.predicate)))
    elif isinstance(relation, Join):
        yield from _under_join(relation, conditions)
    elif isinstance(relation, SetOperation):
        for branch in (relation.left, relation.right):
            sides = zip(relation.left.columns, branch.columns, strict=True)
            names = {Column(relation.id, f"c{i}", a.type): b for i, (a, b) in enumerate(sides)}
            yield from scans_under(branch.input, _moved(conditions, names))
    elif isinstance(relation, Project | Group):
        yield from scans_under(relation.input, _moved(conditions, _passed(relation)))


def _passed(relation: Project | Group) -> dict[Column, Expr]:
    """Return the columns whose conditions may move below a derived relation."""
    if isinstance(relation, Group):
        return {Column(relation.id, f"k{i}", e.type): e for i, e in enumerate(relation.keys)}
    if relation.windows:
        return {}  # a window looks at rows that a filter above it drops
    return {Column(relation.id, f"c{i}", e.type): e for i, e in enumerate(relation.columns)}


def _under_join(join: Join, conditions: Conditions) -> Iterator[tuple[Scan, Conditions]]:
    on = split_and(join.on)
    if join.type is JoinType.INNER:
        yield from scans_under(join.left, (*conditions, *on))
        yield from scans_under(join.right, (*conditions, *on))
    elif join.type is JoinType.LEFT:
        yield from scans_under(join.left, conditions)
        yield from scans_under(join.right, on)
    else:
        yield from scans_under(join.left, ())
        yield from scans_under(join.right, ())


def _moved(conditions: Conditions, names: dict[Column, Expr]) -> Conditions:
    """Return the conditions that speak of bare columns of the relation below only, in its words."""
    found = []
    for condition in conditions:
        columns = columns_of(condition)
        if all(isinstance(names.get(column), Column) for column in columns):
            found.append(_put(condition, names))
    return tuple(found)


def _put(expr: Expr, names: dict[Column, Expr]) -> Expr:
    if isinstance(expr, Column):
        return names[expr]
    if isinstance(expr, Call):
        return Call(expr.op, tuple(_put(arg, names) for arg in expr.args), expr.type, expr.unit)
    return expr


def _overlaps(epoch: Epoch, name: str, first: date, last: date) -> bool:
    begins, ends = days(epoch.grain, name)
    return begins <= last and first <= ends


def _days(condition: Expr, column: Column) -> tuple[date | None, date | None]:
    if not (isinstance(condition, Call) and len(condition.args) == 2):
        return None, None
    left, right = condition.args
    op = condition.op
    if isinstance(left, Literal):
        left, right, op = right, left, _MIRROR.get(op, op)
    if not _is_epoch_column(left, column) or not isinstance(right, Literal):
        return None, None
    day = right.value.date() if isinstance(right.value, datetime) else right.value
    if not isinstance(day, date):
        return None, None
    low = day if op in (Op.GE, Op.GT, Op.EQ) else None
    high = day if op in (Op.LE, Op.LT, Op.EQ) else None
    # `day < '2024-01-01'` touches no day of 2024: a DATE is compared as a day, or as its first instant
    if (
        op is Op.LT
        and column.type.kind is TypeKind.DATE
        and _is_day(right.value)
        and day > date.min
    ):
        high = day - timedelta(days=1)
    return low, high


def _is_day(value: Scalar) -> bool:
    return not isinstance(value, datetime) or value.time() == time.min


def _is_epoch_column(expr: Expr, column: Column) -> bool:
    if isinstance(expr, Call) and expr.op is Op.CAST and expr.type.kind is TypeKind.TIMESTAMP:
        expr = expr.args[0]
    return expr == column


_MIRROR = {Op.LT: Op.GT, Op.LE: Op.GE, Op.GT: Op.LT, Op.GE: Op.LE}
