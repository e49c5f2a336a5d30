"""Prove a relation from its scans up: what it shows, and which of its columns hold the unit. One case for each operator.

Statement, preconditions and counterexamples, operator by operator: docs/proofs/relations.md.
"""

from dataclasses import dataclass, field

from policies.terms import SqlType
from sandbox.algebra import (
    DERIVED_FIRST,
    Branch,
    Cells,
    Column,
    Constants,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Limit,
    Project,
    Relation,
    Scan,
    SetKind,
    SetOperation,
)
from sandbox.boundary import UNIT_COLUMN, TableScan
from sandbox.worker.proven import (
    Flow,
    NotPrivate,
    Pair,
    Private,
    Public,
    check_unit,
    full,
    inner,
    left,
    owned,
)
from sandbox.worker.row_aggregates import check_aggregation
from sandbox.worker.row_windows import check_window
from sandbox.worker.sql_types import BOOLEAN
from sandbox.worker.visible import Scope, Shown, check_condition, check_expr

_UNIONS = (SetKind.UNION_ALL, SetKind.UNION)
_DISTINCT = (SetKind.EXCEPT, SetKind.INTERSECT)


@dataclass(frozen=True, slots=True)
class _Block:
    """Inner joins and filters taken apart: their conditions hold together on every row, wherever they stand."""

    columns: frozenset[Column]
    held: frozenset[Column]
    leaves: tuple[Flow, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves relations of one plan. `numbers` are the relations met so far, `known` those inside EXISTS."""

    scans: tuple[TableScan, ...]
    numbers: set[int] = field(default_factory=set)
    known: dict[Relation, Shown] = field(default_factory=dict)

    def scope(self, shown: Shown) -> Scope:
        """Return the scope of expressions over a relation of the plan."""
        return Scope(frozenset(), frozenset(), self._inside).over(shown)

    def prove(self, relation: Relation) -> Shown:
        """Return what a relation shows and what is proven about its units, or raise NotPrivate."""
        block = self._block(relation)
        return Shown(block.columns, inner(block.leaves, block.pairs))

    def _inside(self, relation: Relation) -> Shown:
        """Prove the relation of an EXISTS. The same one may stand in several expressions: its numbers count once."""
        if relation not in self.known:
            self.known[relation] = self.prove(relation)
        return self.known[relation]

    def _block(self, relation: Relation) -> _Block:
        if isinstance(relation, Filter):
            below, condition = self._block(relation.input), relation.predicate
        elif isinstance(relation, Join) and relation.type is JoinType.INNER:
            a, b = self._block(relation.left), self._block(relation.right)
            leaves, pairs = a.leaves + b.leaves, a.pairs + b.pairs
            below = _Block(a.columns | b.columns, a.held | b.held, leaves, pairs)
            condition = relation.on
        else:
            shown = self._leaf(relation)
            held = shown.flow.held if isinstance(shown.flow, Private) else frozenset()
            return _Block(shown.columns, held, (shown.flow,), ())
        scope = Scope(below.columns, below.held, self._inside)
        pairs = below.pairs + check_condition(condition, scope)
        return _Block(below.columns, below.held, below.leaves, pairs)

    def _leaf(self, relation: Relation) -> Shown:
        if isinstance(relation, Scan):
            return self._scan(relation)
        if isinstance(relation, Join | Filter):
            return self._outer(relation) if isinstance(relation, Join) else self.prove(relation)
        if isinstance(relation, Cells | Limit):
            # The first rows of all are other people's as soon as one person leaves.
            raise NotPrivate("released rows and their limits stand above the release")
        if relation.id < DERIVED_FIRST:
            raise NotPrivate("a derived relation has a number of its own")
        self._number(relation.id)
        if isinstance(relation, Constants):
            return _constants(relation)
        if isinstance(relation, Project):
            return self._project(relation)
        if isinstance(relation, Group):
            return self._group(relation)
        return self._set(relation)

    def _number(self, number: int) -> None:
        if number in self.numbers:
            raise NotPrivate("each relation of a plan stands in one place")
        self.numbers.add(number)

    def _scan(self, scan: Scan) -> Shown:
        if not 0 <= scan.index < min(len(self.scans), DERIVED_FIRST):
            raise NotPrivate("the plan has no such table")
        self._number(scan.index)
        table = self.scans[scan.index]
        columns = frozenset(Column(scan.index, c.name, c.type) for c in table.columns)
        if len({column.name for column in columns} | {UNIT_COLUMN}) <= len(table.columns):
            raise NotPrivate("a scan declares each column once, and never the unit")
        return Shown(columns, owned(scan.index) if table.private else Public())

    def _outer(self, join: Join) -> Shown:
        a, b = self.prove(join.left), self.prove(join.right)
        # In its own condition: a filter above would take rows without a partner away, or leave them with a stranger.
        pairs = check_condition(join.on, self.scope(a).beside(self.scope(b)))
        flow = (left if join.type is JoinType.LEFT else full)(a.flow, b.flow, pairs)
        return Shown(a.columns | b.columns, flow)

    def _project(self, project: Project) -> Shown:
        below = self.prove(project.input)
        scope = self.scope(below)
        check_unit(project.unit, below.flow)
        for expr in project.columns:
            check_expr(expr, scope)
        for window in project.windows:
            for expr in (*window.args, *window.partition, *(term.expr for term in window.order)):
                check_expr(expr, scope)
            check_window(window)
        shown = _numbered(project.id, "c", tuple(expr.type for expr in project.columns))
        shown |= _numbered(project.id, "w", tuple(window.type for window in project.windows))
        return Shown(shown, _derived(project.id, project.unit))

    def _group(self, group: Group) -> Shown:
        below = self.prove(group.input)
        scope = self.scope(below)
        # A private relation without its unit among the keys would be the release itself, without noise.
        check_unit(group.unit, below.flow)
        if not (group.unit or group.keys or group.aggregations):
            raise NotPrivate("a group has keys or aggregates")
        for expr in group.keys:
            check_expr(expr, scope)
        for aggregation in group.aggregations:
            for expr in aggregation.args:
                check_expr(expr, scope)
            if aggregation.where is not None:
                _check_truth(aggregation.where, scope)
            check_aggregation(aggregation)
        shown = _numbered(group.id, "k", tuple(expr.type for expr in group.keys))
        shown |= _numbered(group.id, "a", tuple(found.type for found in group.aggregations))
        return Shown(shown, _derived(group.id, group.unit))

    def _set(self, found: SetOperation) -> Shown:
        types = self._branch(found.left)
        private, others = bool(found.left.unit), bool(found.right.unit)
        # Rows of people that are only counted carry their unit and nothing else; nothing is compared in UNION ALL.
        counted = private and others and found.kind is SetKind.UNION_ALL
        if types != self._branch(found.right) or not (types or counted):
            raise NotPrivate("the branches of a set operation have the same columns")
        if private != others and (found.kind in _UNIONS or others):
            # Counterexample: `public EXCEPT private` loses rows that belong to nobody when one person comes.
            raise NotPrivate("public rows stand beside private ones only where they are taken away")
        if private and not others and found.kind not in _DISTINCT:
            raise NotPrivate("rows are counted off against private rows only")
        return Shown(_numbered(found.id, "c", types), _derived(found.id, found.left.unit))

    def _branch(self, branch: Branch) -> tuple[SqlType, ...]:
        below = self.prove(branch.input)
        check_unit(branch.unit, below.flow)
        for expr in branch.columns:
            check_expr(expr, self.scope(below))
        return tuple(expr.type for expr in branch.columns)


def _check_truth(expr: Expr, scope: Scope) -> None:
    if expr.type != BOOLEAN:
        raise NotPrivate("a condition is true or false")
    check_expr(expr, scope)


def _numbered(relation: int, letter: str, types: tuple[SqlType, ...]) -> frozenset[Column]:
    return frozenset(Column(relation, f"{letter}{i}", type_) for i, type_ in enumerate(types))


def _derived(relation: int, unit: tuple[Column, ...]) -> Flow:
    return owned(relation) if unit else Public()


def _constants(constants: Constants) -> Shown:
    names = [column.name for column in constants.columns]
    if not names or len(set(names)) < len(names) or UNIT_COLUMN in names:
        raise NotPrivate("constants have columns with names of their own")
    if any(len(row) != len(names) for row in constants.rows):
        raise NotPrivate("each row of constants has a value for each column")
    columns = (Column(constants.id, column.name, column.type) for column in constants.columns)
    return Shown(frozenset(columns), Public())
