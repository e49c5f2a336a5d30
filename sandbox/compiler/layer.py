"""What one SELECT yields before its LIMIT: rows, the columns it shows of them, and their order."""

from dataclasses import dataclass, replace

from sqlglot import exp

from policies.refusals import Refused, Stage
from sandbox.algebra import (
    Call,
    Cells,
    Column,
    Exists,
    Expr,
    Filter,
    Project,
    Relation,
    RowOrder,
    walk,
)
from sandbox.boundary import SortTerm
from sandbox.compiler.conjunction import conjunction
from sandbox.compiler.keyed import holds_window, whole_number, without_alias
from sandbox.compiler.places import position
from sandbox.compiler.rows import Named, Rows
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.settle import settle

LIMIT_MAX = 10**6
FOLDED_NODES_MAX = 2_000  # a layer that uses one below it twice doubles the expression


@dataclass(frozen=True, slots=True)
class Layer:
    """Rows, columns over them, and ORDER BY."""

    rows: Rows
    columns: tuple[Named, ...]
    order: tuple[RowOrder, ...]


def is_windowed(select: exp.Select, ordered: bool) -> bool:
    """Tell whether window functions stand in the columns, in QUALIFY or, where it counts, in ORDER BY."""
    if select.args.get("qualify") is not None:
        return True
    order = select.args.get("order") if ordered else None
    nodes = [*select.expressions, *(order.expressions if order is not None else [])]
    return any(holds_window(node) for node in nodes)


def order_of(select: exp.Expr, reader: ScalarReader) -> tuple[RowOrder, ...]:
    """Return the ORDER BY terms: column numbers, aliases, ALL or expressions. NULLs go last unless the query says otherwise."""
    order = select.args.get("order")
    terms: list[RowOrder] = []
    for ordered in order.expressions if order is not None else []:
        flags = (bool(ordered.args.get("desc")), bool(ordered.args.get("nulls_first")))
        for node in _nodes(ordered.this, select, reader):
            terms.append(RowOrder(reader.read(node), *flags))
    return tuple(terms)


def _nodes(node: exp.Expr, select: exp.Expr, reader: ScalarReader) -> list[exp.Expr]:
    items = [without_alias(item) for item in select.expressions]
    if isinstance(node, exp.Var) and str(node.this).upper() == "ALL":
        return items
    if isinstance(node, exp.Literal) and not node.is_string:
        index = whole_number(node)
        if not 1 <= index <= len(items):
            raise reader.refused(
                "sql_argument_refused",
                node,
                name=str(node.this),
                need=f"a column number from 1 to {len(items)}",
                cure="count the columns of SELECT from 1",
            )
        return [items[index - 1]]
    if isinstance(node, exp.Column) and not node.table:
        # in ORDER BY an alias hides a column of the same name, as in DuckDB
        for item in select.expressions:
            if isinstance(item, exp.Alias) and item.alias.lower() == node.name.lower():
                return [item.this]
    return [node]


def end_of(select: exp.Expr, sql: str) -> tuple[int | None, int]:
    """Return LIMIT and OFFSET. Refuses: anything but whole numbers, written out."""
    return _count(select, "limit", sql), _count(select, "offset", sql) or 0


def _count(tree: exp.Expr, name: str, sql: str) -> int | None:
    clause = tree.args.get(name)
    if clause is None:
        return None
    value = whole_number(clause.expression)
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


def moved_order(
    order: tuple[RowOrder, ...], before: tuple[Named, ...], after: tuple[Named, ...]
) -> tuple[RowOrder, ...] | None:
    """Return an order over other names for the same columns, None if it names what is not among them."""
    moved: dict[Expr, Expr] = {a.expr: b.expr for a, b in zip(before, after, strict=True)}
    if any(term.expr not in moved for term in order):
        return None
    return tuple(replace(term, expr=moved[term.expr]) for term in order)


@dataclass(frozen=True, slots=True)
class Folded:
    """Layers that only name and filter released rows, as expressions over one such row."""

    names: dict[Column, Expr]
    conditions: tuple[Expr, ...]

    def expr(self, expr: Expr) -> Expr:
        """Return the expression over the released row itself."""
        if isinstance(expr, Column):
            return self.names[expr]
        if isinstance(expr, Call):
            return replace(expr, args=tuple(self.expr(arg) for arg in expr.args))
        return expr

    @property
    def having(self) -> Expr | None:
        """The conditions together."""
        return conjunction(self.conditions) if self.conditions else None


def fold(relation: Relation) -> Folded | None:
    """Return layers without window, group or join as one: equal questions make equal plans, however they are nested."""
    if isinstance(relation, Cells):
        return Folded({}, ())
    if not isinstance(relation, Filter | Project):
        return None
    inside = fold(relation.input)
    if inside is None or (isinstance(relation, Project) and relation.windows):
        return None
    exprs = (relation.predicate,) if isinstance(relation, Filter) else relation.columns
    if any(not _is_plain(expr) for expr in exprs):
        return None
    found = tuple(inside.expr(expr) for expr in exprs)
    if sum(len(walk(expr)) for expr in found) > FOLDED_NODES_MAX:
        return None
    if isinstance(relation, Filter):
        return Folded(inside.names, (*inside.conditions, *found))
    names = {Column(relation.id, f"c{i}", expr.type): expr for i, expr in enumerate(found)}
    return Folded(names, inside.conditions)


def _is_plain(expr: Expr) -> bool:
    """Tell whether no relation stands inside the expression."""
    return all(not isinstance(node, Exists) for node in walk(expr))


@dataclass(frozen=True, slots=True)
class Shown:
    """A question's last layer as a plan has it: `relation` is None where everything is read off the released rows themselves."""

    relation: Relation | None
    columns: tuple[Expr, ...]
    having: Expr | None
    order: tuple[SortTerm, ...]


def shown_of(layer: Layer) -> Shown:
    """Return the last layer in its settled form."""
    columns = tuple(column.expr for column in layer.columns)
    order = tuple(SortTerm(t.expr, t.descending, t.nulls_first) for t in layer.order)
    tops = (*columns, *(term.expr for term in order))
    folded = fold(layer.rows.relation)
    if folded is not None and all(_is_plain(expr) for expr in tops):
        found = tuple(folded.expr(expr) for expr in tops)
        if sum(len(walk(expr)) for expr in found) <= FOLDED_NODES_MAX or not folded.names:
            return _shown(None, folded.having, found, order)
    settled = settle(layer.rows.relation, tops)
    moved = tuple(settled.renaming.expr(expr) for expr in tops)
    return _shown(settled.relation, None, moved, order)


def _shown(
    relation: Relation | None,
    having: Expr | None,
    tops: tuple[Expr, ...],
    order: tuple[SortTerm, ...],
) -> Shown:
    columns, terms = tops[: len(tops) - len(order)], tops[len(tops) - len(order) :]
    moved = tuple(replace(term, expr=expr) for term, expr in zip(order, terms, strict=True))
    return Shown(relation, columns, having, moved)
