"""Arithmetic on typed expressions: each function returns a node whose type holds every possible result."""

from decimal import Decimal

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op, TimeUnit
from sandbox.compiler.types import (
    BIGINT,
    DATE,
    DECIMAL_DIGITS_MAX,
    DOUBLE,
    HUGEINT,
    INTEGER,
    NoCommonType,
    TooWide,
    as_decimal,
    constant_as,
    convert,
    decimal_type,
    integer_range,
    integer_type,
    is_integer,
    is_null,
    is_numeric,
    product_range,
)

ROUND_DIGITS_MAX = 15
LITERAL_LENGTH_MAX = 400  # no type holds more digits, and Python refuses to read thousands


def number_literal(text: str) -> Literal:
    """Read a number as DuckDB types it: whole number, DECIMAL, or DOUBLE when it has an exponent.

    Refuses: more digits than a type can hold (`TooWide`).
    """
    if len(text) > LITERAL_LENGTH_MAX:
        raise TooWide
    if "e" in text.lower():
        return Literal(DOUBLE, float(text))
    if "." in text:
        value = Decimal(text)
        scale = max(0, -int(value.as_tuple().exponent))
        return Literal(decimal_type(max(len(value.as_tuple().digits), scale + 1), scale), value)
    return integer_literal(int(text))


def integer_literal(value: int) -> Literal:
    """Return a whole-number constant in the narrowest type."""
    narrow = -(2**31) <= value < 2**31
    return Literal(INTEGER if narrow else integer_type(value, value), value)


def add(a: Expr, b: Expr) -> Expr:
    """Return a + b."""
    return _sum(Op.ADD, a, b)


def subtract(a: Expr, b: Expr) -> Expr:
    """Return a - b."""
    return _sum(Op.SUB, a, b)


def _sum(op: Op, a: Expr, b: Expr) -> Expr:
    a, b = _numbers(a, b)
    if _either_double(a, b):
        return Call(op, (convert(a, DOUBLE), convert(b, DOUBLE)), DOUBLE)
    if is_integer(a.type) and is_integer(b.type):
        (a_low, a_high), (b_low, b_high) = integer_range(a), integer_range(b)
        low, high = (
            (a_low + b_low, a_high + b_high) if op is Op.ADD else (a_low - b_high, a_high - b_low)
        )
        return Call(op, (a, b), _whole_type(low, high, a, b))
    left, right = as_decimal(a), as_decimal(b)
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale) + 1
    return Call(op, (convert(a, left), convert(b, right)), decimal_type(whole + scale, scale))


def multiply(a: Expr, b: Expr) -> Expr:
    """Return a * b."""
    a, b = _numbers(a, b)
    if _either_double(a, b):
        return Call(Op.MUL, (convert(a, DOUBLE), convert(b, DOUBLE)), DOUBLE)
    if is_integer(a.type) and is_integer(b.type):
        low, high = product_range(integer_range(a), integer_range(b))
        return Call(Op.MUL, (a, b), _whole_type(low, high, a, b))
    left, right = as_decimal(a), as_decimal(b)
    result = decimal_type(left.precision + right.precision, left.scale + right.scale)
    return Call(Op.MUL, (convert(a, left), convert(b, right)), result)


def held(op: Op, a: Expr, b: Expr) -> Expr:
    """Return a sum, difference or product in the widest type there is; a value that leaves it is NULL.

    Refuses: more digits behind the point than a DECIMAL has (`TooWide`).
    """
    a, b = _numbers(a, b)
    if is_integer(a.type) and is_integer(b.type):
        return Call(op, (a, b), HUGEINT)
    left, right = as_decimal(a), as_decimal(b)
    scale = left.scale + right.scale if op is Op.MUL else max(left.scale, right.scale)
    widest = decimal_type(DECIMAL_DIGITS_MAX, scale)
    return Call(op, (convert(a, left), convert(b, right)), widest)


def divide(a: Expr, b: Expr) -> Expr:
    """Return a / b, always DOUBLE; division by zero gives inf or NaN, which the row clamp settles."""
    a, b = _numbers(a, b)
    return Call(Op.DIV, (convert(a, DOUBLE), convert(b, DOUBLE)), DOUBLE)


def integer_divide(a: Expr, b: Expr) -> Expr:
    """Return a // b on whole numbers; NULL where b is 0, where DuckDB would raise."""
    a, b = _whole_numbers(a, b)
    reach = max(map(abs, integer_range(a)))
    return Call(Op.INT_DIV, (a, b), _whole_type(-reach, reach, a, b))


