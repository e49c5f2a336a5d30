"""How far a value can go: declared bounds carried through an expression by interval arithmetic.

A missing end is None. The result is the row clamp, so an interval that is too narrow costs accuracy and one that is too
wide costs noise; neither costs privacy, because the worker clamps every row to it (docs/proofs/bounded_aggregation.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isfinite, isqrt
from types import MappingProxyType

from policies.terms import TypeKind
from sandbox.algebra import Call, Column, Expr, Literal, Op, TimeUnit
from sandbox.compiler.types import is_integer


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval with ends that may be missing."""

    low: Fraction | None
    high: Fraction | None


EVERYTHING = Interval(None, None)
Bounds = Callable[[Column], Interval]

_PARTS: Mapping[TimeUnit, tuple[int, int]] = MappingProxyType(
    {
        TimeUnit.YEAR: (1, 9999),  # the engine's form of every date operator is NULL outside
        TimeUnit.QUARTER: (1, 4),
        TimeUnit.MONTH: (1, 12),
        TimeUnit.WEEK: (1, 53),
        TimeUnit.DAY: (1, 31),
        TimeUnit.DAYOFWEEK: (0, 6),
        TimeUnit.DAYOFYEAR: (1, 366),
        TimeUnit.HOUR: (0, 23),
        TimeUnit.MINUTE: (0, 59),
        TimeUnit.SECOND: (0, 59),
    }
)


def interval(expr: Expr, bounds: Bounds) -> Interval:
    """Return an interval for a numeric expression, from the bounds of its columns."""
    if isinstance(expr, Literal):
        return _of_literal(expr)
    if isinstance(expr, Column):
        return bounds(expr)
    if not isinstance(expr, Call):
        return EVERYTHING
    if expr.op is Op.DATE_PART and expr.unit is not None:
        return _of_part(expr, expr.unit, bounds)
    rule = _RULES.get(expr.op)
    if rule is None:
        return EVERYTHING
    return rule(expr, tuple(interval(arg, bounds) for arg in expr.args))


def _of_literal(expr: Literal) -> Interval:
    value = expr.value
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return EVERYTHING
    if isinstance(value, float) and not isfinite(value):
        return EVERYTHING
    if hasattr(value, "year"):
        return EVERYTHING
    exact = Fraction(value)
    return Interval(exact, exact)


def _of_part(expr: Call, unit: TimeUnit, bounds: Bounds) -> Interval:
    low, high = _PARTS[unit]
    if unit is TimeUnit.YEAR and isinstance(expr.args[0], Column):
        declared = bounds(expr.args[0])  # of a day: years, see schema.py
        if declared.low is not None and declared.high is not None:
            return declared
    return Interval(Fraction(low), Fraction(high))


def _add(_: Call, parts: tuple[Interval, ...]) -> Interval:
    a, b = parts
    return Interval(_plus(a.low, b.low), _plus(a.high, b.high))


def _sub(_: Call, parts: tuple[Interval, ...]) -> Interval:
    a, b = parts
    return Interval(_plus(a.low, _minus(b.high)), _plus(a.high, _minus(b.low)))


def _mul(_: Call, parts: tuple[Interval, ...]) -> Interval:
    a, b = parts
    ends = (a.low, a.high, b.low, b.high)
    if None in ends:
        return EVERYTHING
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]  # type: ignore[operator]
    return Interval(min(corners), max(corners))


def _div(_: Call, parts: tuple[Interval, ...]) -> Interval:
    a, b = parts
    if None in (a.low, a.high, b.low, b.high) or b.low <= 0 <= b.high:  # type: ignore[operator]
        return EVERYTHING
    corners = [x / y for x in (a.low, a.high) for y in (b.low, b.high)]  # type: ignore[operator]
    return Interval(min(corners), max(corners))


