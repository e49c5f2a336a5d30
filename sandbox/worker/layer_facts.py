"""What is known of each column above the release without looking at a value: how noise gets into it.

Reason      A simulated interval is honest only where the noise passes through smoothly. The largest of many noisy values
            is too large each time; simulating it again makes it larger, and the interval misses the truth.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from policies.terms import AggregateName, TypeKind
from sandbox.algebra import (
    AggregateRef,
    Aggregation,
    Call,
    Cells,
    Column,
    Constants,
    Exists,
    Expr,
    Group,
    GroupingRef,
    Join,
    JoinType,
    KeyRef,
    Op,
    Project,
    Relation,
    RowAggregate,
    SetKind,
    SetOperation,
    Windowed,
    WindowFunction,
    inputs,
    own_expressions,
    walk,
)
from sandbox.boundary import Plan
from sandbox.worker.sql_types import is_integer, is_number

ORIGIN_NODES_MAX = 2_000  # a layer that uses one below it twice doubles the expression


class Noise(IntEnum):
    """How a value depends on the noise; the larger, the less is known."""

    NONE = 0
    LINEAR = 1  # a weighted sum of noisy counts and sums: errors add up as variances do
    SMOOTH = 2  # an expression over few of them, as a ratio
    ROUGH = 3  # a choice among them: extremes, ranks, rows kept for their noise


@dataclass(frozen=True, slots=True)
class Origin:
    """The value as an expression over one released row: of the `leaf`-th reading of the released rows."""

    leaf: int
    expr: Expr


@dataclass(frozen=True, slots=True)
class Fact:
    """How noisy a column is, and where it comes from while its row is still one released row."""

    noise: Noise
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a relation.

    `steady` says that noise has no say in which rows there are; `leaves` counts the readings of the released rows that still
    stand row by row; `identified` says that a row can be found again among other draws.
    """

    columns: Mapping[Expr, Fact]
    steady: bool
    leaves: int
    identified: bool
    plan: Plan


def facts_of(relation: Relation, plan: Plan) -> Facts:
    """Return what is known of a relation over the released rows."""
    if isinstance(relation, Cells):
        return _cells(plan)
    if isinstance(relation, Constants):
        still = Fact(Noise.NONE, None)
        fixed: dict[Expr, Fact] = {
            Column(relation.id, c.name, c.type): still for c in relation.columns
        }
        return Facts(fixed, True, 0, True, plan)
    if isinstance(relation, Join):
        return _joined(relation, *(facts_of(side, plan) for side in inputs(relation)))
    if isinstance(relation, SetOperation):
        return _together(relation, *(facts_of(side, plan) for side in inputs(relation)))
    inside = facts_of(inputs(relation)[0], plan)
    if isinstance(relation, Project):
        return _projected(relation, inside)
    if isinstance(relation, Group):
        return _grouped(relation, inside)
    # A limit chooses by position: even without noise in the order, only its rows are certain where all rows are.
    noise = worst(own_expressions(relation), inside)
    return replace(inside, steady=inside.steady and noise is Noise.NONE)


def fact(expr: Expr, known: Facts) -> Fact:
    """Return what is known of an expression over a relation's columns."""
    noise = worst((expr,), known)
    if noise in (Noise.LINEAR, Noise.SMOOTH):
        noise = Noise.LINEAR if _is_linear(expr, known) else Noise.SMOOTH
    return Fact(noise, _origin(expr, known))


def worst(exprs: tuple[Expr, ...], known: Facts) -> Noise:
    """Return the worst noise that any of the expressions reads."""
    found = [_of_node(node, known) for expr in exprs for node in _outside(expr)]
    return max(found, default=Noise.NONE)


def _outside(expr: Expr) -> Iterator[Expr]:
    """Yield the parts of an expression, without entering the relations of EXISTS."""
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.args if isinstance(node, Call) else ())


def _of_node(node: Expr, known: Facts) -> Noise:
    if not isinstance(node, Exists):
        return known.columns[node].noise if node in known.columns else Noise.NONE
    inside = facts_of(node.relation, known.plan)
    both = replace(inside, columns={**known.columns, **inside.columns})
    still = inside.steady and worst((node.on,), both) is Noise.NONE
    return Noise.NONE if still else Noise.ROUGH


def _cells(plan: Plan) -> Facts:
    columns: dict[Expr, Fact] = {}
    for index, key in enumerate(plan.measurement.keys):
        ref: Expr = KeyRef(index, key.expr.type)
        columns[ref] = Fact(Noise.NONE, Origin(0, ref))
    for index, aggregate in enumerate(plan.aggregates):
        ref = AggregateRef(index, aggregate.type)
        noise = Noise.LINEAR if aggregate.name in _LINEAR else Noise.SMOOTH
        if aggregate.name is AggregateName.MODE:
            noise = Noise.ROUGH
        columns[ref] = Fact(noise, Origin(0, ref))
    # Groups that nobody declared are there for their noise.
    return Facts(columns, plan.measurement.selection is None, 1, True, plan)


_LINEAR = (AggregateName.COUNT, AggregateName.COUNT_DISTINCT, AggregateName.SUM)


def _is_linear(expr: Expr, known: Facts) -> bool:
    """Tell whether an expression is a weighted sum, with weights that carry no noise, of linear columns."""
    if worst((expr,), known) is Noise.NONE:
        return True
    if expr in known.columns:
        return known.columns[expr].noise is Noise.LINEAR
    if not isinstance(expr, Call) or not is_number(expr.type):
        return False
    parts = [_is_linear(arg, known) for arg in expr.args]
    noisy = [worst((arg,), known) is not Noise.NONE for arg in expr.args]
    if expr.op in (Op.ADD, Op.SUB, Op.NEG):
        return all(parts)
    if expr.op is Op.MUL:
        return all(parts) and noisy.count(True) == 1
    if expr.op is Op.DIV:
        return parts[0] and not noisy[1]
    # A cast to whole numbers rounds; one from whole numbers does not.
    inner = expr.args[0].type
    exact = is_integer(inner) or expr.type.kind is TypeKind.DOUBLE
    return expr.op is Op.CAST and is_number(inner) and exact and parts[0]


