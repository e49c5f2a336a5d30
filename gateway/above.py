"""What stands above the release, read for its noise: whether a column carries any, and how it is made of aggregates.

A column of a layer is followed down to the released row it is computed from. Where rows are put together or chosen on the
way, an error cannot be foretold; then only that there is one is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from policies.terms import TypeKind
from sandbox.algebra import (
    AggregateRef,
    Call,
    Cells,
    Column,
    Expr,
    Filter,
    Group,
    Limit,
    Literal,
    Op,
    Project,
    Relation,
    SetOperation,
    expressions,
    relations,
    walk,
)

NODES_MAX = 2_000  # a layer that uses one below it twice doubles the expression
_WHOLE = frozenset({TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT})


@dataclass(frozen=True, slots=True)
class Form:
    """A weighted sum of aggregates and a constant; `cut` where it is clamped on the way, which only ever lessens an error."""

    weights: Mapping[int, float]
    cut: bool


def is_noisy(expr: Expr, relation: Relation | None) -> bool:
    """Tell whether an expression depends on a noisy value, also through the layers it reads."""
    if any(isinstance(node, AggregateRef) for node in walk(expr)):
        return True
    if relation is None:
        return False
    return any(
        is_noisy(inner, relation)
        for node in walk(expr)
        if isinstance(node, Column)
        for inner in _makers(node, relation)
    )


def _makers(column: Column, relation: Relation) -> tuple[Expr, ...]:
    """Return the expressions that a column of a layer is made of."""
    layer = next((r for r in relations(relation) if getattr(r, "id", None) == column.scan), None)
    place = int(column.name[1:]) if column.name[1:].isdecimal() else 0
    if isinstance(layer, Project) and column.name.startswith("c"):
        return (layer.columns[place],)
    if isinstance(layer, Project):
        window = layer.windows[place]
        return (*window.args, *window.partition, *(term.expr for term in window.order))
    if isinstance(layer, Group) and column.name.startswith("k"):
        return (layer.keys[place],)
    if isinstance(layer, Group):
        # how many rows there are may itself follow from noise further down
        return (*layer.aggregations[place].args, *expressions(layer.input))
    if isinstance(layer, SetOperation):
        return layer.left.columns[place], layer.right.columns[place]
    return ()


def origin(expr: Expr, relation: Relation | None) -> Expr | None:
    """Return the expression over one released row that a column is, None if rows were put together for it."""
    if relation is None or isinstance(relation, Cells):
        return expr if len(walk(expr)) <= NODES_MAX else None
    if isinstance(relation, (Filter, Limit)):
        return origin(expr, relation.input)
    if isinstance(relation, Project):
        found = _substituted(expr, relation)
        return None if found is None else origin(found, relation.input)
    return None


def _substituted(expr: Expr, layer: Project) -> Expr | None:
    if isinstance(expr, Column):
        place = int(expr.name[1:]) if expr.name[1:].isdecimal() else -1
        own = expr.scan == layer.id and expr.name.startswith("c")
        return layer.columns[place] if own and 0 <= place < len(layer.columns) else None
    if not isinstance(expr, Call):
        return expr
    found = tuple(_substituted(arg, layer) for arg in expr.args)
    whole = tuple(arg for arg in found if arg is not None)
    return replace(expr, args=whole) if len(whole) == len(found) else None


def form(expr: Expr) -> Form | None:
    """Return an expression as a weighted sum of aggregates, None if it is none."""
    if isinstance(expr, AggregateRef):
        return Form({expr.index: 1.0}, False)
    if not any(isinstance(node, AggregateRef) for node in walk(expr)):
        return Form({}, False)
    if not isinstance(expr, Call):
        return None
    if expr.op in (Op.ADD, Op.SUB):
        left, right = (form(arg) for arg in expr.args)
        return _sum(left, right, -1.0 if expr.op is Op.SUB else 1.0)
    if expr.op in (Op.MUL, Op.DIV):
        return _times(expr)
    if expr.op in (Op.LEAST, Op.GREATEST):
        return _clamped(expr)
    inner = form(expr.args[0])
    if inner is not None and expr.op is Op.NEG:
        return Form({index: -weight for index, weight in inner.weights.items()}, inner.cut)
    if inner is not None and expr.op is Op.ABS:
        return replace(inner, cut=True)
    return inner if expr.op is Op.CAST and _keeps(expr) else None


def ratio(expr: Expr) -> tuple[Form, int] | None:
    """Return a weighted sum of aggregates over one aggregate, and which that is; None if it is no such ratio."""
    if not isinstance(expr, Call):
        return None
    if expr.op is Op.CAST and expr.type.kind is TypeKind.DOUBLE:
        return ratio(expr.args[0])
    if expr.op is Op.MUL:
        for inner, other in (expr.args, expr.args[::-1]):
            factor, found = _constant(other), ratio(inner)
            if factor is not None and found is not None:
                by = {index: weight * factor for index, weight in found[0].weights.items()}
                return Form(by, found[0].cut), found[1]
        return None
    below = expr.args[1] if expr.op is Op.DIV else None
    while isinstance(below, Call) and below.op is Op.CAST and _keeps(below):
        below = below.args[0]
    above = form(expr.args[0])
    if not isinstance(below, AggregateRef) or above is None or _adds_constant(expr.args[0]):
        return None
    return above, below.index


def _adds_constant(expr: Expr) -> bool:
    return any(
        isinstance(node, Call)
        and node.op not in (Op.MUL, Op.DIV, Op.CAST, Op.NEG)
        and any(_constant(arg) is not None for arg in node.args)
        for node in walk(expr)
    )


def _sum(left: Form | None, right: Form | None, sign: float) -> Form | None:
    if left is None or right is None:
        return None
    weights = dict(left.weights)
    for index, weight in right.weights.items():
        weights[index] = weights.get(index, 0.0) + sign * weight
    return Form(weights, left.cut or right.cut)


def _times(expr: Call) -> Form | None:
    left, right = expr.args
    factor = _constant(right)
    if factor is None and expr.op is Op.MUL:
        factor, left = _constant(left), right
    inner = form(left)
    if factor is None or inner is None or (expr.op is Op.DIV and factor == 0):
        return None
    by = factor if expr.op is Op.MUL else 1.0 / factor
    return Form({index: weight * by for index, weight in inner.weights.items()}, inner.cut)


def _clamped(expr: Call) -> Form | None:
    noisy = [arg for arg in expr.args if any(isinstance(n, AggregateRef) for n in walk(arg))]
    others = [arg for arg in expr.args if arg not in noisy]
    if len(noisy) != 1 or any(_constant(arg) is None for arg in others):
        return None
    inner = form(noisy[0])
    return None if inner is None else replace(inner, cut=True)


def _keeps(cast: Call) -> bool:
    """Tell whether a cast leaves the value as it is: whole numbers stay whole, and DOUBLE holds every number nearly."""
    return cast.type.kind is TypeKind.DOUBLE or (
        cast.args[0].type.kind in _WHOLE and cast.type.kind in (*_WHOLE, TypeKind.DECIMAL)
    )


def _constant(expr: Expr) -> float | None:
    if isinstance(expr, Call) and expr.op in (Op.CAST, Op.NEG):
        inner = _constant(expr.args[0])
        return inner if inner is None or expr.op is Op.CAST else -inner
    value = expr.value if isinstance(expr, Literal) else None
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return float(value) if number else None  # type: ignore[arg-type]
