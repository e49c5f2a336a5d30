"""Which epochs a query can touch, by its conditions alone. Each of them is charged the whole loss.

Narrowing is by top-level conjuncts of WHERE that compare an epoch column with a constant; a condition that is not
understood narrows nothing, so the charge can only be too high.
"""

from datetime import date, datetime

from policies.dataset import Epoch
from policies.epochs import days, labels
from policies.terms import TypeKind
from sandbox.algebra import Call, Column, Expr, Literal, Op
from sandbox.compiler.resolve import ResolvedQuery

ALWAYS = "always"  # tables without an epoch column share one account that never resets


def epochs_touched(query: ResolvedQuery) -> tuple[str, ...]:
    """Return the labels of all epochs whose rows the query may read, in order."""
    found: set[str] = set()
    for table in query.tables:
        if not table.table.private:
            continue
        epoch = table.table.epoch
        if epoch is None:
            found.add(ALWAYS)
            continue
        first, last = date.min, date.max
        for condition in query.where:
            low, high = _days(condition, table.index, epoch.column)
            first = first if low is None else max(first, low)
            last = last if high is None else min(last, high)
        inside = [name for name in labels(epoch) if _overlaps(epoch, name, first, last)]
        # an empty range still charges one epoch: the query does run
        found.update(inside or labels(epoch)[:1])
    return tuple(sorted(found))


def _overlaps(epoch: Epoch, name: str, first: date, last: date) -> bool:
    begins, ends = days(epoch.grain, name)
    return begins <= last and first <= ends


def _days(condition: Expr, scan: int, column: str) -> tuple[date | None, date | None]:
    if not (isinstance(condition, Call) and len(condition.args) == 2):
        return None, None
    left, right = condition.args
    op = condition.op
    if isinstance(left, Literal):
        left, right, op = right, left, _MIRROR.get(op, op)
    if not _is_epoch_column(left, scan, column) or not isinstance(right, Literal):
        return None, None
    day = right.value.date() if isinstance(right.value, datetime) else right.value
    if not isinstance(day, date):
        return None, None
    low = day if op in (Op.GE, Op.GT, Op.EQ) else None
    high = day if op in (Op.LE, Op.LT, Op.EQ) else None
    return low, high


def _is_epoch_column(expr: Expr, scan: int, column: str) -> bool:
    if isinstance(expr, Call) and expr.op is Op.CAST and expr.type.kind is TypeKind.TIMESTAMP:
        expr = expr.args[0]
    return isinstance(expr, Column) and expr.scan == scan and expr.name == column


_MIRROR = {Op.LT: Op.GT, Op.LE: Op.GE, Op.GT: Op.LT, Op.GE: Op.LE}