def _origin(expr: Expr, known: Facts) -> Origin | None:
    leaves: set[int] = set()
    found = _substituted(expr, known, leaves)
    if found is None or len(leaves) != 1 or len(walk(found)) > ORIGIN_NODES_MAX:
        return None
    return Origin(leaves.pop(), found)


def _substituted(expr: Expr, known: Facts, leaves: set[int]) -> Expr | None:
    if expr in known.columns:
        origin = known.columns[expr].origin
        if origin is None:
            return None
        leaves.add(origin.leaf)
        return origin.expr
    if isinstance(
        expr, GroupingRef
    ):  # stands directly over the released rows, which are read once there
        leaves.add(0)
    if isinstance(expr, Exists):
        return None
    if not isinstance(expr, Call):
        return expr
    args = [_substituted(arg, known, leaves) for arg in expr.args]
    whole = tuple(arg for arg in args if arg is not None)
    return replace(expr, args=whole) if len(whole) == len(args) else None


def _joined(relation: Join, left: Facts, right: Facts) -> Facts:
    moved = {
        name: replace(found, origin=_shifted(found.origin, left.leaves))
        for name, found in right.columns.items()
    }
    steady = left.steady and right.steady
    both = Facts({**left.columns, **moved}, steady, left.leaves + right.leaves, True, left.plan)
    chosen = worst((relation.on,), both) is not Noise.NONE
    # Whether a partner is there is itself a question to the noise.
    if relation.type is not JoinType.INNER and (chosen or not right.steady):
        both = replace(both, columns={**both.columns, **_rough(moved)})
    if relation.type is JoinType.FULL and (chosen or not left.steady):
        both = replace(both, columns={**both.columns, **_rough(left.columns)})
    identified = left.identified and right.identified
    return replace(both, steady=steady and not chosen, identified=identified)


def _rough(columns: Mapping[Expr, Fact]) -> dict[Expr, Fact]:
    return {name: replace(found, noise=Noise.ROUGH) for name, found in columns.items()}


def _shifted(origin: Origin | None, by: int) -> Origin | None:
    return None if origin is None else replace(origin, leaf=origin.leaf + by)


def _projected(relation: Project, inside: Facts) -> Facts:
    columns: dict[Expr, Fact] = {
        Column(relation.id, f"c{i}", expr.type): fact(expr, inside)
        for i, expr in enumerate(relation.columns)
    }
    for index, window in enumerate(relation.windows):
        noise = _of_window(window, inside)
        columns[Column(relation.id, f"w{index}", window.type)] = Fact(noise, None)
    return replace(inside, columns=columns)


def _of_window(window: Windowed, inside: Facts) -> Noise:
    place = (*window.partition, *(term.expr for term in window.order))
    if not inside.steady or worst(place, inside) is not Noise.NONE:
        return Noise.ROUGH
    noise = max((fact(arg, inside).noise for arg in window.args), default=Noise.NONE)
    if window.function in _ADDING:
        return noise if noise <= Noise.LINEAR else Noise.ROUGH
    if window.function in _PICKING:
        return noise
    return Noise.NONE if noise is Noise.NONE else Noise.ROUGH


_ADDING = (WindowFunction.SUM, WindowFunction.AVG)
_PICKING = (
    WindowFunction.LAG,
    WindowFunction.LEAD,
    WindowFunction.FIRST_VALUE,
    WindowFunction.LAST_VALUE,
)


def _grouped(relation: Group, inside: Facts) -> Facts:
    steady = inside.steady and worst(relation.keys, inside) is Noise.NONE
    columns: dict[Expr, Fact] = {
        Column(relation.id, f"k{i}", key.type): Fact(fact(key, inside).noise, None)
        for i, key in enumerate(relation.keys)
    }
    for index, aggregation in enumerate(relation.aggregations):
        noise = _of_aggregation(aggregation, inside) if steady else Noise.ROUGH
        columns[Column(relation.id, f"a{index}", aggregation.type)] = Fact(noise, None)
    return Facts(columns, steady, 0, steady, inside.plan)


def _of_aggregation(aggregation: Aggregation, inside: Facts) -> Noise:
    where = () if aggregation.where is None else (aggregation.where,)
    if worst(where, inside) is not Noise.NONE:
        return Noise.ROUGH
    noise = max((fact(arg, inside).noise for arg in aggregation.args), default=Noise.NONE)
    if aggregation.function in (RowAggregate.SUM, RowAggregate.AVG):
        return noise if noise <= Noise.LINEAR else Noise.ROUGH
    return Noise.NONE if noise is Noise.NONE else Noise.ROUGH


def _together(relation: SetOperation, left: Facts, right: Facts) -> Facts:
    columns: dict[Expr, Fact] = {}
    kept = relation.kind is SetKind.UNION_ALL
    pairs = zip(relation.left.columns, relation.right.columns, strict=True)
    for index, (one, other) in enumerate(pairs):
        noise = max(fact(one, left).noise, fact(other, right).noise)
        columns[Column(relation.id, f"c{index}", one.type)] = Fact(noise, None)
    steady = left.steady and right.steady
    if not kept:
        # Rows are compared with rows: one noisy column decides over all of them.
        steady = steady and all(found.noise is Noise.NONE for found in columns.values())
    identified = kept and left.identified and right.identified
    return Facts(columns, steady, 0, identified, left.plan)
