"""The operator tree that a plan is made of: typed scalar expressions and relations, from closed enumerations.

Nothing here is text of the operator: names are the domain's own (declared at registration), constants are typed literals
that the worker binds as parameters. Every expression built from these nodes is total: whatever the rows hold, it has a
value or NULL and never raises (docs/proofs/totality.md), because an error that depends on data is an answer without noise.
"""

from dataclasses import dataclass

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.operators import JoinType as JoinType
from sandbox.operators import Op as Op
from sandbox.operators import RowAggregate as RowAggregate
from sandbox.operators import SetKind as SetKind
from sandbox.operators import TimeUnit as TimeUnit
from sandbox.operators import WindowFunction as WindowFunction

DERIVED_FIRST = 1_000  # derived relations are numbered from here on, scans below it


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the `scan`-th table of the plan, or of the derived relation with that number."""

    scan: int
    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Literal:
    """A typed constant; crosses as a value and is bound as a parameter, never pasted into SQL."""

    type: SqlType
    value: Scalar


@dataclass(frozen=True, slots=True)
class Call:
    """An operator applied to arguments; `unit` only for the date operators."""

    op: Op
    args: tuple["Expr", ...]
    type: SqlType
    unit: TimeUnit | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """True if the relation has a row for which `on` holds, else false; never NULL. `on` reads both sides."""

    relation: "Relation"
    on: "Expr"

    @property
    def type(self) -> SqlType:
        """A truth value."""
        return SqlType(TypeKind.BOOLEAN)


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Above the release: the value of the `index`-th group key."""

    index: int
    type: SqlType


@dataclass(frozen=True, slots=True)
class AggregateRef:
    """Above the release: the noisy value of the `index`-th aggregate."""

    index: int
    type: SqlType


@dataclass(frozen=True, slots=True)
class GroupingRef:
    """Above the release: GROUPING(…). One bit for each group key, the last lowest: 1 where a row adds up over that key."""

    keys: tuple[int, ...]

    @property
    def type(self) -> SqlType:
        """A whole number."""
        return SqlType(TypeKind.BIGINT)


Expr = Column | Literal | Call | Exists | KeyRef | AggregateRef | GroupingRef


@dataclass(frozen=True, slots=True)
class Scan:
    """All rows of the `index`-th table of the plan."""

    index: int


@dataclass(frozen=True, slots=True)
class ConstantColumn:
    """A column of a relation that the plan itself brings along."""

    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Constants:
    """Rows that the plan brings along (VALUES, a generated series, an operator's own table): public."""

    id: int
    columns: tuple[ConstantColumn, ...]
    rows: tuple[tuple[Scalar, ...], ...]


@dataclass(frozen=True, slots=True)
class Join:
    """The join of two relations on a total condition. The columns of both sides stay visible."""

    type: JoinType
    left: "Relation"
    right: "Relation"
    on: Expr


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows for which the total predicate is true."""

    input: "Relation"
    predicate: Expr


@dataclass(frozen=True, slots=True)
class RowOrder:
    """One term of an order among the rows of one partition."""

    expr: Expr
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """ROWS BETWEEN `preceding` before and `following` after the current row; None is unbounded, negative the other way."""

    preceding: int | None
    following: int | None


@dataclass(frozen=True, slots=True)
class Windowed:
    """A window function over the rows of one partition; without a frame SQL's default for its order."""

    function: WindowFunction
    args: tuple[Expr, ...]
    partition: tuple[Expr, ...]
    order: tuple[RowOrder, ...]
    frame: Frame | None
    type: SqlType


