"""Types in DuckDB's words, and the type two operands meet in: implicit casts raise, so all of ours are written out."""

from collections.abc import Iterable
from decimal import Decimal

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.algebra import Expr, Literal

BOOLEAN = SqlType(TypeKind.BOOLEAN)
INTEGER = SqlType(TypeKind.INTEGER)
BIGINT = SqlType(TypeKind.BIGINT)
HUGEINT = SqlType(TypeKind.HUGEINT)
DOUBLE = SqlType(TypeKind.DOUBLE)
VARCHAR = SqlType(TypeKind.VARCHAR)
DATE = SqlType(TypeKind.DATE)
TIMESTAMP = SqlType(TypeKind.TIMESTAMP)

DECIMAL_DIGITS_MAX = 38
# The largest magnitude of each whole-number type, taken from its positive end.
INTEGER_MAX = {
    TypeKind.INTEGER: 2**31 - 1,
    TypeKind.BIGINT: 2**63 - 1,
    TypeKind.HUGEINT: 2**127 - 1,
}
_INTEGER_DIGITS = {TypeKind.INTEGER: 10, TypeKind.BIGINT: 19, TypeKind.HUGEINT: 38}
_RANK = {TypeKind.INTEGER: 1, TypeKind.BIGINT: 2, TypeKind.HUGEINT: 3}


class NotRenderable(ValueError):
    """The plan holds an expression that has no total form here. Follows from the plan alone, never from data."""


def name_of(type_: SqlType) -> str:
    """Return the type as DuckDB spells it. Refuses shapes a domain cannot declare."""
    if type_.kind is TypeKind.DECIMAL:
        if (
            not 1 <= type_.precision <= DECIMAL_DIGITS_MAX
            or not 0 <= type_.scale <= type_.precision
        ):
            raise NotRenderable("a decimal has 1 to 38 digits and at most as many behind the point")
    elif type_.precision or type_.scale:
        raise NotRenderable("only a decimal has digits")
    return str(type_)


def listed(values: Iterable[Scalar], type_: SqlType) -> list[Scalar]:
    """Return values as a parameter to be cast to a list of the type.

    Decimals as text: the client gives a list of decimals one type of its own first, and rounds what that cannot hold.
    """
    if type_.kind is not TypeKind.DECIMAL:
        return list(values)
    return [format(value, "f") if isinstance(value, Decimal) else value for value in values]


def is_integer(type_: SqlType) -> bool:
    """Tell whether the type holds whole numbers."""
    return type_.kind in INTEGER_MAX


def is_number(type_: SqlType) -> bool:
    """Tell whether arithmetic is defined on the type."""
    return is_integer(type_) or type_.kind in (TypeKind.DECIMAL, TypeKind.DOUBLE)


def as_decimal(expr: Expr) -> SqlType:
    """Return the decimal type that holds a decimal or whole number without loss (HUGEINT: up to 38 digits)."""
    if expr.type.kind is TypeKind.DECIMAL:
        return expr.type
    if not is_integer(expr.type):
        raise NotRenderable("a decimal meets only decimals and whole numbers")
    if isinstance(expr, Literal) and type(expr.value) is int:
        return decimal(len(str(abs(expr.value))), 0)
    return decimal(_INTEGER_DIGITS[expr.type.kind], 0)


def decimal(precision: int, scale: int) -> SqlType:
    """Return a decimal type, its precision cut at 38 digits."""
    return SqlType(TypeKind.DECIMAL, min(precision, DECIMAL_DIGITS_MAX), scale)


def meet(exprs: tuple[Expr, ...]) -> SqlType:
    """Return the type in which DuckDB compares these operands."""
    types = {expr.type for expr in exprs}
    if len(types) == 1:
        return types.pop()
    kinds = {type_.kind for type_ in types}
    if kinds == {TypeKind.DATE, TypeKind.TIMESTAMP}:
        return TIMESTAMP
    if not all(is_number(type_) for type_ in types):
        raise NotRenderable("operands of different kinds meet only through a cast")
    if TypeKind.DOUBLE in kinds:
        return DOUBLE
    if TypeKind.DECIMAL not in kinds:
        return SqlType(max(kinds, key=_RANK.__getitem__))
    decimals = [as_decimal(expr) for expr in exprs]
    scale = max(found.scale for found in decimals)
    return decimal(max(found.precision - found.scale for found in decimals) + scale, scale)
