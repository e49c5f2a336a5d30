"""Where derived columns come from: the definitions inside a relation, followed down to registered columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.terms import Scalar
from sandbox.algebra import (
    DERIVED_FIRST,
    Aggregation,
    Call,
    Column,
    ConstantColumn,
    Constants,
    Expr,
    Group,
    Join,
    JoinType,
    Literal,
    Op,
    Project,
    Relation,
    SetKind,
    SetOperation,
    Windowed,
    relations,
)
from sandbox.compiler.reach import shown


@dataclass(frozen=True, slots=True)
class Either:
    """A column of a set operation: the left branch's expression or the right one's."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Listed:
    """A column of constants."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Aggregated:
    """An aggregate over the rows of one group of `group`."""

    aggregation: Aggregation
    group: Group


@dataclass(frozen=True, slots=True)
class OverRows:
    """A window function over the rows below `project`."""

    windowed: Windowed
    project: Project


Definition = Either | Listed | Aggregated | OverRows | Expr
Definitions = Mapping[Column, Definition]


def definitions(relation: Relation) -> Definitions:
    """Return what every derived column of a relation stands for, those inside EXISTS included; unit codes apart."""
    found: dict[Column, Definition] = {}
    for node in relations(relation):
        if isinstance(node, Constants):
            found |= {_constant(node, c): _listed(node, i) for i, c in enumerate(node.columns)}
        elif isinstance(node, Project):
            found |= {Column(node.id, f"c{i}", e.type): e for i, e in enumerate(node.columns)}
            found |= {
                Column(node.id, f"w{i}", w.type): OverRows(w, node)
                for i, w in enumerate(node.windows)
            }
        elif isinstance(node, Group):
            found |= {Column(node.id, f"k{i}", e.type): e for i, e in enumerate(node.keys)}
            found |= {
                Column(node.id, f"a{i}", a.type): Aggregated(a, node)
                for i, a in enumerate(node.aggregations)
            }
        elif isinstance(node, SetOperation):
            unites = node.kind in (SetKind.UNION_ALL, SetKind.UNION)
            sides = zip(node.left.columns, node.right.columns, strict=True)
            # what EXCEPT and INTERSECT leave are values of the left branch
            found |= {
                Column(node.id, f"c{i}", a.type): Either(a, b) if unites else a
                for i, (a, b) in enumerate(sides)
            }
    return MappingProxyType(found)


def _constant(node: Constants, column: ConstantColumn) -> Column:
    return Column(node.id, column.name, column.type)


def _listed(node: Constants, index: int) -> Listed:
    return Listed(tuple(dict.fromkeys(row[index] for row in node.rows)))


def nullable(relation: Relation) -> frozenset[int]:
    """Return the scans and derived relations whose columns are NULL where an outer join found no partner."""
    found: set[int] = set()
    for node in relations(relation):
        if isinstance(node, Join) and node.type is not JoinType.INNER:
            found |= shown(node.right)
            if node.type is JoinType.FULL:
                found |= shown(node.left)
    return frozenset(found)


def origins(expr: Expr, known: Definitions) -> frozenset[Column]:
    """Return the registered columns that an expression is a bare copy of: through casts and projections; nothing if it is none.

    A column of a union is a copy of one column of each branch; a constant on one side copies nothing.
    """
    while isinstance(expr, Call) and expr.op is Op.CAST:
        expr = expr.args[0]
    if not isinstance(expr, Column):
        return frozenset()
    if expr.scan < DERIVED_FIRST:
        return frozenset({expr})
    found = known.get(expr)
    if isinstance(found, Either):
        sides = (found.left, found.right)
        copied = [origins(side, known) for side in sides if not _is_constant(side, known)]
        return frozenset().union(*copied) if all(copied) else frozenset()
    return origins(found, known) if isinstance(found, Column | Call) else frozenset()


def _is_constant(expr: Expr, known: Definitions) -> bool:
    """Tell whether an expression is a constant or a column of constants."""
    return isinstance(expr, Literal) or (
        isinstance(expr, Column) and isinstance(known.get(expr), Listed)
    )
