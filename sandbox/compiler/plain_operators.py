"""Operators that need no more than the values of their arguments: one line for each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.compiler import arithmetic, dates
from sandbox.compiler.types import BIGINT, BOOLEAN, VARCHAR, NoCommonType, convert


def text(expr: Expr) -> Expr:
    """Return the expression if it is text. Refuses: anything else (`NoCommonType`)."""
    if isinstance(expr, Literal) and expr.value is None:
        return Literal(VARCHAR, None)
    if expr.type != VARCHAR:
        raise NoCommonType
    return expr


COMPARISONS: Mapping[type[exp.Expr], Op] = MappingProxyType(
    {exp.EQ: Op.EQ, exp.NEQ: Op.NE, exp.LT: Op.LT, exp.LTE: Op.LE, exp.GT: Op.GT, exp.GTE: Op.GE}
)
# Those of them whose result may fit no type.
HELD: Mapping[type[exp.Expr], Op] = MappingProxyType(
    {exp.Add: Op.ADD, exp.Sub: Op.SUB, exp.Mul: Op.MUL}
)
TWO_SIDED: Mapping[type[exp.Expr], Callable[[Expr, Expr], Expr]] = MappingProxyType(
    {
        exp.Add: dates.add,
        exp.Sub: dates.subtract,
        exp.Mul: arithmetic.multiply,
        exp.Div: arithmetic.divide,
        exp.IntDiv: arithmetic.integer_divide,
        exp.Mod: arithmetic.modulo,
    }
)
ONE_SIDED: Mapping[type[exp.Expr], Callable[[Expr], Expr]] = MappingProxyType(
    {
        exp.Neg: arithmetic.negate,
        exp.Abs: arithmetic.absolute,
        exp.Floor: lambda a: arithmetic.floor_or_ceil(Op.FLOOR, a),
        exp.Ceil: lambda a: arithmetic.floor_or_ceil(Op.CEIL, a),
        exp.Sqrt: lambda a: arithmetic.real_function(Op.SQRT, a),
        exp.Ln: lambda a: arithmetic.real_function(Op.LN, a),
        exp.Exp: lambda a: arithmetic.real_function(Op.EXP, a),
        exp.Not: lambda a: Call(Op.NOT, (convert(a, BOOLEAN),), BOOLEAN),
        exp.Lower: lambda a: Call(Op.LOWER, (text(a),), VARCHAR),
        exp.Upper: lambda a: Call(Op.UPPER, (text(a),), VARCHAR),
        exp.Trim: lambda a: Call(Op.TRIM, (text(a),), VARCHAR),
        exp.Length: lambda a: Call(Op.LENGTH, (text(a),), BIGINT),
    }
)
CONSTANT_TEXT: Mapping[type[exp.Expr], Op] = MappingProxyType(
    {
        exp.Like: Op.LIKE,
        exp.ILike: Op.ILIKE,
        exp.StartsWith: Op.STARTS_WITH,
        exp.Contains: Op.CONTAINS,
    }
)
