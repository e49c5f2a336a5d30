"""Queries whose type DuckDB tells: each expression above the release must have the type its node claims."""

from collections.abc import Iterator

from policies.terms import SqlType
from sandbox.algebra import (
    Column,
    Expr,
    Filter,
    Group,
    Join,
    Limit,
    Project,
    Relation,
    SetOperation,
    own_expressions,
    relations,
)
from sandbox.boundary import Plan
from sandbox.worker.layers import LayerRendering


def typed_layers(plan: Plan) -> Iterator[tuple[str, dict[str, object], SqlType]]:
    """Yield a query of one column, its parameters, and the type that the plan claims for it."""
    root = plan.post.relation
    if root is None:
        return
    for relation in relations(root):
        for expr in _claims(relation):
            yield _query(plan, relation, expr)
    shown = [output.expr for output in plan.post.outputs]
    for expr in (*shown, *(term.expr for term in plan.post.order)):
        yield _query(plan, root, expr)


def _claims(relation: Relation) -> tuple[Expr, ...]:
    """Return the columns a relation makes, or the expressions by which it keeps rows."""
    if isinstance(relation, Filter | Join | Limit):
        return own_expressions(relation)
    if isinstance(relation, Project):
        named = [(f"c{i}", expr.type) for i, expr in enumerate(relation.columns)]
        named += [(f"w{i}", window.type) for i, window in enumerate(relation.windows)]
    elif isinstance(relation, Group):
        named = [(f"k{i}", key.type) for i, key in enumerate(relation.keys)]
        named += [(f"a{i}", found.type) for i, found in enumerate(relation.aggregations)]
    elif isinstance(relation, SetOperation):
        named = [(f"c{i}", expr.type) for i, expr in enumerate(relation.left.columns)]
    else:
        return ()
    return tuple(Column(relation.id, name, type_) for name, type_ in named)


def _query(plan: Plan, relation: Relation, expr: Expr) -> tuple[str, dict[str, object], SqlType]:
    layers = LayerRendering(plan, "_ky_cells", draws=0)
    rows = layers.rows(relation, spine=False)
    text = f"SELECT {layers.rendering.render(expr)} AS x FROM {rows.text}"  # noqa: S608
    return text, layers.rendering.parameters, expr.type
