"""Which column is used for what, and which tables are joined: the facts a policy judges."""

from collections.abc import Iterator, Sequence
from itertools import product

from policies.access.model import JoinKind
from policies.access.request import JoinAsk, UseAsk
from policies.terms import AggregateName, ColumnUse
from sandbox.algebra import (
    DERIVED_FIRST,
    Aggregation,
    Call,
    Column,
    Exists,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Op,
    Relation,
    RowAggregate,
    Scan,
    SetKind,
    SetOperation,
    exists_in,
    inputs,
    own_expressions,
)
from sandbox.boundary import UNIT_COLUMN
from sandbox.compiler.conjunction import equal_columns, split_and
from sandbox.compiler.lineage import (
    Aggregated,
    Definitions,
    Either,
    Listed,
    OverRows,
    origins,
)
from sandbox.compiler.question import Reading
from sandbox.compiler.rows import ScopedTable

_CONDITIONS = frozenset(
    {
        Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE, Op.IS_NULL, Op.IS_DISTINCT, Op.IN, Op.LIKE,
        Op.ILIKE, Op.STARTS_WITH, Op.CONTAINS, Op.IS_NAN,
    }
)  # fmt: skip
_COUNTS = frozenset({RowAggregate.COUNT, RowAggregate.COUNT_DISTINCT})
_CHOOSING = frozenset({RowAggregate.ARG_MIN, RowAggregate.ARG_MAX})  # by their second argument
_OF_VALUES = frozenset({ColumnUse.AGGREGATE, ColumnUse.COUNT_DISTINCT})

Use = tuple[Column, ColumnUse]


