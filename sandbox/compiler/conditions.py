"""Conditions and choices: operators whose operands meet in one common type."""

from sqlglot import exp

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.compiler.types import BOOLEAN, common_type, convert


def compare(op: Op, left: Expr, right: Expr) -> Expr:
    """Return a comparison of two expressions in their common type."""
    kind = common_type((left, right))
    return Call(op, (convert(left, kind), convert(right, kind)), BOOLEAN)


def among(subject: Expr, items: list[Expr]) -> Expr:
    """Return `subject IN (items)` with one common type."""
    kind = common_type((subject, *items))
    return Call(Op.IN, tuple(convert(part, kind) for part in (subject, *items)), BOOLEAN)


def alike(op: Op, parts: tuple[Expr, ...]) -> Expr:
    """Return COALESCE, NULLIF, LEAST or GREATEST of parts in their common type."""
    kind = common_type(parts)
    return Call(op, tuple(convert(part, kind) for part in parts), kind)


def case(whens: list[Expr], thens: list[Expr], default: Expr | None) -> Expr:
    """Return CASE with all results in one common type."""
    results = (*thens, default) if default is not None else tuple(thens)
    kind = common_type(results)
    args: list[Expr] = []
    for when, then in zip(whens, thens, strict=True):
        args += [when, convert(then, kind)]
    if default is not None:
        args.append(convert(default, kind))
    return Call(Op.CASE, tuple(args), kind)


def chain(node: exp.Expr) -> list[exp.Expr]:
    """Return the members of a chain of ANDs, or of ORs, from left to right."""
    parts: list[exp.Expr] = []
    pending = [node]
    while pending:
        part = pending.pop()
        if type(part) is type(node):
            pending += [part.expression, part.this]
        else:
            parts.append(part)
    return parts


def is_truth(value: Expr, wanted: bool) -> Expr:
    """Return `value IS TRUE` or `value IS FALSE`: never NULL."""
    constant = Literal(SqlType(TypeKind.BOOLEAN), wanted)
    differs = Call(Op.IS_DISTINCT, (convert(value, BOOLEAN), constant), BOOLEAN)
    return Call(Op.NOT, (differs,), BOOLEAN)
