"""Arithmetic in types it cannot overflow, division that is never by 0."""

from policies.terms import TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.worker.scalars.rendering import (
    Rendering,
    arity,
    cast_text,
    constant_integer,
    number,
    typed,
)
from sandbox.worker.sql_types import (
    DECIMAL_DIGITS_MAX,
    DOUBLE,
    HUGEINT,
    INTEGER_MAX,
    NotRenderable,
    as_decimal,
    decimal,
    is_integer,
    name_of,
)

_SYMBOLS = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*", Op.INT_DIV: "//", Op.MOD: "%"}
_FUNCTIONS = {Op.SQRT: "sqrt", Op.LN: "ln", Op.EXP: "exp"}
_ROUND_MAX = 400  # digits; beyond it rounding a DOUBLE changes nothing or gives 0
# Up to 18 digits DuckDB multiplies decimals in 64 bits, keeps 18 digits and raises when the product needs more.
_WIDE_DIGITS = 19


def arithmetic(rendering: Rendering, call: Call) -> str:
    """Render + - * // % in the type of the node."""
    left, right = (number(arg) for arg in arity(call, 2))
    if call.type.kind is TypeKind.DOUBLE:
        return _float_arithmetic(rendering, call)
    if is_integer(call.type) and is_integer(left.type) and is_integer(right.type):
        return _whole_arithmetic(rendering, call)
    if call.type.kind is TypeKind.DECIMAL and call.op is not Op.INT_DIV:
        return _decimal_arithmetic(rendering, call)
    raise NotRenderable("this arithmetic has no such type")


def _float_arithmetic(rendering: Rendering, call: Call) -> str:
    first, second = (rendering.as_type(arg, DOUBLE) for arg in call.args)
    if call.op is Op.INT_DIV:  # the only one of them that raises on 0
        second = f"nullif({second}, 0)"
    return f"({first} {_SYMBOLS[call.op]} {second})"


def _whole_arithmetic(rendering: Rendering, call: Call) -> str:
    first, second = (rendering.as_type(arg, call.type) for arg in call.args)
    if call.op in (Op.INT_DIV, Op.MOD):
        second = f"nullif({second}, 0)"
    text = f"({first} {_SYMBOLS[call.op]} {second})"
    return text if _cannot_overflow(call) else f"TRY({text})"


def _decimal_arithmetic(rendering: Rendering, call: Call) -> str:
    left, right = (as_decimal(arg) for arg in call.args)
    if call.op is Op.MUL:
        needed = left.precision + right.precision
        if left.scale + right.scale > DECIMAL_DIGITS_MAX:
            raise NotRenderable("the product has more digits behind the point than a decimal")
        left = decimal(max(left.precision, _WIDE_DIGITS), left.scale)
    else:
        scale = max(left.scale, right.scale)
        needed = max(left.precision - left.scale, right.precision - right.scale) + scale
        needed += call.op is not Op.MOD
        left = right = decimal(needed, scale)
    first = rendering.as_type(call.args[0], left)
    second = rendering.as_type(call.args[1], right)
    if call.op is Op.MOD:
        second = f"nullif({second}, 0)"
    text = f"({first} {_SYMBOLS[call.op]} {second})"
    safe = text if needed <= DECIMAL_DIGITS_MAX else f"TRY({text})"
    return f"TRY_CAST({safe} AS {name_of(call.type)})"


def divide(rendering: Rendering, call: Call) -> str:
    """Render / as DuckDB has it: always DOUBLE, inf or NaN where the divisor is 0."""
    typed(call, DOUBLE)
    first, second = (rendering.as_type(number(arg), DOUBLE) for arg in arity(call, 2))
    return f"({first} / {second})"


def sign(rendering: Rendering, call: Call) -> str:
    """Render negation and abs: the smallest whole number has no positive twin in its type."""
    (arg,) = arity(call, 1)
    text = rendering.as_type(number(arg), number(call).type)
    text = f"abs({text})" if call.op is Op.ABS else f"(- {text})"
    safe = text if _cannot_overflow(call) else f"TRY({text})"
    return f"TRY_CAST({safe} AS {name_of(call.type)})"


def round_(rendering: Rendering, call: Call) -> str:
    """Render round to a constant number of digits."""
    if len(call.args) not in (1, 2):
        raise NotRenderable("rounding has a number and a constant number of digits")
    arg = number(call.args[0])
    digits = constant_integer(call.args[1], _ROUND_MAX) if len(call.args) == 2 else 0
    # A whole number is rounded in the widest type: rounding up may leave its own.
    text = rendering.as_type(arg, HUGEINT) if is_integer(arg.type) else rendering.render(arg)
    text = f"round({text}, {digits})" if len(call.args) == 2 else f"round({text})"
    # Without a point, rounding up to tens may need one digit more than the type has.
    full = arg.type == HUGEINT or (arg.type.kind is TypeKind.DECIMAL and arg.type.scale == 0)
    safe = f"TRY({text})" if full and digits < 0 else text
    return f"TRY_CAST({safe} AS {name_of(number(call).type)})"


def floor(rendering: Rendering, call: Call) -> str:
    """Render floor and ceil: exact on decimals, DOUBLE on everything else, as DuckDB."""
    (arg,) = arity(call, 1)
    exact = number(arg).type.kind is TypeKind.DECIMAL
    text = rendering.render(arg) if exact else rendering.as_type(arg, DOUBLE)
    return f"TRY_CAST({call.op.value}({text}) AS {name_of(number(call).type)})"


def of_double(rendering: Rendering, call: Call) -> str:
    """Render sqrt, ln and exp: NaN or inf outside their domain, never an error."""
    typed(call, DOUBLE)
    (arg,) = arity(call, 1)
    return f"{_FUNCTIONS[call.op]}({rendering.as_type(number(arg), DOUBLE)})"


def cast(rendering: Rendering, call: Call) -> str:
    """Render CAST as TRY_CAST."""
    (arg,) = arity(call, 1)
    return cast_text(rendering.render(arg), arg.type, call.type)


def _cannot_overflow(call: Call) -> bool:
    limit = INTEGER_MAX.get(call.type.kind)
    return limit is None or _magnitude(call) <= limit


def _reach(expr: Expr) -> int:
    """Return a bound on the magnitude of a whole number that a row can give the expression."""
    limit = INTEGER_MAX.get(expr.type.kind)
    if limit is None:
        return INTEGER_MAX[TypeKind.HUGEINT] + 1
    if isinstance(expr, Literal):
        return abs(expr.value) if type(expr.value) is int else 0
    # Two's complement: the negative end is one further out.
    return min(_magnitude(expr), limit + 1) if isinstance(expr, Call) else limit + 1


def _magnitude(call: Call) -> int:
    """Return the same bound for a call before its own type limits it."""
    if call.op in (Op.ADD, Op.SUB):
        return sum(_reach(arg) for arg in call.args)
    if call.op is Op.MUL:
        return _reach(call.args[0]) * _reach(call.args[1])
    # The smallest number divided by -1, or its remainder by -1, overflows: so the dividend's reach counts.
    if call.op in (Op.NEG, Op.ABS, Op.INT_DIV, Op.MOD, Op.CAST) and is_integer(call.args[0].type):
        return _reach(call.args[0])
    return INTEGER_MAX.get(call.type.kind, 0) + 1
