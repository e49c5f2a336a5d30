"""Check what a plan does with its noisy values: it reads released values and constants of its own, and nothing else.

Statement   An accepted post-processing is a function of the released cells and the plan.
Reason      docs/proofs/layers.md, lemma 1, by cases over the relations: the only leaves are the released rows and constants.
"""

from policies.terms import SqlType
from sandbox.algebra import (
    DERIVED_FIRST,
    AggregateRef,
    Aggregation,
    Call,
    Cells,
    Column,
    Constants,
    Exists,
    Expr,
    Filter,
    Group,
    GroupingRef,
    Join,
    KeyRef,
    Limit,
    Literal,
    Project,
    Relation,
    RowOrder,
    SetOperation,
    Windowed,
)
from sandbox.boundary import UNIT_COLUMN, Plan
from sandbox.worker.layer_types import aggregation_type, window_type
from sandbox.worker.sql_types import BOOLEAN, NotRenderable

GROUPING_BITS_MAX = 32

Visible = frozenset[Expr]  # the columns, keys and aggregates an expression may name


class NotReleased(ValueError):
    """Something above the release reads, or claims, what is not released."""


def check_post(plan: Plan) -> None:
    """Check outputs, conditions, order and layers of a plan, or raise NotReleased (NotRenderable for a wrong type)."""
    post = plan.post
    if not post.outputs or post.offset < 0 or (post.limit is not None and post.limit < 0):
        raise NotReleased("an answer has columns, and no negative number of rows")
    checker = _Checker(plan)
    if post.relation is None:
        visible = checker.cells
    else:
        if post.having is not None:
            raise NotReleased("layers filter their own rows")
        visible = checker.rows(post.relation)
    if post.having is not None:
        checker.condition(post.having, visible)
    for expr in [output.expr for output in post.outputs] + [term.expr for term in post.order]:
        checker.read(expr, visible)