def modulo(a: Expr, b: Expr) -> Expr:
    """Return a % b; NULL where b is 0 on whole numbers, NaN on DOUBLE."""
    a, b = _numbers(a, b)
    if _either_double(a, b):
        return Call(Op.MOD, (convert(a, DOUBLE), convert(b, DOUBLE)), DOUBLE)
    a, b = _whole_numbers(a, b)
    reach = max(map(abs, integer_range(a)))
    return Call(Op.MOD, (a, b), _whole_type(-reach, reach, a, b))


def negate(a: Expr) -> Expr:
    """Return -a; a negative constant stays a constant."""
    if not is_numeric(a.type):
        raise NoCommonType
    if isinstance(a, Literal) and not is_null(a):
        if isinstance(a.value, int):
            return integer_literal(-a.value)
        if isinstance(a.value, Decimal):
            return Literal(a.type, a.value.copy_negate())  # `-` would round to 28 digits
        return Literal(a.type, -a.value)  # type: ignore[operator]
    if is_integer(a.type):
        low, high = integer_range(a)
        return Call(Op.NEG, (a,), integer_type(-high, -low))
    return Call(Op.NEG, (a,), a.type)


def absolute(a: Expr) -> Expr:
    """Return |a|, one bit wider on whole numbers: the engine raises on the smallest one."""
    if not is_numeric(a.type):
        raise NoCommonType
    if is_integer(a.type):
        return Call(Op.ABS, (a,), integer_type(0, max(map(abs, integer_range(a)))))
    return Call(Op.ABS, (a,), a.type)


def round_to(a: Expr, digits: int) -> Expr:
    """Return `a` rounded half away from zero to a constant number of digits."""
    if not is_numeric(a.type) or abs(digits) > ROUND_DIGITS_MAX:
        raise NoCommonType
    if is_integer(a.type):
        if digits < 0:
            raise NoCommonType
        return a
    result = a.type
    if a.type.kind is TypeKind.DECIMAL:
        if digits >= a.type.scale:
            return a
        # one digit more than DuckDB gives: 9.9 rounds to 10
        result = SqlType(TypeKind.DECIMAL, min(38, a.type.precision + 1), max(digits, 0))
    return Call(Op.ROUND, (a, integer_literal(digits)), result)


def floor_or_ceil(op: Op, a: Expr) -> Expr:
    """Return the whole number below or above; DOUBLE for whole numbers too, as in DuckDB."""
    if not is_numeric(a.type):
        raise NoCommonType
    if a.type.kind is TypeKind.DECIMAL:
        return Call(op, (a,), SqlType(TypeKind.DECIMAL, a.type.precision, 0))
    return Call(op, (convert(a, DOUBLE),), DOUBLE)


def real_function(op: Op, a: Expr) -> Expr:
    """Return a function of a DOUBLE: sqrt, ln, exp; outside its domain it is NaN or inf, never an error."""
    if not is_numeric(a.type):
        raise NoCommonType
    return Call(op, (convert(a, DOUBLE),), DOUBLE)


def days_between(later: Expr, earlier: Expr) -> Expr:
    """Return later - earlier for two days, in days."""
    if later.type != DATE or earlier.type != DATE:
        raise NoCommonType
    return Call(Op.DATE_DIFF, (earlier, later), BIGINT, TimeUnit.DAY)


def _numbers(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    if is_null(a) and is_numeric(b.type):
        a = Literal(b.type, None)
    if is_null(b) and is_numeric(a.type):
        b = Literal(a.type, None)
    a, b = _text_as_number(a, b), _text_as_number(b, a)
    if not (is_numeric(a.type) and is_numeric(b.type)):
        raise NoCommonType
    return a, b


def _text_as_number(part: Expr, other: Expr) -> Expr:
    if isinstance(part, Literal) and isinstance(part.value, str) and is_numeric(other.type):
        return Literal(other.type, constant_as(part.value, other.type))
    return part


def _whole_numbers(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    a, b = _numbers(a, b)
    if not (is_integer(a.type) and is_integer(b.type)):
        raise NoCommonType
    # both sides in one type, so that the engine does not narrow one of them
    wide = HUGEINT if HUGEINT in (a.type, b.type) else BIGINT
    return convert(a, wide), convert(b, wide)


def _whole_type(low: int, high: int, *operands: Expr) -> SqlType:
    """Return a type for the result and its operands: it is computed in that type, and `huge * 0` must not become NULL."""
    found = integer_type(low, high)
    return HUGEINT if HUGEINT in (found, *(operand.type for operand in operands)) else found


def _either_double(a: Expr, b: Expr) -> bool:
    return TypeKind.DOUBLE in (a.type.kind, b.type.kind)
