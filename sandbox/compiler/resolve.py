"""Stage 2: `ParsedQuery` → `ResolvedQuery`. Every name leads to one registered column, every expression has a type.

Below the release stand rows, above it noisy values; an expression above may use group keys and aggregates only.
"""

from dataclasses import dataclass

from sqlglot import exp

from policies.access.model import JoinKind
from policies.access.request import JoinAsk, UseAsk
from policies.catalogue import Catalogue
from policies.refusals import Position, Refused, Stage
from policies.terms import AggregateName, ColumnUse
from sandbox.algebra import Call, Column, Expr, Op, Relation
from sandbox.boundary import SortTerm
from sandbox.compiler.above import AboveReader, ResolvedKey, order_terms, whole_number
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.conditions import compare
from sandbox.compiler.links import link_units
from sandbox.compiler.parse import ParsedQuery
from sandbox.compiler.places import position, quoted
from sandbox.compiler.scope import RowReader, Scope, ScopedTable
from sandbox.compiler.scope import condition as condition_of
from sandbox.compiler.types import NoCommonType, TooWide
from sandbox.compiler.uses import aggregate_uses, uses_of

LIMIT_MAX = 10**6


@dataclass(frozen=True, slots=True)
class ResolvedOutput:
    """A column of the answer and the name the operator gave it; the name never crosses the boundary."""

    expr: Expr
    label: str


@dataclass(frozen=True, slots=True)
class ResolvedQuery:
    """The query as facts: tables, row conditions, keys, aggregates, what is done above the release, and who is touched.

    `sets` are the grouping sets as asked, by the numbers of their keys: nothing for one set of all keys;
    `layers` is the relation over the released rows that the outputs read, nothing for those rows themselves;
    `conditions[i]` are the top-level AND conjuncts of the i-th table's ON (empty for the first); `where` those of WHERE;
    `links` the unit equalities between private tables that they imply.
    """

    text: str
    tables: tuple[ScopedTable, ...]
    conditions: tuple[tuple[Expr, ...], ...]
    where: tuple[Expr, ...]
    links: tuple[Expr, ...]
    keys: tuple[ResolvedKey, ...]
    sets: tuple[tuple[int, ...], ...]
    aggregates: tuple[ResolvedAggregate, ...]
    layers: Relation | None
    outputs: tuple[ResolvedOutput, ...]
    having: Expr | None
    order: tuple[SortTerm, ...]
    limit: int | None
    offset: int
    uses: tuple[UseAsk, ...]
    joins: tuple[JoinAsk, ...]
    literals: int


def resolve(parsed: ParsedQuery, catalogue: Catalogue) -> ResolvedQuery:
    """Bind every name of the query to the catalogue.

    Refuses: unknown and ambiguous names, types that do not meet, and rows that would be shown without an aggregate.
    """
    tree = parsed.tree
    if not tree.expressions:  # the parser takes `FROM persons SELECT`
        raise Refused("sql_syntax", Stage.RESOLVE, near="SELECT")
    scope = Scope(parsed.text)
    rows = RowReader(scope)
    if tree.args.get("from_") is None:
        raise Refused("no_private_table", Stage.RESOLVE)
    scope.add(tree.args["from_"].this, catalogue)
    conditions: list[tuple[Expr, ...]] = [()]
    for join in tree.args.get("joins") or []:
        conditions.append(_join(join, scope, rows, catalogue))
    where = _conjuncts(tree.args.get("where"), rows)
    pairs = tuple(
        pair
        for c in (*(c for group in conditions for c in group), *where)
        for pair in equal_columns(c)
    )
    links = link_units(tuple(scope.tables), pairs)
    above = AboveReader(scope, tree)
    outputs = tuple(
        ResolvedOutput(above.read(node.this if isinstance(node, exp.Alias) else node), _label(node))
        for node in tree.expressions
    )
    having_node = tree.args.get("having")
    having = condition_of(above, having_node.this) if having_node else None
    order = order_terms(tree, above)
    if not above.aggregates:
        raise Refused("no_aggregate", Stage.RESOLVE, at=position(tree.expressions[0], parsed.text))
    return ResolvedQuery(
        text=parsed.text,
        tables=tuple(scope.tables),
        conditions=tuple(conditions),
        where=where,
        links=links,
        keys=above.keys,
        sets=above.sets,
        aggregates=tuple(above.aggregates),
        layers=None,
        outputs=outputs,
        having=having,
        order=order,
        limit=_count(tree, "limit", parsed.text),
        offset=_count(tree, "offset", parsed.text) or 0,
        uses=_uses(scope, conditions, where, above),
        joins=_join_asks(scope, conditions, where),
        literals=sum(1 for _ in tree.find_all(exp.Literal)),
    )


def _label(node: exp.Expr) -> str:
    return node.alias or (node.name if isinstance(node, exp.Column) else quoted(node))


def _join(join: exp.Expr, scope: Scope, rows: RowReader, catalogue: Catalogue) -> tuple[Expr, ...]:
    kind = str(join.args.get("kind") or "").upper()
    if kind not in ("", "INNER", "CROSS"):
        raise scope.refused(
            "sql_feature_refused", join, what=f"{kind} JOIN", cure="use an inner join"
        )
    before = list(scope.tables)
    table = scope.add(join.this, catalogue)
    using = join.args.get("using")
    if using:
        return tuple(_using(name, before, table, scope) for name in using)
    return _conjuncts_of(join.args.get("on"), rows)


