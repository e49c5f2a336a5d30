"""Which epochs a query can touch, by its conditions alone. Each of them is charged the whole loss.

Narrowing is by top-level conjuncts of WHERE that compare an epoch column with a constant; a condition that is not
understood narrows nothing, so the charge can only be too high.
"""

from datetime import date, datetime

from policies.dataset import Epoch, Grain
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
        first, last = epoch.first, epoch.last
        for condition in query.where:
            low, high = _days(condition, table.index, epoch.column)
            if low is not None:
                first = max(first, label(low, epoch.grain))
            if high is not None:
                last = min(last, label(high, epoch.grain))
        found.update(_labels(epoch, first, last))
    return tuple(sorted(found))


def label(day: date, grain: Grain) -> str:
    """Return the epoch a day lies in: `2024`, `2024-Q1` or `2024-03`. Labels of one grain sort by time."""
    if grain is Grain.YEAR:
        return f"{day.year:04d}"
    if grain is Grain.QUARTER:
        return f"{day.year:04d}-Q{(day.month + 2) // 3}"
    return f"{day.year:04d}-{day.month:02d}"


def _labels(epoch: Epoch, first: str, last: str) -> list[str]:
    """List the labels from first to last. An empty range still charges one epoch: the query does run."""
    current = date(int(epoch.first[:4]), 1, 1)
    labels: list[str] = []
    while (name := label(current, epoch.grain)) <= epoch.last:
        if first <= name <= last and name >= epoch.first and name not in labels:
            labels.append(name)
        months = current.month
        current = date(current.year + months // 12, months % 12 + 1, 1)
    return labels or [epoch.first]


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
