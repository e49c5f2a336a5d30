"""GROUP BY and DISTINCT below the release: rows of one unit become rows of that unit, public rows stay public."""

from sqlglot import exp

from policies.terms import SqlType
from sandbox.algebra import Aggregation, Column, Expr, Filter, Group, columns_of
from sandbox.compiler.conjunction import conjunction, split_and
from sandbox.compiler.keyed import KeyedReader, ResolvedKey
from sandbox.compiler.places import quoted
from sandbox.compiler.row_aggregates import read_aggregation
from sandbox.compiler.rows import Called, Named, Rows, public_rows, unit_of
from sandbox.compiler.scope import Scope, condition


class GroupReader(KeyedReader):
    """Reads expressions over the groups of one per-unit or public aggregation."""

    def __init__(self, scope: Scope, tree: exp.Select, number: int) -> None:
        super().__init__(scope, tree)
        self.id = number
        self.aggregations: list[Aggregation] = []

    def refuse_sets(self, tree: exp.Select) -> None:
        """Refuse grouping sets: only a release has them."""
        if self.sets:
            raise self.scope.reading.unsupported(
                tree, "GROUPING SETS beside the release", "use them in the SELECT that releases"
            )

    def key_reference(self, index: int, type_: SqlType) -> Expr:
        """Return a key column of the group."""
        return Column(self.id, f"k{index}", type_)

    def aggregate(self, node: exp.Expr) -> Expr:
        """Return the aggregate's column; one that is asked twice is computed once."""
        found = read_aggregation(node, self.rows)
        if found not in self.aggregations:
            self.aggregations.append(found)
        return Column(self.id, f"a{self.aggregations.index(found)}", found.type)


def grouped(reader: GroupReader, rows: Rows, having: tuple[Expr, ...], name: Called) -> Rows:
    """Return the groups of `rows`. The caller has seen to it that the keys hold the unit's key, if there is a unit."""
    keys = tuple(key.expr for key in reader.keys)
    found = group_of(reader.id, rows, keys, tuple(reader.aggregations), name)
    if not having:
        return found
    kept = Filter(found.relation, conjunction(having))
    return Rows(kept, found.unit, found.scans, found.keys, found.name)


def group_of(
    number: int,
    rows: Rows,
    keys: tuple[Expr, ...],
    aggregations: tuple[Aggregation, ...],
    name: Called,
) -> Rows:
    """Return one row for each unit and combination of keys."""
    unit = () if rows.unit is None else (rows.unit,)
    relation = Group(number, rows.relation, unit, keys, aggregations)
    if rows.unit is None:
        return public_rows(relation, name)
    known = frozenset(
        Column(number, f"k{index}", key.type) for index, key in enumerate(keys) if key in rows.keys
    )
    return Rows(relation, unit_of(number), frozenset(), known, name)


def distinct(number: int, rows: Rows, columns: tuple[Named, ...]) -> tuple[Rows, tuple[Named, ...]]:
    """Return the distinct rows of some columns; a constant among them distinguishes nothing."""
    keys = tuple(dict.fromkeys(c.expr for c in columns if columns_of(c.expr)))
    found = group_of(number, rows, keys, (), rows.name)
    place = {expr: Column(number, f"k{index}", expr.type) for index, expr in enumerate(keys)}
    return found, tuple(Named(c.name, place.get(c.expr, c.expr)) for c in columns)


def groups_by_unit(keys: tuple[ResolvedKey, ...], rows: Rows) -> bool:
    """Tell whether the unit's own key is among the keys."""
    return any(key.expr in rows.keys for key in keys)


def having_of(select: exp.Select, reader: GroupReader) -> tuple[Expr, ...]:
    """Return the conjuncts of HAVING."""
    having = select.args.get("having")
    return () if having is None else split_and(condition(reader, having.this))


def label(node: exp.Expr) -> str:
    """Return the name of a column of SELECT."""
    return node.alias or (node.name if isinstance(node, exp.Column) else quoted(node))