class Uses:
    """Follows expressions down to registered columns."""

    def __init__(self, known: Definitions, tables: Sequence[ScopedTable]) -> None:
        self.known = known
        self.unit_keys = unit_keys_of(tables)
        self.tables = [table.table.name for table in tables]

    def of(self, expr: Expr, use: ColumnUse) -> Iterator[Use]:
        """Return every registered column the expression reads, with its use; an EXISTS joins and filters on its own.

        What decides inside a value filters, at any depth: `sum(x)` over each person's `sum(CASE WHEN income > 9 …)` else
        tells who earns how much to somebody who may only add incomes up.
        """
        if use in _OF_VALUES:
            yield from self._of_value(expr, use)
        elif isinstance(expr, Column):
            yield from [(expr, use)] if expr.scan < DERIVED_FIRST else self._derived(expr, use)
        elif isinstance(expr, Exists):
            yield from self._of_condition(expr.on)
            yield from self.of_relation(expr.relation)
        elif isinstance(expr, Call):
            for arg in expr.args:
                yield from self.of(arg, use)

    def _derived(self, column: Column, use: ColumnUse) -> Iterator[Use]:
        found = self.known.get(column)
        if isinstance(found, Either):
            yield from self.of(found.left, use)
            yield from self.of(found.right, use)
        elif isinstance(found, Aggregated):
            yield from self._aggregated(found.aggregation, use)
        elif isinstance(found, OverRows):
            for arg in found.windowed.args:
                yield from self.of(arg, use)
            for term in (*found.windowed.partition, *(t.expr for t in found.windowed.order)):
                yield from self.deciding(term)
        elif found is not None and not isinstance(found, Listed):
            yield from self.of(found, use)

    def _aggregated(self, aggregation: Aggregation, use: ColumnUse) -> Iterator[Use]:
        counts = aggregation.function in _COUNTS
        for index, arg in enumerate(aggregation.args):
            if index and aggregation.function in _CHOOSING:
                yield from self.deciding(arg)
            else:
                yield from self.of(arg, ColumnUse.FILTER if counts else use)
        if aggregation.where is not None:
            yield from self.deciding(aggregation.where)

    def deciding(self, expr: Expr) -> Iterator[Use]:
        """Return the uses of an expression that decides which rows count: the unit's own key only joins its rows."""
        joins = self._is_unit_key(origins(expr, self.known))
        yield from self.of(expr, ColumnUse.JOIN_KEY if joins else ColumnUse.FILTER)

    def of_aggregate(
        self, value: Expr | None, condition: Expr | None, name: AggregateName
    ) -> Iterator[Use]:
        """Return the uses of a released aggregate: what is summed is aggregated, what decides which rows count filters."""
        if condition is not None:
            yield from self.deciding(condition)
        if value is None:
            return
        if name is AggregateName.COUNT_DISTINCT:
            yield from self.of(value, ColumnUse.COUNT_DISTINCT)
        elif name is AggregateName.MODE:  # it tells one key of the groups that the value would make
            yield from self.of(value, ColumnUse.GROUP)
        else:
            counts = name is AggregateName.COUNT
            yield from self.of(value, ColumnUse.FILTER if counts else ColumnUse.AGGREGATE)

    def _of_value(self, expr: Expr, use: ColumnUse) -> Iterator[Use]:
        if isinstance(expr, Column):
            yield from [(expr, use)] if expr.scan < DERIVED_FIRST else self._derived(expr, use)
        elif isinstance(expr, Exists) or (isinstance(expr, Call) and expr.op in _CONDITIONS):
            yield from self.of(expr, ColumnUse.FILTER)
        elif isinstance(expr, Call) and expr.op is Op.CASE:
            for index, arg in enumerate(expr.args):
                decides = index % 2 == 0 and index + 1 < len(expr.args)
                yield from self.of(arg, ColumnUse.FILTER if decides else use)
        elif isinstance(expr, Call):
            if expr.op is Op.NULLIF:  # CASE WHEN a = b THEN NULL ELSE a END
                yield from self.of(expr, ColumnUse.FILTER)
            for arg in expr.args[: 1 if expr.op is Op.NULLIF else None]:
                yield from self._of_value(arg, use)

    def of_relation(self, relation: Relation) -> Iterator[Use]:
        """Return the uses inside a relation: what joins, what filters, and what makes rows distinct."""
        for node in _without_exists(relation):
            if isinstance(node, Join):
                yield from self._of_condition(node.on)
            for expr in _deciding(node):
                yield from self.deciding(expr)

    def _of_condition(self, on: Expr) -> Iterator[Use]:
        for condition in split_and(on):
            # only a bare equality joins: `p.id = w.n + 17` would pick out one person under the name of a join
            joins = any(self._meet(a, b) for a, b in equal_columns(condition))
            yield from self.of(condition, ColumnUse.JOIN_KEY if joins else ColumnUse.FILTER)

    def _meet(self, one: Column, other: Column) -> bool:
        """Tell whether two columns are keys on which rows meet: of different tables, or the unit's own key on both sides."""
        ours, theirs = origins(one, self.known), origins(other, self.known)
        if self._is_unit_key(ours) and self._is_unit_key(theirs):
            return True
        met = [(self.tables[a.scan], self.tables[b.scan]) for a in ours for b in theirs]
        return bool(met) and all(a != b for a, b in met)

    def _is_unit_key(self, found: frozenset[Column]) -> bool:
        return bool(found) and found <= self.unit_keys


def _deciding(node: Relation) -> tuple[Expr, ...]:
    """Return what decides which rows of a relation there are, its joins apart."""
    if isinstance(node, Filter):
        return split_and(node.predicate)
    if isinstance(node, Group):
        return node.keys
    if isinstance(node, SetOperation) and node.kind is not SetKind.UNION_ALL:
        return (*node.left.columns, *node.right.columns)
    return ()


def unit_keys_of(tables: Sequence[ScopedTable]) -> frozenset[Column]:
    """Return the registered columns that hold the unit's own key."""
    return frozenset(
        Column(table.index, column.name, column.type)
        for table in tables
        for column in table.table.columns
        if table.table.unit is not None
        and table.table.unit.references is None
        and table.table.unit.column == column.name
    )


def use_asks(uses: list[Use], reading: Reading) -> tuple[UseAsk, ...]:
    """Return each use once, in order, with the place where the query first names the column."""
    return tuple(
        UseAsk(reading.tables[column.scan].table.name, column.name, use, reading.places.get(column))
        for column, use in dict.fromkeys(uses)
        if column.name in {c.name for c in reading.tables[column.scan].table.columns}
    )


