"""Several values as one: a text that two rows share exactly when they share every value."""

from policies.terms import TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.compiler.types import BIGINT, DOUBLE, VARCHAR


def as_one(parts: tuple[Expr, ...]) -> Expr:
    """Return the values, each with its length before it, NULL as `n`. As in DuckDB the whole is never NULL."""
    sized = tuple(map(_sized, parts))
    return sized[0] if len(sized) == 1 else Call(Op.CONCAT, sized, VARCHAR)


def _sized(part: Expr) -> Expr:
    text = _text(part)
    length = Call(Op.CAST, (Call(Op.LENGTH, (text,), BIGINT),), VARCHAR)
    sized = Call(Op.CONCAT, (length, Literal(VARCHAR, ":"), text), VARCHAR)
    return Call(Op.COALESCE, (sized, Literal(VARCHAR, "n")), VARCHAR)


def _text(part: Expr) -> Expr:
    if part.type.kind is TypeKind.VARCHAR:
        return part
    if part.type == DOUBLE:  # -0 and 0 are one number
        part = Call(Op.ADD, (part, Literal(DOUBLE, 0.0)), DOUBLE)
    return Call(Op.CAST, (part,), VARCHAR)
