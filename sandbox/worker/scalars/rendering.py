"""What every operator's form is made with: references, constants as parameters, and casts that cannot raise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from policies.terms import Scalar, SqlType
from sandbox.algebra import (
    AggregateRef,
    Call,
    Column,
    Exists,
    Expr,
    GroupingRef,
    KeyRef,
    Literal,
    Op,
)
from sandbox.worker.sql_types import NotRenderable, is_number, meet, name_of

Reference = Column | KeyRef | AggregateRef | GroupingRef

# Guards repeat their operand, so nesting them multiplies text: a plan beyond this is a bomb, not a question.
TEXT_MAX = 512 * 1024


@dataclass(frozen=True, slots=True)
class Rendering:
    """Renders expressions by `rules`; `refer` names columns, and constants collect in `parameters` by name.

    `exists` renders what only an expression over rows may hold: a question about other rows.
    """

    rules: "Mapping[Op, Rule]"
    refer: Callable[[Reference], str]
    exists: "Callable[[Rendering, Exists], str]"
    parameters: dict[str, Any]

    def render(self, expr: Expr) -> str:
        """Return the total SQL of an expression; its DuckDB type is exactly `expr.type`."""
        if isinstance(expr, Literal):
            return self.constant(expr.value, expr.type)
        if not isinstance(expr, Call | Exists):
            return self.refer(expr)
        found = (
            self.rules[expr.op](self, expr) if isinstance(expr, Call) else self.exists(self, expr)
        )
        if len(found) > TEXT_MAX:
            raise NotRenderable("the expression is too large once it is made total")
        return found

    def constant(self, value: Scalar, type_: SqlType) -> str:
        """Return a constant as a typed parameter."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"CAST(${name} AS {name_of(type_)})"

    def as_type(self, expr: Expr, type_: SqlType) -> str:
        """Return the expression in another type, NULL where it does not fit."""
        return cast_text(self.render(expr), expr.type, type_)

    def together(self, args: tuple[Expr, ...]) -> list[str]:
        """Return the operands in the one type in which DuckDB compares them."""
        type_ = meet(args)
        return [self.as_type(arg, type_) for arg in args]


Rule = Callable[[Rendering, Call], str]


def cast_text(text: str, type_: SqlType, wanted: SqlType) -> str:
    """Return rendered text in another type, NULL where it does not fit."""
    return text if type_ == wanted else f"TRY_CAST({text} AS {name_of(wanted)})"


def typed(expr: Expr, type_: SqlType) -> Expr:
    """Return the expression if it has the type, or refuse the plan."""
    if expr.type != type_:
        raise NotRenderable(f"an operand of type {type_} is needed")
    return expr


def number(expr: Expr) -> Expr:
    """Return the expression if it is a number, or refuse the plan."""
    if not is_number(expr.type):
        raise NotRenderable("a number is needed")
    return expr


def arity(call: Call, count: int) -> tuple[Expr, ...]:
    """Return the arguments if there are exactly `count`, or refuse the plan."""
    if len(call.args) != count:
        raise NotRenderable(f"`{call.op}` has {count} arguments")
    return call.args


def constant_integer(expr: Expr, bound: int) -> int:
    """Return a whole constant of the plan, held within [-bound, bound]."""
    if not isinstance(expr, Literal) or type(expr.value) is not int:
        raise NotRenderable("a whole constant is needed")
    return max(-bound, min(bound, expr.value))