def _int_div(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    exact = _div(expr, parts)
    if exact.low is None or exact.high is None:
        return EVERYTHING
    return Interval(Fraction(floor(exact.low)), Fraction(ceil(exact.high)))


def _mod(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    a, b = parts
    if b.low is None or b.high is None:
        return EVERYTHING
    reach = max(abs(b.low), abs(b.high))
    reach = max(reach - 1, Fraction(0)) if is_integer(expr.type) else reach
    positive = a.low is not None and a.low >= 0
    return Interval(Fraction(0) if positive else -reach, reach)


def _neg(_: Call, parts: tuple[Interval, ...]) -> Interval:
    return Interval(_minus(parts[0].high), _minus(parts[0].low))


def _abs(_: Call, parts: tuple[Interval, ...]) -> Interval:
    low, high = parts[0].low, parts[0].high
    if low is None or high is None:
        return Interval(Fraction(0), None)
    least = Fraction(0) if low <= 0 <= high else min(abs(low), abs(high))
    return Interval(least, max(abs(low), abs(high)))


def _whole(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    low, high = parts[0].low, parts[0].high
    if expr.op is Op.ROUND and expr.args[1] != Literal(expr.args[1].type, 0):
        one = Fraction(10) ** -int(expr.args[1].value)  # type: ignore[union-attr, arg-type]
        return Interval(_plus(low, -one), _plus(high, one))
    return Interval(
        None if low is None else Fraction(floor(low)),
        None if high is None else Fraction(ceil(high)),
    )


def _sqrt(_: Call, parts: tuple[Interval, ...]) -> Interval:
    high = parts[0].high
    return Interval(
        Fraction(0), None if high is None or high < 0 else Fraction(isqrt(ceil(high)) + 1)
    )


def _cast(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    source = expr.args[0].type
    if source.kind is TypeKind.BOOLEAN:
        return Interval(Fraction(0), Fraction(1))
    if source.kind in (TypeKind.VARCHAR, TypeKind.DATE, TypeKind.TIMESTAMP):
        return EVERYTHING
    narrows = is_integer(expr.type) or expr.type.kind is TypeKind.DECIMAL
    return _outward(parts[0], expr.type.scale) if narrows else parts[0]


def _outward(part: Interval, scale: int) -> Interval:
    unit = 10**scale
    return Interval(
        None if part.low is None else Fraction(floor(part.low * unit), unit),
        None if part.high is None else Fraction(ceil(part.high * unit), unit),
    )


def _case(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    results = [p for i, p in enumerate(parts) if i % 2 == 1 or i == len(parts) - 1]
    results = [
        p
        for p, arg in zip(results, _results(expr), strict=True)
        if not (isinstance(arg, Literal) and arg.value is None)
    ]
    return hull(tuple(results))


def _results(expr: Call) -> list[Expr]:
    return [a for i, a in enumerate(expr.args) if i % 2 == 1 or i == len(expr.args) - 1]


def _coalesce(_: Call, parts: tuple[Interval, ...]) -> Interval:
    return hull(parts)


def _nullif(_: Call, parts: tuple[Interval, ...]) -> Interval:
    return parts[0]


def _least(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    # NULLs are skipped, so only a constant certainly takes part
    sure = [p.high for p, a in zip(parts, expr.args, strict=True) if _is_constant(a)]
    whole = hull(parts)
    return Interval(whole.low, min((h for h in (*sure, whole.high) if h is not None), default=None))


def _greatest(expr: Call, parts: tuple[Interval, ...]) -> Interval:
    mirrored = tuple(Interval(_minus(p.high), _minus(p.low)) for p in parts)
    found = _least(expr, mirrored)
    return Interval(_minus(found.high), _minus(found.low))


def _is_constant(expr: Expr) -> bool:
    return isinstance(expr, Literal) and expr.value is not None


def hull(parts: tuple[Interval, ...]) -> Interval:
    """Return the smallest interval that holds all of them."""
    lows = [p.low for p in parts]
    highs = [p.high for p in parts]
    return Interval(
        None if None in lows or not lows else min(x for x in lows if x is not None),
        None if None in highs or not highs else max(x for x in highs if x is not None),
    )


def _plus(a: Fraction | None, b: Fraction | None) -> Fraction | None:
    return None if a is None or b is None else a + b


def _minus(a: Fraction | None) -> Fraction | None:
    return None if a is None else -a


_RULES: Mapping[Op, Callable[[Call, tuple[Interval, ...]], Interval]] = MappingProxyType(
    {
        Op.ADD: _add,
        Op.SUB: _sub,
        Op.MUL: _mul,
        Op.DIV: _div,
        Op.INT_DIV: _int_div,
        Op.MOD: _mod,
        Op.NEG: _neg,
        Op.ABS: _abs,
        Op.ROUND: _whole,
        Op.FLOOR: _whole,
        Op.CEIL: _whole,
        Op.SQRT: _sqrt,
        Op.CAST: _cast,
        Op.CASE: _case,
        Op.COALESCE: _coalesce,
        Op.NULLIF: _nullif,
        Op.LEAST: _least,
        Op.GREATEST: _greatest,
    }
)
