"""Conditions as lists of conjuncts, and the columns they set equal."""

from collections.abc import Sequence

from sandbox.algebra import Call, Column, Exists, Expr, Literal, Op
from sandbox.compiler.types import BOOLEAN

Pair = tuple[Column, Column]
_IN_PARTS = 5  # when, then, when, then, else


def split_and(condition: Expr) -> tuple[Expr, ...]:
    """Return the top-level AND conjuncts of a condition."""
    if isinstance(condition, Call) and condition.op is Op.AND:
        return tuple(part for arg in condition.args for part in split_and(arg))
    return (condition,)


def conjunction(parts: tuple[Expr, ...]) -> Expr:
    """Return all parts under one AND; TRUE for none."""
    if not parts:
        return Literal(BOOLEAN, True)
    return parts[0] if len(parts) == 1 else Call(Op.AND, parts, BOOLEAN)


def equal_columns(condition: Expr) -> tuple[Pair, ...]:
    """Return the pair of columns a conjunct sets equal, looking through the casts of a common type."""
    if not (isinstance(condition, Call) and condition.op is Op.EQ):
        return ()
    left, right = (_bare(arg) for arg in condition.args)
    return ((left, right),) if left is not None and right is not None else ()


def pairs_of(conditions: Sequence[Expr]) -> tuple[Pair, ...]:
    """Return every pair of columns that conjuncts set equal."""
    return tuple(pair for condition in conditions for pair in equal_columns(condition))


def _bare(expr: Expr) -> Column | None:
    if isinstance(expr, Column):
        return expr
    if isinstance(expr, Call) and expr.op is Op.CAST and isinstance(expr.args[0], Column):
        return expr.args[0]
    return None


def as_filter(condition: Expr) -> tuple[Expr, ...]:
    """Return conjuncts that are true for the same rows: `x IN (SELECT …)` tells false from unknown, a filter does not."""
    negated = isinstance(condition, Call) and condition.op is Op.NOT
    inner = condition.args[0] if isinstance(condition, Call) and negated else condition
    if not (isinstance(inner, Call) and inner.op is Op.CASE and len(inner.args) == _IN_PARTS):
        return (condition,)
    is_in, true, unknown, null, false = inner.args
    if not (isinstance(is_in, Exists) and isinstance(unknown, Exists)):
        return (condition,)
    if (true, null, false) != tuple(Literal(BOOLEAN, value) for value in (True, None, False)):
        return (condition,)
    if not negated:
        return (is_in,)
    return (Call(Op.NOT, (is_in,), BOOLEAN), Call(Op.NOT, (unknown,), BOOLEAN))