class _Checker:
    """Walks one plan's layers and returns, for each relation, what may be named over it."""

    def __init__(self, plan: Plan) -> None:
        keys = [KeyRef(i, key.expr.type) for i, key in enumerate(plan.measurement.keys)]
        aggregates = [AggregateRef(i, found.type) for i, found in enumerate(plan.aggregates)]
        bits = [GroupingRef((i,)) for i in range(len(keys))] if plan.measurement.sets else []
        self.cells: Visible = frozenset([*keys, *aggregates, *bits])
        self._ids: set[int] = set()

    def read(self, expr: Expr, visible: Visible) -> None:
        """Check every name of an expression."""
        if isinstance(expr, Exists):
            # Its relation stands by itself; only its condition looks around.
            self.condition(expr.on, visible | self.rows(expr.relation))
        elif isinstance(expr, Call):
            for arg in expr.args:
                self.read(arg, visible)
        elif isinstance(expr, GroupingRef):
            self._grouping(expr, visible)
        # INVARIANT: above the noise nothing can name a row. Without this line, post-processing would not be free.
        elif not isinstance(expr, Literal) and expr not in visible:
            raise NotReleased("above the release stand released values only")

    def _grouping(self, node: GroupingRef, visible: Visible) -> None:
        if not 1 <= len(node.keys) <= GROUPING_BITS_MAX:
            raise NotReleased("GROUPING has a bit for each of its keys, and few of them")
        if any(GroupingRef((key,)) not in visible for key in node.keys):
            raise NotReleased("GROUPING is of the keys of released rows in several sets")

    def condition(self, expr: Expr, visible: Visible) -> None:
        """Check a truth value."""
        if expr.type != BOOLEAN:
            raise NotReleased("a condition is true or false")
        self.read(expr, visible)

    def rows(self, relation: Relation) -> Visible:
        """Check a relation and return what may be named over it."""
        if isinstance(relation, Cells):
            return self.cells
        if isinstance(relation, Join):
            return self._join(relation)
        if isinstance(relation, Filter | Limit):
            return self._kept(relation)
        if isinstance(relation, Constants):
            return self._constants(relation)
        if isinstance(relation, Project | Group):
            return self._derived(relation)
        if isinstance(relation, SetOperation):
            return self._set_operation(relation)
        # INVARIANT: a scan here would answer without noise.
        raise NotReleased("above the release there are no tables")

    def _join(self, join: Join) -> Visible:
        left, right = self.rows(join.left), self.rows(join.right)
        if self.cells & (left | right):
            raise NotReleased("released rows are named before they are joined")
        self.condition(join.on, left | right)
        return left | right

    def _kept(self, relation: Filter | Limit) -> Visible:
        visible = self.rows(relation.input)
        if isinstance(relation, Filter):
            self.condition(relation.predicate, visible)
            return visible
        if relation.offset < 0 or (relation.count is not None and relation.count < 0):
            raise NotReleased("there is no negative number of rows")
        self._order(relation.order, visible)
        return visible

    def _constants(self, relation: Constants) -> Visible:
        self._number(relation.id)
        names = [column.name for column in relation.columns]
        if not names or len(set(names)) != len(names) or UNIT_COLUMN in names:
            raise NotReleased("columns of constants have names of their own")
        if any(len(row) != len(names) for row in relation.rows):
            raise NotReleased("each row of constants is complete")
        return frozenset(Column(relation.id, c.name, c.type) for c in relation.columns)

    def _derived(self, relation: Project | Group) -> Visible:
        visible = self.rows(relation.input)
        self._number(relation.id)
        if relation.unit:
            raise NotReleased("a released row belongs to no unit")
        parts: list[tuple[str, Expr | Windowed | Aggregation]] = []
        if isinstance(relation, Project):
            parts += [(f"c{i}", expr) for i, expr in enumerate(relation.columns)]
            parts += [(f"w{i}", window) for i, window in enumerate(relation.windows)]
        else:
            parts += [(f"k{i}", expr) for i, expr in enumerate(relation.keys)]
            parts += [(f"a{i}", found) for i, found in enumerate(relation.aggregations)]
        if not parts:
            raise NotReleased("a relation has columns")
        for _, part in parts:
            self._part(part, visible)
        return frozenset(Column(relation.id, name, part.type) for name, part in parts)

    def _part(self, part: Expr | Windowed | Aggregation, visible: Visible) -> None:
        if isinstance(part, Windowed):
            for expr in (*part.args, *part.partition):
                self.read(expr, visible)
            self._order(part.order, visible)
            self._typed(part.type, window_type(part))
        elif isinstance(part, Aggregation):
            for expr in part.args:
                self.read(expr, visible)
            if part.where is not None:
                self.condition(part.where, visible)
            self._typed(part.type, aggregation_type(part))
        else:
            self.read(part, visible)

    def _set_operation(self, relation: SetOperation) -> Visible:
        sides = []
        for branch in (relation.left, relation.right):
            visible = self.rows(branch.input)
            if branch.unit or not branch.columns:
                raise NotReleased("a released row belongs to no unit")
            for expr in branch.columns:
                self.read(expr, visible)
            sides.append(tuple(expr.type for expr in branch.columns))
        if sides[0] != sides[1]:
            raise NotReleased("both branches have the same types")
        self._number(relation.id)
        return frozenset(Column(relation.id, f"c{i}", type_) for i, type_ in enumerate(sides[0]))

    def _order(self, terms: tuple[RowOrder, ...], visible: Visible) -> None:
        for term in terms:
            self.read(term.expr, visible)

    def _typed(self, claimed: SqlType, derived: SqlType) -> None:
        if claimed != derived:
            raise NotRenderable("a function has another type")

    def _number(self, id_: int) -> None:
        if id_ < DERIVED_FIRST or id_ in self._ids:
            raise NotReleased("each relation has a number of its own")
        self._ids.add(id_)
