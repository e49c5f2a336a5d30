"""Types of expressions: which two may meet, what they become, and how far whole numbers can reach.

DuckDB converts silently and raises on the first value that does not fit. Here every conversion is an explicit CAST node
(rendered as TRY_CAST) and every whole-number result is as wide as its operands can make it, so nothing can raise.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Context, Decimal

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op

BOOLEAN = SqlType(TypeKind.BOOLEAN)
INTEGER = SqlType(TypeKind.INTEGER)
BIGINT = SqlType(TypeKind.BIGINT)
HUGEINT = SqlType(TypeKind.HUGEINT)
DOUBLE = SqlType(TypeKind.DOUBLE)
VARCHAR = SqlType(TypeKind.VARCHAR)
DATE = SqlType(TypeKind.DATE)
TIMESTAMP = SqlType(TypeKind.TIMESTAMP)

_RANGES = {
    TypeKind.INTEGER: (-(2**31), 2**31 - 1),
    TypeKind.BIGINT: (-(2**63), 2**63 - 1),
    TypeKind.HUGEINT: (-(2**127), 2**127 - 1),
}
DECIMAL_DIGITS_MAX = 38
_WIDE = Context(prec=2 * DECIMAL_DIGITS_MAX)  # Python's own 28 digits would refuse a DECIMAL(38,2)


class NoCommonType(Exception):
    """Two types that cannot be compared or mixed."""


class UnreadableConstant(NoCommonType):
    """A constant that does not read as the type its neighbour has."""

    def __init__(self, value: Scalar, target: SqlType) -> None:
        super().__init__()
        self.value = value
        self.target = target


class TooWide(Exception):
    """A result that no type of the engine can hold for every value of its operands."""


def is_integer(kind: SqlType) -> bool:
    """Tell whether the type holds whole numbers."""
    return kind.kind in _RANGES


def is_numeric(kind: SqlType) -> bool:
    """Tell whether the type holds numbers."""
    return is_integer(kind) or kind.kind in (TypeKind.DECIMAL, TypeKind.DOUBLE)


def is_temporal(kind: SqlType) -> bool:
    """Tell whether the type holds days or instants."""
    return kind.kind in (TypeKind.DATE, TypeKind.TIMESTAMP)


def is_null(expr: Expr) -> bool:
    """Tell whether the expression is the constant NULL, which takes any type."""
    return isinstance(expr, Literal) and expr.value is None


def integer_type(low: int, high: int) -> SqlType:
    """Return the narrowest of BIGINT and HUGEINT that holds [low, high].

    Refuses: an interval beyond HUGEINT (`TooWide`).
    """
    for candidate in (BIGINT, HUGEINT):
        smallest, largest = _RANGES[candidate.kind]
        if smallest <= low and high <= largest:
            return candidate
    raise TooWide


def integer_range(expr: Expr) -> tuple[int, int]:
    """Return an interval that a whole-number expression never leaves, whatever the rows hold.

    Only types and constants are used: declared bounds may be broken by the data, and an overflow would be an answer.
    """
    if isinstance(expr, Literal) and isinstance(expr.value, int):
        return (expr.value, expr.value)
    if isinstance(expr, Call):
        ranges = [integer_range(arg) for arg in expr.args if is_integer(arg.type)]
        if expr.op is Op.ADD and len(ranges) == 2:
            return (ranges[0][0] + ranges[1][0], ranges[0][1] + ranges[1][1])
        if expr.op is Op.SUB and len(ranges) == 2:
            return (ranges[0][0] - ranges[1][1], ranges[0][1] - ranges[1][0])
        if expr.op is Op.MUL and len(ranges) == 2:
            return product_range(ranges[0], ranges[1])
        if expr.op is Op.NEG:
            return (-ranges[0][1], -ranges[0][0])
        if expr.op in (Op.ABS, Op.INT_DIV, Op.MOD):
            reach = max(abs(ranges[0][0]), abs(ranges[0][1]))
            return (0 if expr.op is Op.ABS else -reach, reach)
        if expr.op is Op.CAST and is_integer(expr.args[0].type):
            low, high = _RANGES[expr.type.kind]
            return (max(low, ranges[0][0]), min(high, ranges[0][1]))
    return _RANGES[expr.type.kind]


def product_range(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """Return the interval of x·y for x in `a` and y in `b`."""
    corners = [x * y for x in a for y in b]
    return (min(corners), max(corners))


def decimal_type(digits: int, scale: int) -> SqlType:
    """Return DECIMAL(digits, scale).

    Refuses: more than 38 digits (`TooWide`).
    """
    if digits > DECIMAL_DIGITS_MAX or scale > digits:
        raise TooWide
    return SqlType(TypeKind.DECIMAL, max(1, digits), scale)


def as_decimal(expr: Expr) -> SqlType:
    """Return the DECIMAL type that holds a whole-number or DECIMAL expression exactly."""
    if expr.type.kind is TypeKind.DECIMAL:
        return expr.type
    low, high = integer_range(expr)
    return decimal_type(len(str(max(abs(low), abs(high)))), 0)


def common_type(parts: tuple[Expr, ...]) -> SqlType:
    """Return the one type that all parts can be converted to without loss of meaning.

    String constants take the type of their neighbours, as in DuckDB. Refuses: `NoCommonType`, `TooWide`.
    """
    typed = [p for p in parts if not is_null(p) and not _is_text_constant(p)]
    if not typed:
        return VARCHAR if any(_is_text_constant(p) for p in parts) else INTEGER
    kinds = {p.type.kind for p in typed}
    if len({p.type for p in typed}) == 1:
        return typed[0].type
    if all(is_numeric(p.type) for p in typed):
        return _common_number(tuple(typed), kinds)
    if kinds == {TypeKind.DATE, TypeKind.TIMESTAMP}:
        return TIMESTAMP
    raise NoCommonType


def _common_number(parts: tuple[Expr, ...], kinds: set[TypeKind]) -> SqlType:
    if TypeKind.DOUBLE in kinds:
        return DOUBLE
    if TypeKind.DECIMAL in kinds:
        decimals = [as_decimal(p) for p in parts]
        scale = max(d.scale for d in decimals)
        return decimal_type(max(d.precision - d.scale for d in decimals) + scale, scale)
    return HUGEINT if TypeKind.HUGEINT in kinds else BIGINT


def _is_text_constant(expr: Expr) -> bool:
    return isinstance(expr, Literal) and isinstance(expr.value, str)


def convert(expr: Expr, target: SqlType) -> Expr:
    """Return the expression as `target`: constants are converted here and now, anything else by a CAST node.

    Refuses: a constant that does not read as `target` (`NoCommonType`).
    """
    if expr.type == target:
        return expr
    if isinstance(expr, Literal):
        return Literal(target, constant_as(expr.value, target))
    return Call(Op.CAST, (expr,), target)


def constant_as(value: Scalar, target: SqlType) -> Scalar:
    """Read a constant as a value of `target`, exactly.

    Refuses: a text that is not such a value, a number that does not fit (`UnreadableConstant`).
    """
    if value is None:
        return None
    try:
        return _READERS[target.kind](value, target)
    except (ValueError, TypeError, KeyError, ArithmeticError):
        raise UnreadableConstant(value, target) from None


def _read_boolean(value: Scalar, _: SqlType) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False, "t": True, "f": False}[value.strip().lower()]
    if isinstance(value, bool):
        return value
    raise TypeError


def _read_integer(value: Scalar, target: SqlType) -> int:
    low, high = _RANGES[target.kind]
    number = Decimal(value) if isinstance(value, (int, str, Decimal)) else Decimal(str(value))
    if number != number.to_integral_value() or not low <= int(number) <= high:
        raise ValueError
    return int(number)


def _read_decimal(value: Scalar, target: SqlType) -> Decimal:
    if isinstance(value, (float, date, bool)):
        raise TypeError
    number = Decimal(value)  # type: ignore[arg-type]
    exact = number.quantize(Decimal(1).scaleb(-target.scale), context=_WIDE)
    if exact != number or len(exact.as_tuple().digits) > target.precision:
        raise ValueError
    return exact


def _read_double(value: Scalar, _: SqlType) -> float:
    if isinstance(value, (date, bool)) or value is None:
        raise TypeError
    return float(value)


def _read_text(value: Scalar, _: SqlType) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _read_date(value: Scalar, _: SqlType) -> date:
    if isinstance(value, datetime):
        raise TypeError
    return value if isinstance(value, date) else date.fromisoformat(str(value).strip())


def _read_timestamp(value: Scalar, _: SqlType) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    instant = datetime.fromisoformat(str(value).strip())
    if instant.tzinfo is not None:
        raise ValueError
    return instant


_READERS: Mapping[TypeKind, Callable[[Scalar, SqlType], Scalar]] = {
    TypeKind.BOOLEAN: _read_boolean,
    TypeKind.INTEGER: _read_integer,
    TypeKind.BIGINT: _read_integer,
    TypeKind.HUGEINT: _read_integer,
    TypeKind.DECIMAL: _read_decimal,
    TypeKind.DOUBLE: _read_double,
    TypeKind.VARCHAR: _read_text,
    TypeKind.DATE: _read_date,
    TypeKind.TIMESTAMP: _read_timestamp,
}
