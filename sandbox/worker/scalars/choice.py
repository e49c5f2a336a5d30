"""Truth, comparison and choice. Operands are brought to one type by hand: implicit casts raise."""

from sandbox.algebra import Call, Op
from sandbox.worker.scalars.rendering import Rendering, arity, number, typed
from sandbox.worker.sql_types import BOOLEAN, DOUBLE, VARCHAR, NotRenderable

_COMPARE = {
    Op.EQ: "=",
    Op.NE: "<>",
    Op.LT: "<",
    Op.LE: "<=",
    Op.GT: ">",
    Op.GE: ">=",
    Op.IS_DISTINCT: "IS DISTINCT FROM",
}


def logic(rendering: Rendering, call: Call) -> str:
    """Render AND, OR and NOT."""
    typed(call, BOOLEAN)
    parts = [rendering.render(typed(arg, BOOLEAN)) for arg in call.args]
    if call.op is Op.NOT:
        arity(call, 1)
        return f"(NOT {parts[0]})"
    if len(parts) < 2:
        raise NotRenderable("a conjunction has at least two parts")
    return "(" + f" {call.op.value.upper()} ".join(parts) + ")"


def compare(rendering: Rendering, call: Call) -> str:
    """Render a comparison of two operands."""
    typed(call, BOOLEAN)
    left, right = rendering.together(arity(call, 2))
    return f"({left} {_COMPARE[call.op]} {right})"


def is_null(rendering: Rendering, call: Call) -> str:
    """Render IS NULL."""
    typed(call, BOOLEAN)
    (arg,) = arity(call, 1)
    return f"({rendering.render(arg)} IS NULL)"


def is_nan(rendering: Rendering, call: Call) -> str:
    """Render isnan."""
    typed(call, BOOLEAN)
    (arg,) = arity(call, 1)
    return f"isnan({rendering.as_type(number(arg), DOUBLE)})"


def contained(rendering: Rendering, call: Call) -> str:
    """Render IN over a list of values."""
    typed(call, BOOLEAN)
    if len(call.args) < 2:
        raise NotRenderable("a list of values is not empty")
    first, *rest = rendering.together(call.args)
    return f"({first} IN ({', '.join(rest)}))"


def like(rendering: Rendering, call: Call) -> str:
    """Render LIKE and ILIKE. No escape character: a pattern that ends in one raises."""
    typed(call, BOOLEAN)
    text, pattern = (rendering.render(typed(arg, VARCHAR)) for arg in arity(call, 2))
    return f"({text} {call.op.value.upper()} {pattern})"


def case(rendering: Rendering, call: Call) -> str:
    """Render CASE; each branch is brought to the type of the whole."""
    pairs, rest = divmod(len(call.args), 2)
    if pairs == 0:
        raise NotRenderable("a case has at least one branch")
    text = "CASE"
    for index in range(pairs):
        when, then = call.args[2 * index : 2 * index + 2]
        text += f" WHEN {rendering.render(typed(when, BOOLEAN))}"
        text += f" THEN {rendering.as_type(then, call.type)}"
    if rest:
        text += f" ELSE {rendering.as_type(call.args[-1], call.type)}"
    return f"({text} END)"


def choose(rendering: Rendering, call: Call) -> str:
    """Render COALESCE, LEAST and GREATEST. The last two skip NULL, as DuckDB does."""
    if not call.args:
        raise NotRenderable("a choice has at least one value")
    parts = ", ".join(rendering.as_type(arg, call.type) for arg in call.args)
    return f"{call.op.value}({parts})"


def nullif(rendering: Rendering, call: Call) -> str:
    """Render NULLIF: the whole value is kept, not its form in the type of the comparison."""
    left, right = arity(call, 2)
    first, second = rendering.together((left, right))
    kept = rendering.as_type(left, call.type)
    return f"(CASE WHEN {first} = {second} THEN NULL ELSE {kept} END)"
