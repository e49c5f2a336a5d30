"""Which columns a relation shows, and which an expression takes from outside itself."""

from sandbox.algebra import (
    Call,
    Cells,
    Column,
    Exists,
    Expr,
    Filter,
    Join,
    Limit,
    Relation,
    Scan,
    relations,
)


def shown(relation: Relation) -> frozenset[int]:
    """Return the numbers of the scans and derived relations whose columns are visible above."""
    if isinstance(relation, Scan):
        return frozenset({relation.index})
    if isinstance(relation, Filter | Limit):
        return shown(relation.input)
    if isinstance(relation, Join):
        return shown(relation.left) | shown(relation.right)
    if isinstance(relation, Cells):
        return frozenset()
    return frozenset({relation.id})


def is_released(relation: Relation) -> bool:
    """Tell whether a relation reads released rows."""
    return any(isinstance(part, Cells) for part in relations(relation))


def free_columns(expr: Expr) -> frozenset[Column]:
    """Return the columns an expression needs from where it stands: not those that its EXISTS bring along."""
    if isinstance(expr, Column):
        return frozenset({expr})
    if isinstance(expr, Exists):
        inside = shown(expr.relation)
        return frozenset(c for c in free_columns(expr.on) if c.scan not in inside)
    if isinstance(expr, Call):
        return frozenset(c for arg in expr.args for c in free_columns(arg))
    return frozenset()
