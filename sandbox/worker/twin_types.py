"""Every expression of a measurement beside the relation it stands over, so that its type can be asked of the engine."""

from collections.abc import Iterator

from policies.terms import SqlType
from sandbox.algebra import (
    Call,
    Cells,
    Column,
    Constants,
    Exists,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Limit,
    Literal,
    Project,
    Relation,
    Scan,
    SetOperation,
    inputs,
    own_expressions,
)
from sandbox.boundary import Measurement
from sandbox.worker.proven import unit_of
from sandbox.worker.sql_types import BOOLEAN

Typed = tuple[tuple[Expr, ...], Relation]


def typed(measurement: Measurement) -> Iterator[Typed]:
    """Return expressions and the relation whose rows give them a value, those inside EXISTS and below included."""
    yield from _relation(measurement.relation)
    keys = tuple(key.expr for key in measurement.keys)
    values = tuple(moment.value for moment in measurement.moments)
    yield from _over((*keys, *values), measurement.relation)


def _relation(relation: Relation) -> Iterator[Typed]:
    for below in inputs(relation):
        yield from _relation(below)
    if isinstance(relation, SetOperation):
        for branch in (relation.left, relation.right):
            yield from _over(branch.columns, branch.input)
    elif isinstance(relation, Project | Group):
        yield from _over(own_expressions(relation), relation.input)
    elif isinstance(relation, Join | Filter):
        yield from _over(own_expressions(relation), _product(relation))
    shown = _shown(relation)
    if shown:
        yield shown, relation


def _product(relation: Join | Filter) -> Relation:
    if isinstance(relation, Filter):
        return relation.input
    return _beside(relation.left, relation.right)


def _beside(left: Relation, right: Relation) -> Relation:
    return Join(JoinType.INNER, left, right, Literal(BOOLEAN, True))


def _over(exprs: tuple[Expr, ...], relation: Relation) -> Iterator[Typed]:
    if exprs:
        yield exprs, relation
    for expr in exprs:
        for found in _exists(expr):
            yield from _relation(found.relation)
            yield from _over((found.on,), _beside(relation, found.relation))


def _exists(expr: Expr) -> Iterator[Exists]:
    if isinstance(expr, Exists):
        yield expr
    elif isinstance(expr, Call):
        for arg in expr.args:
            yield from _exists(arg)


def _shown(relation: Relation) -> tuple[Column, ...]:
    """Return the columns of a derived relation, its unit first."""
    if isinstance(relation, Scan | Join | Filter | Cells | Limit):
        return ()
    if isinstance(relation, Constants):
        return tuple(Column(relation.id, c.name, c.type) for c in relation.columns)
    groups: dict[str, tuple[SqlType, ...]]
    if isinstance(relation, SetOperation):
        unit, groups = relation.left.unit, {"c": tuple(e.type for e in relation.left.columns)}
    elif isinstance(relation, Project):
        windows = tuple(window.type for window in relation.windows)
        unit, groups = relation.unit, {"c": tuple(e.type for e in relation.columns), "w": windows}
    else:
        found = tuple(aggregation.type for aggregation in relation.aggregations)
        unit, groups = relation.unit, {"k": tuple(e.type for e in relation.keys), "a": found}
    named = [
        Column(relation.id, f"{letter}{index}", type_)
        for letter, types in groups.items()
        for index, type_ in enumerate(types)
    ]
    return (unit_of(relation.id), *named) if unit else tuple(named)