def join_asks(relation: Relation, known: Definitions, reading: Reading) -> tuple[JoinAsk, ...]:
    """Return which tables meet, and on which columns: WHERE counts as a condition of every join below it."""
    found: dict[tuple[int, int], JoinAsk] = {}
    for low, high, kind, pairs in _meetings(relation, (), known):
        left, right = reading.tables[low], reading.tables[high]
        using = tuple(dict.fromkeys((a.name, b.name) for a, b in pairs))
        if _needs_no_grant(left, right, pairs, unit_keys_of(reading.tables)):
            continue
        found[low, high] = JoinAsk(left.table.name, right.table.name, kind, using, right.at)
    return tuple(found[pair] for pair in sorted(found, key=lambda pair: (pair[1], pair[0])))


def _needs_no_grant(
    left: ScopedTable,
    right: ScopedTable,
    pairs: tuple[tuple[Column, Column], ...],
    unit_keys: frozenset[Column],
) -> bool:
    """Tell whether a meeting links nothing new: rows of one person in one table, or public tables."""
    if not left.table.private and not right.table.private:
        return True
    alone = any(a in unit_keys and b in unit_keys for a, b in pairs)
    return left.table.name == right.table.name and alone


_Meeting = tuple[int, int, JoinKind, tuple[tuple[Column, Column], ...]]
_KINDS = {
    JoinType.INNER: JoinKind.INNER,
    JoinType.LEFT: JoinKind.LEFT,
    JoinType.FULL: JoinKind.FULL,
}


def _meetings(
    relation: Relation, above: tuple[Expr, ...], known: Definitions
) -> Iterator[_Meeting]:
    if isinstance(relation, Filter):
        above = (*above, *split_and(relation.predicate))
    elif not isinstance(relation, Join):
        above = ()
    for expr in own_expressions(relation):
        for part in exists_in(expr):
            # A filter on EXISTS keeps rows with a partner, as an inner join does. Any other use tells rows without one, too.
            met = isinstance(relation, Filter) and part in split_and(expr)
            kind = JoinKind.INNER if met else JoinKind.LEFT
            around, inside = _scans_below(relation), _scans(part.relation)
            yield from _between(around, inside, kind, split_and(part.on), known)
            yield from _meetings(part.relation, (), known)
    if isinstance(relation, Join):
        conditions = (*split_and(relation.on), *above)
        left, right = _scans(relation.left), _scans(relation.right)
        yield from _between(left, right, _KINDS[relation.type], conditions, known)
        above = conditions if relation.type is JoinType.INNER else above
    for below in inputs(relation):
        yield from _meetings(below, above, known)


def _between(
    left: tuple[int, ...],
    right: tuple[int, ...],
    kind: JoinKind,
    conditions: tuple[Expr, ...],
    known: Definitions,
) -> Iterator[_Meeting]:
    pairs: dict[tuple[int, int], list[tuple[Column, Column]]] = {}
    for condition in conditions:
        if isinstance(condition, Call) and condition.op is Op.IS_NULL:
            condition = condition.args[0]  # of IN: whether a comparison is unknown
        if not (isinstance(condition, Call) and condition.op is Op.EQ):
            continue
        one, other = (origins(arg, known) for arg in condition.args)
        for a, b in (*product(one, other), *product(other, one)):
            if a.scan in left and b.scan in right and a.name != UNIT_COLUMN:
                low, high = sorted((a, b), key=lambda c: c.scan)
                pairs.setdefault((low.scan, high.scan), []).append((low, high))
    for (first, second), using in pairs.items():
        yield first, second, kind, tuple(using)
    if not pairs and left and right:
        nearest = sorted((max(left), min(right)))
        yield nearest[0], nearest[1], JoinKind.CROSS, ()


def _scans(relation: Relation) -> tuple[int, ...]:
    found = [n.index for n in _without_exists(relation) if isinstance(n, Scan)]
    return tuple(sorted(found))


def _scans_below(relation: Relation) -> tuple[int, ...]:
    return tuple(sorted(scan for below in inputs(relation) for scan in _scans(below)))


def _without_exists(relation: Relation) -> Iterator[Relation]:
    yield relation
    for below in inputs(relation):
        yield from _without_exists(below)
