"""Coarse keys: a column with a declared bin may be grouped in steps of that width, never by its single values.

Allowed are whole steps, `floor(x / w)` and `x // w`, and half-open comparisons, `x < b` and `x >= b`, with w and b multiples of
the bin. `x <= b` is not: beside `x < b` it would single out the value b.
"""

from decimal import Decimal

from sandbox.algebra import Call, Column, Expr, Literal, Op, children, walk
from sandbox.compiler.types import is_integer, is_numeric

_WHOLE_STEPS = frozenset({Op.FLOOR, Op.INT_DIV})
_HALF_OPEN = frozenset({Op.LT, Op.GE})
_MIRRORED = frozenset({Op.GT, Op.LE})  # with the constant on the left


def in_steps(expr: Expr, column: Column, width: Decimal) -> bool:
    """Tell whether an expression depends on the column by whole steps of `width` only."""
    if column not in walk(expr):
        return True
    if isinstance(expr, Column):
        return False
    if isinstance(expr, Call) and expr.op in _WHOLE_STEPS and _divides(expr, column, width):
        return True
    if isinstance(expr, Call) and len(expr.args) == 2 and _splits(expr, column, width):
        return True
    return all(in_steps(part, column, width) for part in children(expr))


def _divides(expr: Call, column: Column, width: Decimal) -> bool:
    """Tell whether the expression is the whole part of the column over a multiple of the width."""
    inner = expr if expr.op is Op.INT_DIV else expr.args[0]
    if not isinstance(inner, Call) or inner.op not in (Op.DIV, Op.INT_DIV):
        return False
    return _bare(inner.args[0]) == column and _is_multiple(inner.args[1], width, positive=True)


def _splits(expr: Call, column: Column, width: Decimal) -> bool:
    """Tell whether the expression asks on which side of a multiple of the width the column lies."""
    left, right = expr.args
    if expr.op in _HALF_OPEN and _bare(left) == column:
        return _is_multiple(right, width, positive=False)
    if expr.op in _MIRRORED and _bare(right) == column:
        return _is_multiple(left, width, positive=False)
    return False


def _bare(expr: Expr) -> Expr:
    """Look through the cast that brings the column to the type of its neighbour; every numeric cast here keeps the order."""
    is_cast = isinstance(expr, Call) and expr.op is Op.CAST
    return children(expr)[0] if is_cast and _widens(children(expr)[0], expr) else expr


def _widens(inner: Expr, outer: Expr) -> bool:
    return is_numeric(inner.type) and (not is_integer(outer.type) or is_integer(inner.type))


def _is_multiple(expr: Expr, width: Decimal, positive: bool) -> bool:
    value = expr.value if isinstance(expr, Literal) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return False
    number = Decimal(str(value))
    return number.is_finite() and number % width == 0 and (number > 0 or not positive)
