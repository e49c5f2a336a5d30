"""Expressions that can only take a few constants, whatever the rows hold."""

from policies.terms import Scalar, TypeKind
from sandbox.algebra import Call, Exists, Expr, Literal, Op

_PASSES_RESULTS = frozenset({Op.COALESCE, Op.NULLIF, Op.LEAST, Op.GREATEST})


def constant_results(expr: Expr) -> tuple[Scalar, ...] | None:
    """Return every value an expression can take when all its results are constants, else None."""
    if isinstance(expr, Literal):
        return (expr.value,)
    if isinstance(expr, Exists):
        return (False, True)
    if not isinstance(expr, Call):
        return None
    if expr.op is Op.CASE:
        parts = [a for i, a in enumerate(expr.args) if i % 2 == 1 or i == len(expr.args) - 1]
        found = [constant_results(part) for part in parts]
        if None in found:
            return None
        without_else = len(expr.args) % 2 == 0
        listed = [value for values in found if values is not None for value in values]
        return (*listed, None) if without_else else tuple(listed)
    if expr.op in _PASSES_RESULTS:
        return None
    if expr.type.kind is TypeKind.BOOLEAN:
        sure = expr.op in (Op.IS_NULL, Op.IS_DISTINCT)
        return (False, True) if sure else (False, True, None)
    return None
