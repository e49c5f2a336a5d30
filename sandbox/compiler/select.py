"""Queries: SELECT at any depth, WITH, set operations. Each yields rows whose owner is known.

A query that aggregates rows of different people is a release: to the queries above it, rows without an owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from sandbox.algebra import Cells, Expr, Filter, Join, JoinType, Limit
from sandbox.compiler.conjunction import as_filter, conjunction, split_and
from sandbox.compiler.constants import one_row, series, values
from sandbox.compiler.derive import own, project
from sandbox.compiler.from_clause import FromClause
from sandbox.compiler.group_rows import (
    GroupReader,
    distinct,
    grouped,
    groups_by_unit,
    having_of,
    label,
)
from sandbox.compiler.keyed import aliases_of, holds_aggregate, without_alias
from sandbox.compiler.layer import Layer, end_of, is_windowed, moved_order, order_of
from sandbox.compiler.places import position, quoted
from sandbox.compiler.question import Reading
from sandbox.compiler.reach import is_released
from sandbox.compiler.released import read_release
from sandbox.compiler.rows import Called, Named, Rows, Source, scan_rows, scan_source
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.scope import CommonTable, RowReader, Scope, condition
from sandbox.compiler.set_operations import combine
from sandbox.compiler.spelt_size import SPELT_MAX, is_too_large
from sandbox.compiler.stars import expand
from sandbox.compiler.subqueries import Subqueries
from sandbox.compiler.table_value import TableValue
from sandbox.compiler.windows import WindowReader

Common = Mapping[str, CommonTable]


@dataclass(frozen=True, slots=True)
class Body:
    """FROM and WHERE of one SELECT, read but not yet put together: subqueries of later clauses may still be attached."""

    select: exp.Select
    scope: Scope
    from_: FromClause
    where: tuple[Expr, ...]

    def narrowed(self, where: tuple[Expr, ...]) -> "Body":
        """Return the body with some of its conditions only."""
        return Body(self.select, self.scope, self.from_, where)

    def whole(self) -> Rows:
        """Return the joined rows before WHERE. Refuses: private relations that are not linked."""
        return self.from_.whole(self.where)

    def rows(self) -> Rows:
        """Return the rows with everything attached and filtered."""
        rows = self.whole()
        for attached in self.scope.attached:
            on = conjunction(attached.on)
            joined = Join(JoinType.LEFT, rows.relation, attached.rows.relation, on)
            rows = Rows(joined, rows.unit, rows.scans, rows.keys, rows.name)
        conditions = tuple(
            part for c in (*self.from_.filters, *self.where) for part in as_filter(c)
        )
        if not conditions:
            return rows
        kept = Filter(rows.relation, conjunction(conditions))
        return Rows(kept, rows.unit, rows.scans, rows.keys, rows.name)


class Queries:
    """Reads queries of one question."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.nested = Subqueries(self)

    def body(self, select: exp.Select, common: Common, outer: Scope | None) -> Body:
        """Read FROM and WHERE of a SELECT."""
        if not select.expressions:  # the parser takes `FROM persons SELECT`
            raise self.reading.refused("sql_syntax", select, near="SELECT")
        scope = Scope(self.reading, with_entries(select, common), self.nested, outer)
        from_ = FromClause(scope, self)
        if select.args.get("from_") is None:
            alone = one_row(select, self.reading)
            scope.parts.append(alone.rows)
            from_.conditions.append(())
        else:
            from_.read(select)
        select = expand(select, scope)
        scope.aliases.update(aliases_of(select.expressions))
        clause = select.args.get("where")
        where = () if clause is None else split_and(condition(RowReader(scope), clause.this))
        self._check_size(select, where)
        return Body(select, scope, from_, where)

    def query(self, node: exp.Expr, common: Common, outer: Scope | None) -> TableValue:
        """Return the rows of any query below the release."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, with_entries(node, common), outer)
        if isinstance(node, exp.SetOperation):
            common = with_entries(node, common)
            left = self.query(node.this, common, None)
            right = self.query(node.expression, common, None)
            self._check_end(node, left.rows)
            return combine(node, left, right, self.reading)
        if not isinstance(node, exp.Select):
            raise self.reading.unsupported(
                node, quoted(node), "docs/SQL.md lists what may be asked"
            )
        return self.select(node, common, outer)

    def select(self, select: exp.Select, common: Common, outer: Scope | None) -> TableValue:
        """Return the rows of one SELECT. Refuses: LIMIT, except over released rows."""
        body = self.body(select, common, outer)
        limited = select.args.get("limit") is not None or select.args.get("offset") is not None
        layer = self.layer(body, ordered=limited)
        if not limited:
            return self._closed(select, layer)
        if not is_released(layer.rows.relation):
            self._check_end(select, layer.rows)
        count, offset = end_of(select, self.reading.sql)
        rows = replace(layer.rows, relation=Limit(layer.rows.relation, layer.order, count, offset))
        return self._closed(select, Layer(rows, layer.columns, ()))

    def _closed(self, select: exp.Select, layer: Layer) -> TableValue:
        """Return rows whose columns have names of their own: released cells have none."""
        relation = layer.rows.relation
        while isinstance(relation, Filter | Limit):
            relation = relation.input
        if not isinstance(relation, Cells):
            return TableValue(layer.rows, layer.columns)
        exprs = tuple(dict.fromkeys(c.expr for c in layer.columns))
        number = self.reading.number(select)
        rows = project(number, layer.rows, exprs, (), layer.rows.name)
        place = {expr: own(number, index, expr) for index, expr in enumerate(exprs)}
        return TableValue(rows, tuple(Named(c.name, place[c.expr]) for c in layer.columns))

    def released(self, body: Body) -> Layer:
        """Return what a SELECT that aggregates rows of different people shows."""
        return self._distinct(body.select, read_release(body, self.reading))

    def layer(self, body: Body, ordered: bool) -> Layer:
        """Return what a SELECT shows, before LIMIT; with `ordered`, its ORDER BY, too."""
        select = body.select
        whole = body.whole()
        reader: ScalarReader = RowReader(body.scope)
        groups: GroupReader | None = None
        if _is_grouped(select):
            groups = GroupReader(body.scope, select, self.reading.number(select))
            if whole.unit is not None and not groups_by_unit(groups.keys, whole):
                return self.released(body)
            groups.refuse_sets(select)
            reader = groups
        return self._distinct(select, self._finish(body, reader, groups, ordered))

    def _finish(
        self, body: Body, reader: ScalarReader, groups: GroupReader | None, ordered: bool
    ) -> Layer:
        """Read the columns, then put the relation together: columns may attach subqueries and ask for aggregates."""
        select = body.select
        qualify = select.args.get("qualify")
        windows: WindowReader | None = None
        if is_windowed(select, ordered):
            windows = WindowReader(body.scope, reader, select, self.reading.number(select))
            reader = windows
        columns = tuple(
            Named(label(node), reader.read(without_alias(node))) for node in select.expressions
        )
        self._check_size(select, tuple(column.expr for column in columns))
        kept = () if qualify is None else split_and(condition(reader, qualify.this))
        having = () if groups is None else having_of(select, groups)
        order = order_of(select, reader) if ordered else ()
        rows = body.rows()
        if groups is not None:
            rows = grouped(groups, rows, having, rows.name)
        if windows is not None:
            self._check_windows(select, windows, rows)
            rows = windows.rows(rows)
        if kept:
            rows = replace(rows, relation=Filter(rows.relation, conjunction(kept)))
        return Layer(rows, columns, order)

    def _check_size(self, select: exp.Select, exprs: tuple[Expr, ...]) -> None:
        """Refuse columns that double from one query to the next one around it."""
        if is_too_large(exprs):
            raise self.reading.refused(
                "sql_too_complex", select, what="parts of columns", limit=SPELT_MAX
            )

    def _check_windows(self, select: exp.Select, windows: WindowReader, rows: Rows) -> None:
        """Refuse a window over rows of different people: one of them would move the values of all others."""
        apart = all(any(p in rows.keys for p in w.partition) for w in windows.windows)
        if rows.unit is not None and not apart:
            raise self.reading.unsupported(
                select,
                "a window over rows of different people",
                f"add `{rows.name.key}` to its PARTITION BY",
            )

    def _distinct(self, select: exp.Select, found: Layer) -> Layer:
        if select.args.get("distinct") is None:
            return found
        if select.args["distinct"].args.get("on") is not None:
            raise self.reading.unsupported(
                select,
                "DISTINCT ON",
                "use QUALIFY row_number() OVER (…) = 1",
            )
        if found.rows.unit is not None and not any(
            c.expr in found.rows.keys for c in found.columns
        ):
            raise self.reading.unsupported(
                select,
                "DISTINCT over rows of different people",
                f"add `{found.rows.name.key}` to its columns",
            )
        table = self._closed(select, found)
        rows, columns = distinct(self.reading.number(select), table.rows, table.columns)
        order = moved_order(found.order, found.columns, columns)
        if order is None:
            raise self.reading.unsupported(
                select, "ORDER BY beside DISTINCT", "order by columns that SELECT shows"
            )
        return Layer(rows, columns, order)

    def _check_end(self, node: exp.Expr, rows: Rows) -> None:
        if node.args.get("limit") is None and node.args.get("offset") is None:
            return
        raise self.reading.unsupported(
            node,
            "LIMIT below the release" if rows.unit is not None else "LIMIT in a subquery",
            "limit the answer, or use QUALIFY row_number() inside each person",
        )

    def item(self, node: exp.Expr, scope: Scope) -> tuple[Rows, Source]:
        """Return a table, a WITH entry, a subquery, VALUES or a series as rows, and the names it brings into reach."""
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            entry = scope.common.get(node.name.lower()) if node.args.get("db") is None else None
            if entry is None:
                return self._table(node)
            found = _renamed(
                self.query(entry.query, entry.within, None), entry.names, node, self.reading
            )
            return self._named(found, node, node.alias or node.name)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries):
            return self._named(series(node.this, self.reading), node, node.alias)
        if isinstance(node, exp.Values):
            return self._named(values(node, self.reading), node, node.alias)
        if isinstance(node, exp.Subquery):
            return self._named(self.query(node.this, scope.common, None), node, node.alias)
        raise self.reading.unsupported(node, quoted(node), "name a registered table")

    def _table(self, node: exp.Table) -> tuple[Rows, Source]:
        table = self.reading.table(node)
        source = scan_source(table)
        names = _column_names(node)
        columns = _rename(source.columns, names, node, self.reading)
        return scan_rows(table), Source(source.alias, columns, source.at)

    def _named(self, found: TableValue, node: exp.Expr, alias: str) -> tuple[Rows, Source]:
        columns = _rename(found.columns, _column_names(node), node, self.reading)
        at = position(node, self.reading.sql)
        key = next((c.name for c in columns if c.expr in found.rows.keys), found.rows.name.key)
        rows = found.rows
        called = Called(alias or rows.name.alias, key, at)
        return Rows(rows.relation, rows.unit, rows.scans, rows.keys, called), Source(
            alias, columns, at
        )


def with_entries(node: exp.Expr, common: Common) -> Common:
    """Return the WITH entries in reach of a query: its own hide those around it."""
    clause = node.args.get("with_")
    if clause is None:
        return common
    found = dict(common)
    for entry in clause.expressions:
        names = tuple(str(c.name) for c in entry.args["alias"].args.get("columns") or [])
        found[entry.alias.lower()] = CommonTable(entry.this, names, dict(found))
    return found


def _is_grouped(select: exp.Select) -> bool:
    if select.args.get("group") is not None or select.args.get("having") is not None:
        return True
    qualify = select.args.get("qualify")
    nodes = [*select.expressions, *([qualify] if qualify is not None else [])]
    return any(holds_aggregate(node) for node in nodes)


def _column_names(node: exp.Expr) -> tuple[str, ...]:
    alias = node.args.get("alias")
    return (
        tuple(str(c.name) for c in (alias.args.get("columns") or [])) if alias is not None else ()
    )


def _renamed(
    found: TableValue, names: tuple[str, ...], node: exp.Expr, reading: Reading
) -> TableValue:
    return TableValue(found.rows, _rename(found.columns, names, node, reading))


def _rename(
    columns: tuple[Named, ...], names: tuple[str, ...], node: exp.Expr, reading: Reading
) -> tuple[Named, ...]:
    if len(names) > len(columns):
        raise reading.refused(
            "sql_type_mismatch", node, what=quoted(node), types=f"{len(columns)} columns"
        )
    return (
        *(Named(name, column.expr) for name, column in zip(names, columns, strict=False)),
        *columns[len(names) :],
    )