@dataclass(frozen=True, slots=True)
class Project:
    """A relation with columns of its own: c0, c1, … are `columns`, w0, w1, … are `windows`, over the rows of `input`.

    `unit` is the privacy unit of each row: nothing for a public relation, one unit column, or for the rows of a full join
    the first of several that is not NULL.
    """

    id: int
    input: "Relation"
    unit: tuple[Column, ...]
    columns: tuple[Expr, ...]
    windows: tuple[Windowed, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An exact aggregate of the rows for which `where` holds (all rows without it)."""

    function: RowAggregate
    args: tuple[Expr, ...]
    where: Expr | None
    type: SqlType


@dataclass(frozen=True, slots=True)
class Group:
    """One row for each privacy unit and combination of keys: k0, k1, … are `keys`, a0, a1, … are `aggregations`.

    `unit` as in `Project`; without one the relation is public. DISTINCT is a Group of all its columns.
    """

    id: int
    input: "Relation"
    unit: tuple[Column, ...]
    keys: tuple[Expr, ...]
    aggregations: tuple[Aggregation, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One side of a set operation: what it shows, and the unit of each of its rows (nothing if it is public)."""

    input: "Relation"
    unit: tuple[Column, ...]
    columns: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Rows of two branches put together; columns c0, c1, … are of the same types in both. The unit takes part in comparisons."""

    id: int
    kind: SetKind
    left: Branch
    right: Branch


@dataclass(frozen=True, slots=True)
class Cells:
    """The released rows, above the release only: `KeyRef` and `AggregateRef` name their columns."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The first rows of a released relation, after `offset` of them. Never below the release: there it picks out people."""

    input: "Relation"
    order: tuple[RowOrder, ...]
    count: int | None
    offset: int


Relation = Scan | Constants | Join | Filter | Project | Group | SetOperation | Cells | Limit
_LEAVES = (Scan, Constants, Cells)


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the direct arguments of an expression; of EXISTS, its condition and every expression inside its relation."""
    if isinstance(expr, Exists):
        return (expr.on, *expressions(expr.relation))
    return expr.args if isinstance(expr, Call) else ()


def inputs(relation: Relation) -> tuple[Relation, ...]:
    """Return the relations that a relation is made of."""
    if isinstance(relation, _LEAVES):
        return ()
    if isinstance(relation, Join):
        return (relation.left, relation.right)
    if isinstance(relation, SetOperation):
        return (relation.left.input, relation.right.input)
    return (relation.input,)


def own_expressions(relation: Relation) -> tuple[Expr, ...]:
    """Return the expressions of a relation's outermost operator, unit columns apart."""
    if isinstance(relation, _LEAVES):
        return ()
    if isinstance(relation, Limit):
        return tuple(term.expr for term in relation.order)
    if isinstance(relation, Join):
        return (relation.on,)
    if isinstance(relation, Filter):
        return (relation.predicate,)
    if isinstance(relation, SetOperation):
        return (*relation.left.columns, *relation.right.columns)
    if isinstance(relation, Group):
        return (*relation.keys, *(e for a in relation.aggregations for e in _of_aggregation(a)))
    return (*relation.columns, *(e for w in relation.windows for e in _of_window(w)))


def _of_aggregation(aggregation: Aggregation) -> tuple[Expr, ...]:
    return (*aggregation.args, aggregation.where) if aggregation.where else aggregation.args


def _of_window(window: Windowed) -> tuple[Expr, ...]:
    return (*window.args, *window.partition, *(term.expr for term in window.order))


def expressions(relation: Relation) -> tuple[Expr, ...]:
    """Return every expression of a relation and of its inputs at any depth. `walk` enters the EXISTS among them."""
    found: list[Expr] = []
    stack = [relation]
    while stack:
        node = stack.pop()
        found.extend(own_expressions(node))
        stack.extend(reversed(inputs(node)))
    return tuple(found)


def relations(relation: Relation) -> tuple[Relation, ...]:
    """Return a relation and every relation below it, those inside EXISTS included, parents first."""
    found: list[Relation] = []
    stack = [relation]
    while stack:
        node = stack.pop()
        found.append(node)
        inside = [part.relation for expr in own_expressions(node) for part in exists_in(expr)]
        stack.extend(reversed((*inputs(node), *inside)))
    return tuple(found)


def exists_in(expr: Expr) -> tuple[Exists, ...]:
    """Return the outermost EXISTS of an expression, and those in their conditions."""
    found: list[Exists] = []
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Exists):
            found.append(node)
            stack.append(node.on)
        elif isinstance(node, Call):
            stack.extend(reversed(node.args))
    return tuple(found)


def walk(expr: Expr) -> tuple[Expr, ...]:
    """Return the expression and everything below it, parents first."""
    found: list[Expr] = []
    stack = [expr]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(children(node)))
    return tuple(found)


def rows_at_most(relation: Relation, released: int) -> int:
    """Return how many rows a relation over so many released rows can have, whatever they hold."""
    if isinstance(relation, Cells):
        return released
    if isinstance(relation, Constants):
        return len(relation.rows)
    sizes = [rows_at_most(part, released) for part in inputs(relation)]
    if isinstance(relation, Join):
        return sizes[0] * max(1, sizes[1])
    if isinstance(relation, Limit) and relation.count is not None:
        return min(sizes[0], relation.count)
    if isinstance(relation, Group) and not relation.keys:
        return 1
    return sum(sizes)


def columns_of(expr: Expr) -> tuple[Column, ...]:
    """Return the distinct columns an expression reads, in order of appearance."""
    return tuple(dict.fromkeys(node for node in walk(expr) if isinstance(node, Column)))
