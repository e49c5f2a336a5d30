"""Expressions over groups: keys, ordinals, aliases, GROUP BY ALL. What an aggregate is, each kind of group says itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from policies.refusals import Position
from policies.terms import SqlType
from sandbox.algebra import Expr, columns_of
from sandbox.boundary import SET_KEYS_MAX
from sandbox.compiler.grouping import GROUPING_CLASSES, has_sets, indexed, listed_sets
from sandbox.compiler.nodes import ANY_AGGREGATE
from sandbox.compiler.places import position, quoted
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.scope import ALIASES_MAX, RowReader, Scope


@dataclass(frozen=True, slots=True)
class ResolvedKey:
    """A GROUP BY expression over rows, and the operator's words for it."""

    expr: Expr
    words: str
    at: Position | None


class KeyedReader(ScalarReader, ABC):
    """Reads expressions over keys and aggregates."""

    def __init__(self, scope: Scope, tree: exp.Select) -> None:
        super().__init__(scope.sql)
        self.scope = scope
        self.rows = RowReader(scope)
        self.aliases = scope.aliases
        self._row_aliases: dict[str, bool] = {}
        self.keys, self.sets = self._read_keys(tree)
        self._open_aliases: set[str] = set()
        self._aliases_read = 0

    def is_above(self) -> bool:
        """Tell whether the groups are of released rows."""
        return self.rows.is_above()

    @abstractmethod
    def key_reference(self, index: int, type_: SqlType) -> Expr:
        """Return how an expression over groups names the `index`-th key."""

    @abstractmethod
    def aggregate(self, node: exp.Expr) -> Expr:
        """Return how an expression over groups names an aggregate."""

    def grouping(self, node: exp.Expr) -> Expr:
        """Return GROUPING(…); only a release has grouping sets."""
        raise self.refused(
            "sql_feature_refused", node, what=quoted(node), cure="leave that part out"
        )

    def _read_keys(
        self, tree: exp.Select
    ) -> tuple[tuple[ResolvedKey, ...], tuple[tuple[int, ...], ...]]:
        """Return the keys, each once, and the grouping sets they are asked in (nothing for one of all keys)."""
        group = tree.args.get("group")
        if group is None:
            return (), ()
        listed: tuple[tuple[exp.Expr, ...], ...]
        if group.args.get("all"):
            plain = (n for n in tree.expressions if not holds_aggregate(n) and not holds_window(n))
            listed = (tuple(without_alias(n) for n in plain),)
        elif has_sets(group):
            listed = listed_sets(group, self.refused)
        else:
            listed = (tuple(group.expressions),)
        keys: dict[Expr, ResolvedKey] = {}
        sets = [[self._key(node, tree, keys) for node in nodes] for nodes in listed]
        # a constant key, however it is written, makes no groups of its own
        found = indexed(
            ([place for place in each if place is not None] for each in sets), len(keys)
        )
        if found and len(keys) > SET_KEYS_MAX:
            raise self.refused(
                "sql_too_complex", group, what="keys of grouping sets", limit=SET_KEYS_MAX
            )
        return tuple(keys.values()), found

    def _key(self, node: exp.Expr, tree: exp.Select, keys: dict[Expr, ResolvedKey]) -> int | None:
        """Return the number of a key, adding it if it is new; None for a constant.

        Refuses: a constant in ROLLUP, CUBE or GROUPING SETS, where DuckDB would show NULL for it in the totals.
        """
        named = node if tree.args["group"].args.get("all") else self._key_node(node, tree)
        key = ResolvedKey(self.rows.read(named), quoted(named), position(named, self.sql))
        if not columns_of(key.expr):
            if node.find_ancestor(exp.Rollup, exp.Cube, exp.GroupingSets):
                raise self.refused(
                    "sql_argument_refused",
                    node,
                    name=quoted(node),
                    need="a key that reads a column",
                    cure="leave that part out",
                )
            return None
        keys.setdefault(key.expr, key)
        return list(keys).index(key.expr)

    def _key_node(self, node: exp.Expr, tree: exp.Select) -> exp.Expr:
        if isinstance(node, exp.Literal) and not node.is_string:
            return without_alias(self._ordinal(node, tree))
        # a column hides an alias of the same name, as in DuckDB
        if isinstance(node, exp.Column) and not node.table and self.scope.column(node) is None:
            return self.aliases.get(node.name.lower(), node)
        return node

    def _ordinal(self, node: exp.Literal, tree: exp.Select) -> exp.Expr:
        index = whole_number(node)
        if not 1 <= index <= len(tree.expressions):
            raise self.refused(
                "sql_argument_refused",
                node,
                name=str(node.this),
                need=f"a column number from 1 to {len(tree.expressions)}",
                cure="count the columns of SELECT from 1",
            )
        chosen: exp.Expr = tree.expressions[index - 1]
        return chosen

    def read(self, node: exp.Expr) -> Expr:
        """Return the expression over keys and aggregates.

        Refuses: a column that is neither grouped nor aggregated (`not_aggregated`).
        """
        if isinstance(node, ANY_AGGREGATE):
            return self.aggregate(node)
        if isinstance(node, GROUPING_CLASSES):
            return self.grouping(node)
        if isinstance(node, exp.Star):
            raise self.refused("not_aggregated", node, what="*")
        if not isinstance(node, (exp.Literal, exp.Boolean, exp.Null)) and not holds_aggregate(node):
            key = self._as_key(node)
            if key is not None:
                return key
        return super().read(node)

    def _as_key(self, node: exp.Expr) -> Expr | None:
        if not any(True for _ in node.find_all(exp.Column)):
            return None
        for column in _own_columns(node):
            if isinstance(column.this, exp.Star) or not self._is_of_rows(column):
                return None
        expr = self.rows.read(node)
        for index, key in enumerate(self.keys):
            if key.expr == expr:
                return self.key_reference(index, expr.type)
        return None

    def _is_of_rows(self, column: exp.Column) -> bool:
        """Tell whether a name stands for something in a row: a column, or an alias of an expression over columns."""
        if self.scope.column(column) is not None:
            return True
        name = column.name.lower()
        aliased = self.aliases.get(name) if not column.table else None
        if aliased is None:
            return False
        if name not in self._row_aliases:
            self._row_aliases[name] = False  # what stands for itself stands for nothing
            columns = tuple(_own_columns(aliased))
            mixed = holds_window(aliased) or holds_aggregate(aliased)
            self._row_aliases[name] = (
                bool(columns) and not mixed and all(self._is_of_rows(c) for c in columns)
            )
        return self._row_aliases[name]

    def column(self, node: exp.Column) -> Expr:
        """Return what an alias of SELECT stands for; any other column here is a bare row value."""
        if not node.table and node.name.lower() in self.aliases and self.scope.column(node) is None:
            return self._alias(node)
        if isinstance(node.this, exp.Identifier) and self.scope.column(node) is None:
            raise self.scope.unknown(node)
        raise self.refused("not_aggregated", node, what=quoted(node))

    def output(self, node: exp.Expr, tree: exp.Select) -> Expr:
        """Return an ORDER BY term: a column number, an alias, or an expression."""
        if isinstance(node, exp.Literal) and not node.is_string:
            return self.read(without_alias(self._ordinal(node, tree)))
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in self.aliases:
            return self._alias(node)
        return self.read(node)

    def _alias(self, node: exp.Column) -> Expr:
        """Return what an alias stands for.

        Refuses: an alias that stands for itself, and so many that the expression would double with each of them.
        """
        name = node.name.lower()
        if name in self._open_aliases:
            raise self.scope.unknown(node)
        self._aliases_read += 1
        if self._aliases_read > ALIASES_MAX:
            raise self.refused("sql_too_complex", node, what="uses of aliases", limit=ALIASES_MAX)
        self._open_aliases.add(name)
        found = self.read(self.aliases[name])
        self._open_aliases.remove(name)
        return found


