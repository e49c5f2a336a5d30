"""DOUBLE arithmetic of endings, short enough to read a formula in it. Everything here is over noisy totals."""

from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    Ending,
    step_value,
)


def real(value: float) -> Expr:
    """Return a constant."""
    return Literal(DOUBLE, value)


def plus(a: Expr, b: Expr) -> Expr:
    """Return a + b."""
    return Call(Op.ADD, (a, b), DOUBLE)


def minus(a: Expr, b: Expr) -> Expr:
    """Return a - b."""
    return Call(Op.SUB, (a, b), DOUBLE)


def times(a: Expr, b: Expr) -> Expr:
    """Return a * b."""
    return Call(Op.MUL, (a, b), DOUBLE)


def over(a: Expr, b: Expr) -> Expr:
    """Return a / b."""
    return Call(Op.DIV, (a, b), DOUBLE)


def root(a: Expr) -> Expr:
    """Return the square root."""
    return Call(Op.SQRT, (a,), DOUBLE)


def within(lower: float, a: Expr, upper: float) -> Expr:
    """Return a number held in an interval. It must not be NULL or NaN: least and greatest skip the one, sort the other."""
    return Call(Op.GREATEST, (real(lower), Call(Op.LEAST, (real(upper), a), DOUBLE)), DOUBLE)


def at_least(lower: float, a: Expr) -> Expr:
    """Return a number, or `lower` where it is below. It must not be NULL."""
    return Call(Op.GREATEST, (real(lower), a), DOUBLE)


def if_positive(test: Expr, a: Expr) -> Expr:
    """Return a number where another is above 0, NULL elsewhere."""
    return Call(Op.CASE, (Call(Op.GT, (test, real(0.0)), BOOLEAN), a), DOUBLE)


def if_more(count: Expr, least: int, a: Expr) -> Expr:
    """Return a number where the noisy count is above `least`, NULL elsewhere."""
    more = Call(Op.GT, (count, Literal(BIGINT, least)), BOOLEAN)
    return Call(Op.CASE, (more, a), DOUBLE)


def count_of(ending: Ending, index: int) -> Expr:
    """Return a noisy total as DOUBLE, in steps."""
    return Call(Op.CAST, (ending.moments[index],), DOUBLE)


def whole_total(ending: Ending, index: int, count: Expr) -> Expr:
    """Return a noisy total with what its rows lost given back, in whole steps."""
    offset = ending.offsets[index]
    if not offset:
        return ending.moments[index]
    lost = Call(Op.MUL, (count, Literal(BIGINT, offset)), HUGEINT)
    return Call(Op.ADD, (ending.moments[index], lost), HUGEINT)


def mean_lost(ending: Ending, index: int, count: Expr) -> Expr:
    """Return the mean of what was measured: the mean of the values less the offset."""
    step = real(step_value(ending.steps[index]))
    return times(over(count_of(ending, index), Call(Op.CAST, (count,), DOUBLE)), step)


def mean(ending: Ending, index: int, count: Expr) -> Expr:
    """Return the mean of the values."""
    offset = ending.offsets[index] * step_value(ending.steps[index])
    found = mean_lost(ending, index, count)
    return plus(found, real(offset)) if offset else found
