"""Text operators: total in DuckDB but for positions beyond 32 bits."""

from sandbox.algebra import Call, Expr, Op
from sandbox.worker.scalars.rendering import Rendering, arity, cast_text, number, typed
from sandbox.worker.sql_types import BIGINT, BOOLEAN, VARCHAR, NotRenderable, is_integer

_POSITION_MAX = 2**31  # DuckDB raises beyond 2**32; no text of the domain is that long


def of_text(rendering: Rendering, call: Call) -> str:
    """Render lower, upper and trim."""
    typed(call, VARCHAR)
    (arg,) = arity(call, 1)
    return f"{call.op.value}({rendering.render(typed(arg, VARCHAR))})"


def concat(rendering: Rendering, call: Call) -> str:
    """Render the operator ||: NULL if any part is NULL."""
    typed(call, VARCHAR)
    if len(call.args) < 2:
        raise NotRenderable("a concatenation has at least two parts")
    return "(" + " || ".join(rendering.render(typed(arg, VARCHAR)) for arg in call.args) + ")"


def test(rendering: Rendering, call: Call) -> str:
    """Render starts_with and contains."""
    typed(call, BOOLEAN)
    text, part = (rendering.render(typed(arg, VARCHAR)) for arg in arity(call, 2))
    return f"{call.op.value}({text}, {part})"


def length(rendering: Rendering, call: Call) -> str:
    """Render length, in characters."""
    (arg,) = arity(call, 1)
    text = f"length({rendering.render(typed(arg, VARCHAR))})"
    return cast_text(text, BIGINT, number(call).type)


def part(rendering: Rendering, call: Call) -> str:
    """Render substring, left and right."""
    typed(call, VARCHAR)
    if len(call.args) - 1 not in ((1, 2) if call.op is Op.SUBSTRING else (1,)):
        raise NotRenderable("a part of a text has a text and whole numbers")
    text = rendering.render(typed(call.args[0], VARCHAR))
    positions = ", ".join(_position(rendering, arg) for arg in call.args[1:])
    return f"{call.op.value}({text}, {positions})"


def _position(rendering: Rendering, arg: Expr) -> str:
    if not is_integer(arg.type):
        raise NotRenderable("a position in a text is a whole number")
    text = rendering.render(arg)
    held = f"greatest(-{_POSITION_MAX}, least({_POSITION_MAX}, {text}))"
    # NULL first: least and greatest skip it and would make a position of it.
    return f"CAST(CASE WHEN {text} IS NULL THEN NULL ELSE {held} END AS BIGINT)"
