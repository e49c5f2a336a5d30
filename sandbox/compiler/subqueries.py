"""Queries inside expressions: EXISTS, IN (SELECT …) and scalar subqueries, uncorrelated or through equal units.

EXISTS and IN become `Exists`; a scalar subquery becomes a per-unit aggregation that is joined from the left, so that each row
finds one value or NULL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from policies.refusals import Refused
from sandbox.algebra import (
    Aggregation,
    Call,
    Column,
    Exists,
    Expr,
    Literal,
    Op,
    RowAggregate,
)
from sandbox.compiler.conditions import case, compare
from sandbox.compiler.conjunction import conjunction, pairs_of
from sandbox.compiler.group_rows import GroupReader, group_of
from sandbox.compiler.keyed import holds_aggregate, holds_window, without_alias
from sandbox.compiler.links import link, missing
from sandbox.compiler.places import quoted
from sandbox.compiler.reach import free_columns, shown
from sandbox.compiler.rows import Rows, same_unit
from sandbox.compiler.scope import Attached, RowReader, Scope
from sandbox.compiler.types import BIGINT, BOOLEAN, NoCommonType, TooWide

if TYPE_CHECKING:
    from sandbox.compiler.select import Body, Queries

_COUNTS = frozenset({RowAggregate.COUNT, RowAggregate.COUNT_DISTINCT})


@dataclass(frozen=True, slots=True)
class _Inner:
    """The rows of a query inside an expression, its columns, and the conjuncts that look outside."""

    rows: Rows
    columns: tuple[Expr, ...]
    on: tuple[Expr, ...]


class Subqueries:
    """Reads the queries inside expressions."""

    def __init__(self, queries: "Queries") -> None:
        self.queries = queries
        self._found: dict[tuple[int, int], tuple[Scope, exp.Expr, Expr]] = {}

    def read(self, scope: Scope, node: exp.Expr) -> Expr:
        """Return the value of a subquery for a row of `scope`. The same words at two places (a key and its column) are one value.

        Refuses: private rows that are not linked to the row's unit, a release inside, several columns, no aggregate.
        """
        place = (id(scope), id(node))
        if place not in self._found:
            self._found[place] = (scope, node, self._value(scope, node))
        return self._found[place][2]

    def _value(self, scope: Scope, node: exp.Expr) -> Expr:
        if isinstance(node, exp.Exists):
            return self._exists(scope, node)
        if isinstance(node, exp.In):
            return self._among(scope, node)
        return self._scalar(scope, node)

    def _refused(self, node: exp.Expr, what: str, cure: str) -> Refused:
        return self.queries.reading.unsupported(node, what, cure)

    def _exists(self, scope: Scope, node: exp.Exists) -> Expr:
        inner = self._inner(scope, node.this, columns=False)
        on = [*inner.on, *self._unit(scope, inner.rows, inner.on)]
        return Exists(inner.rows.relation, conjunction(tuple(on)))

    def _among(self, scope: Scope, node: exp.In) -> Expr:
        subject = RowReader(scope).read(node.this)
        inner = self._inner(scope, node.args["query"], columns=True)
        if len(inner.columns) != 1:
            raise self._refused(
                node, "IN over several columns", "select one column in the subquery"
            )
        (value,) = inner.columns
        try:
            equal = compare(Op.EQ, subject, value)
        except (NoCommonType, TooWide):
            raise self.queries.reading.refused(
                "sql_type_mismatch",
                node,
                what=quoted(node),
                types=f"{subject.type} and {value.type}",
            ) from None
        found = (*inner.on, equal)
        unit = self._unit(scope, inner.rows, found)
        is_in = Exists(inner.rows.relation, conjunction((*found, *unit)))
        if value in inner.rows.keys and any(subject in part.keys for part in scope.parts):
            return is_in  # neither side is ever NULL, so IN has two values only
        return case(
            [is_in, self._unknown(scope, node, subject)],
            [Literal(BOOLEAN, True), Literal(BOOLEAN, None)],
            Literal(BOOLEAN, False),
        )

    def _unknown(self, scope: Scope, node: exp.In, subject: Expr) -> Expr:
        """Return whether a comparison with NULL takes part: then IN is unknown where it is not true.

        The query is read again: each relation of a plan stands in one place.
        """
        inner = self._inner(scope, node.args["query"], columns=True)
        equal = compare(Op.EQ, subject, inner.columns[0])
        unit = self._unit(scope, inner.rows, (*inner.on, equal))
        on = (*inner.on, Call(Op.IS_NULL, (equal,), BOOLEAN), *unit)
        return Exists(inner.rows.relation, conjunction(on))

    def _unit(self, scope: Scope, rows: Rows, on: Sequence[Expr]) -> tuple[Expr, ...]:
        """Return the unit equality of the row and the private rows inside; nothing for public ones."""
        if rows.unit is None:
            return ()
        private = [part for part in scope.parts if part.unit is not None]
        found = (link(part, rows, pairs_of(on), self.queries.reading) for part in private)
        equality = next((e for e in found if e is not None), None)
        if equality is None:
            raise missing(private[0] if private else scope.parts[0], rows)
        return (equality,)

    def _inner(self, scope: Scope, node: exp.Expr, *, columns: bool) -> _Inner:
        select = _plain_select(node)
        if select is None:
            found = self.queries.query(node, scope.common, None)
            return _Inner(found.rows, tuple(c.expr for c in found.columns), ())
        body = self.queries.body(select, scope.common, scope)
        reader = RowReader(body.scope)
        exprs = (
            tuple(reader.read(without_alias(item)) for item in body.select.expressions)
            if columns
            else ()
        )
        local, outside = _split(body)
        return _Inner(body.narrowed(local).rows(), exprs, outside)

    def _scalar(self, scope: Scope, node: exp.Expr) -> Expr:
        reading = self.queries.reading
        select = node.unnest() if isinstance(node, exp.Subquery) else node
        if not isinstance(select, exp.Select) or not _is_one_value(select):
            raise self._refused(
                node,
                "a scalar subquery without an aggregate",
                "take one aggregate in it, without GROUP BY",
            )
        if scope.closed:
            raise self._refused(node, f"a scalar subquery in {scope.closed}", "move it to WHERE")
        body = self.queries.body(select, scope.common, scope)
        local, outside = _split(body)
        number = reading.number(node)
        groups = GroupReader(body.scope, select, number)
        value = groups.read(without_alias(select.expressions[0]))
        rows = body.narrowed(local).rows()
        pairs = [self._equal_sides(node, scope, c) for c in outside]
        unit = self._unit(scope, rows, outside)
        keys = tuple(inside for inside, _ in pairs)
        group = group_of(number, rows, keys, tuple(groups.aggregations), rows.name)
        on = [
            compare(Op.EQ, theirs, Column(number, f"k{index}", inside.type))
            for index, (inside, theirs) in enumerate(pairs)
        ]
        on += [same_unit(_outer_unit(equality), group.unit) for equality in unit if group.unit]
        scope.attached.append(Attached(group, tuple(on)))
        return _with_zero_counts(value, number, tuple(groups.aggregations))

    def _equal_sides(self, node: exp.Expr, scope: Scope, conjunct: Expr) -> tuple[Expr, Expr]:
        """Return the inner and the outer side of a correlated equality."""
        around = _reach(scope)
        if isinstance(conjunct, Call) and conjunct.op is Op.EQ:
            for inside, outside in (conjunct.args, conjunct.args[::-1]):
                ours = {c.scan for c in free_columns(outside)}
                theirs = {c.scan for c in free_columns(inside)}
                if ours and ours <= around and theirs and not theirs & around:
                    return inside, outside
        raise self._refused(
            node,
            "a subquery that compares with its outer row",
            "use equalities `inner = outer` only, or EXISTS",
        )


def _outer_unit(equality: Expr) -> Column:
    if isinstance(equality, Call) and isinstance(equality.args[0], Column):
        return equality.args[0]
    raise TypeError("a unit equality compares two columns")


def _reach(scope: Scope) -> frozenset[int]:
    return frozenset(
        column.scan
        for source in scope.sources
        for named in source.columns
        for column in free_columns(named.expr)
    )


def _split(body: "Body") -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """Return the conjuncts of WHERE that stay inside, and those that read the rows outside."""
    inside = _reach(body.scope)
    for attached in body.scope.attached:
        inside |= shown(attached.rows.relation)
    local = tuple(c for c in body.where if all(f.scan in inside for f in free_columns(c)))
    return local, tuple(c for c in body.where if c not in local)


def _plain_select(node: exp.Expr) -> exp.Select | None:
    """Return the SELECT of a query that only joins and filters rows, so that it may look outside."""
    select = node.unnest() if isinstance(node, exp.Subquery) else node
    if not isinstance(select, exp.Select):
        return None
    clauses = ("group", "having", "qualify", "limit", "offset")
    if any(select.args.get(name) is not None for name in clauses):
        return None
    if any(holds_aggregate(n) or holds_window(n) for n in select.expressions):
        return None
    return select


def _is_one_value(select: exp.Select) -> bool:
    if len(select.expressions) != 1:
        return False
    clauses = ("group", "having", "qualify", "limit", "offset", "distinct")
    if any(select.args.get(name) is not None for name in clauses):
        return False
    return holds_aggregate(select.expressions[0])


def _with_zero_counts(value: Expr, number: int, aggregations: tuple[Aggregation, ...]) -> Expr:
    """Return the value with counts of no row as 0: the left join has NULL where there is no group."""
    if isinstance(value, Column) and value.scan == number:
        if aggregations[int(value.name[1:])].function in _COUNTS:
            return Call(Op.COALESCE, (value, Literal(BIGINT, 0)), BIGINT)
        return value
    if isinstance(value, Call):
        args = tuple(_with_zero_counts(arg, number, aggregations) for arg in value.args)
        return Call(value.op, args, value.type, value.unit)
    return value
