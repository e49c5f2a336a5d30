"""What the query's own conditions say about a column: `WHERE income < 50000` bounds income as well as a declaration does.

Only conjuncts that hold for every row of the relation count. The outcome chooses the row clamp; it proves nothing and a condition
that is not understood narrows nothing.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite

from policies.terms import Scalar
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
    SetOperation,
    inputs,
    relations,
)
from sandbox.compiler.conjunction import split_and
from sandbox.compiler.intervals import EVERYTHING, Interval

_MIRROR = {Op.LT: Op.GT, Op.LE: Op.GE, Op.GT: Op.LT, Op.GE: Op.LE}


def certain(relation: Relation) -> Iterator[Expr]:
    """Return the conjuncts that hold for every row of a relation."""
    if isinstance(relation, Filter):
        yield from split_and(relation.predicate)
        yield from certain(relation.input)
    elif isinstance(relation, Join):
        if relation.type is JoinType.INNER:
            yield from split_and(relation.on)
            yield from certain(relation.right)
        if relation.type is not JoinType.FULL:
            yield from certain(relation.left)


def narrowed(relation: Relation) -> dict[Column, Interval]:
    """Return the intervals that conditions alone give to numeric columns.

    The columns below a derived relation are read nowhere else, so the conditions there hold wherever they are read.
    """
    found: dict[Column, Interval] = {}
    for part in (relation, *_below_derived(relation)):
        for condition in certain(part):
            for column, interval in _bounds(condition):
                found[column] = both(found.get(column, EVERYTHING), interval)
    return found


def _below_derived(relation: Relation) -> Iterator[Relation]:
    for node in relations(relation):
        if isinstance(node, Project | Group | SetOperation):
            yield from inputs(node)


def both(a: Interval, b: Interval) -> Interval:
    """Return the intersection of two intervals; of intervals that do not meet, the first."""
    lows = [low for low in (a.low, b.low) if low is not None]
    highs = [high for high in (a.high, b.high) if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    return Interval(low, high) if low is None or high is None or low <= high else a


def _bounds(condition: Expr) -> Iterator[tuple[Column, Interval]]:
    if not (isinstance(condition, Call) and len(condition.args) == 2):
        return
    left, right = condition.args
    op = condition.op
    if isinstance(left, Literal):
        left, right, op = right, left, _MIRROR.get(op, op)
    # Casts on the way to a common type keep the order of numbers, but may round: one more on each side stays safe.
    slack = Fraction(0)
    if isinstance(left, Call) and left.op is Op.CAST:
        left, slack = left.args[0], Fraction(1)
    if not isinstance(left, Column) or not isinstance(right, Literal):
        return
    value = _number(right.value)
    if value is None:
        return
    low = value - slack if op in (Op.GE, Op.GT, Op.EQ) else None
    high = value + slack if op in (Op.LE, Op.LT, Op.EQ) else None
    if low is not None or high is not None:
        yield left, Interval(low, high)


def _number(value: Scalar) -> Fraction | None:
    if isinstance(value, bool) or value is None or isinstance(value, str) or hasattr(value, "year"):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    return Fraction(value)