def _using(name: exp.Expr, before: list[ScopedTable], table: ScopedTable, scope: Scope) -> Expr:
    left = scope.merged.get(name.name.lower())
    found = [c for t in before if (c := t.column(name.name)) is not None]
    if left is None and len(found) > 1:
        raise scope.refused(
            "ambiguous_column", name, name=name.name, candidates="several tables of the join"
        )
    left = left or (found[0] if found else None)
    right = table.column(name.name)
    if left is None or right is None:
        missing = table.alias if right is None else ", ".join(t.alias for t in before)
        raise scope.refused("unknown_column", name, name=name.name, scope=missing)
    scope.merged[name.name.lower()] = left
    for column in (left, right):
        scope.places.setdefault(column, position(name, scope.sql))
    try:
        return compare(Op.EQ, left, right)
    except (NoCommonType, TooWide):
        raise scope.refused(
            "sql_type_mismatch", name, what=f"USING ({name.name})", types="two types"
        ) from None


def _conjuncts(clause: exp.Expr | None, rows: RowReader) -> tuple[Expr, ...]:
    return _conjuncts_of(clause.this if clause is not None else None, rows)


def _conjuncts_of(node: exp.Expr | None, rows: RowReader) -> tuple[Expr, ...]:
    if node is None:
        return ()
    return split_and(condition_of(rows, node))


def split_and(condition: Expr) -> tuple[Expr, ...]:
    """Return the top-level AND conjuncts of a condition."""
    if isinstance(condition, Call) and condition.op is Op.AND:
        return tuple(part for arg in condition.args for part in split_and(arg))
    return (condition,)


def _count(tree: exp.Select, name: str, sql: str) -> int | None:
    clause = tree.args.get(name)
    if clause is None:
        return None
    node = clause.expression
    value = whole_number(node)
    if not 0 <= value <= LIMIT_MAX:
        raise Refused(
            "sql_argument_refused",
            Stage.RESOLVE,
            at=position(clause, sql),
            name=name.upper(),
            need=f"a whole number up to {LIMIT_MAX}",
            cure="write the number out",
        )
    return value


def _uses(
    scope: Scope,
    conditions: list[tuple[Expr, ...]],
    where: tuple[Expr, ...],
    above: AboveReader,
) -> tuple[UseAsk, ...]:
    found: list[tuple[Column, ColumnUse]] = []
    for condition in (c for group in conditions for c in group):
        # only a bare equality joins: `p.id = w.n + 17` would pick out one person under the name of a join
        joins = any(left.scan != right.scan for left, right in equal_columns(condition))
        found += uses_of(condition, ColumnUse.JOIN_KEY if joins else ColumnUse.FILTER)
    for condition in where:
        found += uses_of(condition, ColumnUse.FILTER)
    for key in above.keys:
        found += uses_of(key.expr, ColumnUse.GROUP)
    for aggregate in above.aggregates:
        distinct = aggregate.name is AggregateName.COUNT_DISTINCT
        counted = aggregate.name is AggregateName.COUNT
        found += aggregate_uses(aggregate.value, aggregate.condition, distinct, counted)
    asks = {
        (column.scan, column.name, use): UseAsk(
            scope.tables[column.scan].table.name, column.name, use, scope.places.get(column)
        )
        for column, use in reversed(found)
    }
    return tuple(dict.fromkeys(reversed(asks.values())))


def _join_asks(
    scope: Scope, conditions: list[tuple[Expr, ...]], where: tuple[Expr, ...]
) -> tuple[JoinAsk, ...]:
    pairs: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for condition in [*(c for group in conditions for c in group), *where]:
        for left, right in equal_columns(condition):
            if left.scan != right.scan:
                first, second = sorted((left, right), key=lambda c: c.scan)
                pairs.setdefault((first.scan, second.scan), []).append((first.name, second.name))
    asks = []
    for table in scope.tables[1:]:
        mine = {pair: using for pair, using in pairs.items() if pair[1] == table.index}
        for (low, _), using in mine.items():
            asks.append(_ask(scope.tables[low], table, JoinKind.INNER, tuple(using)))
        if not mine:
            asks.append(_ask(scope.tables[table.index - 1], table, JoinKind.CROSS, ()))
    return tuple(asks)


def _ask(
    left: ScopedTable, right: ScopedTable, kind: JoinKind, using: tuple[tuple[str, str], ...]
) -> JoinAsk:
    at: Position | None = right.at
    return JoinAsk(left.table.name, right.table.name, kind, using, at)


def equal_columns(condition: Expr) -> tuple[tuple[Column, Column], ...]:
    """Return the pair of columns a conjunct sets equal, looking through the casts of a common type."""
    if not (isinstance(condition, Call) and condition.op is Op.EQ):
        return ()
    left, right = (_bare(arg) for arg in condition.args)
    return ((left, right),) if left is not None and right is not None else ()


def _bare(expr: Expr) -> Column | None:
    if isinstance(expr, Column):
        return expr
    if isinstance(expr, Call) and expr.op is Op.CAST and isinstance(expr.args[0], Column):
        return expr.args[0]
    return None