def _own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns of an expression, subqueries apart."""
    for part in node.walk(prune=lambda part: isinstance(part, exp.Query)):
        if isinstance(part, exp.Column):
            yield part


def aliases_of(items: list[exp.Expr]) -> dict[str, exp.Expr]:
    """Return what each alias of a SELECT stands for."""
    return {node.alias.lower(): node.this for node in items if isinstance(node, exp.Alias)}


def whole_number(node: exp.Expr) -> int:
    """Return a number written in at most nine digits, -1 for anything else."""
    text = str(node.this) if isinstance(node, exp.Literal) and not node.is_string else ""
    return int(text) if text.isdecimal() and len(text) <= 9 else -1


def without_alias(node: exp.Expr) -> exp.Expr:
    """Return the expression that an item of SELECT names."""
    return node.this if isinstance(node, exp.Alias) else node


def holds_aggregate(node: exp.Expr) -> bool:
    """Tell whether an aggregate stands in the expression; window functions and subqueries are none."""
    inside = node.walk(prune=lambda part: isinstance(part, exp.Query))
    kinds = (*ANY_AGGREGATE, *GROUPING_CLASSES)
    return any(isinstance(part, kinds) and not is_windowed(part) for part in inside)


def holds_window(node: exp.Expr) -> bool:
    """Tell whether a window function stands in the expression, subqueries apart."""
    return any(
        isinstance(part, exp.Window)
        for part in node.walk(prune=lambda part: isinstance(part, exp.Query))
    )


def is_windowed(node: exp.Expr) -> bool:
    """Tell whether an aggregate is the function of an OVER clause."""
    part = node
    while isinstance(part.parent, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
        part = part.parent
    return isinstance(part.parent, exp.Window) and part.arg_key == "this"
