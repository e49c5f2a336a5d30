"""Bring a relation into its settled form: nothing unused is read or computed, and everything is numbered by its place.

`SELECT *` in a subquery, an unused column of a WITH entry and the order in which names were read leave no trace in the plan, so
equal questions make equal plans and the policy is asked about columns that are really used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sandbox.algebra import (
    DERIVED_FIRST,
    Aggregation,
    Branch,
    Call,
    Cells,
    Column,
    Constants,
    Exists,
    Expr,
    Filter,
    Group,
    Join,
    Limit,
    Project,
    Relation,
    RowOrder,
    Scan,
    SetKind,
    SetOperation,
    Windowed,
    relations,
    walk,
)
from sandbox.boundary import UNIT_COLUMN


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled relation, the scans it kept (old numbers, in order), and how old columns are called now."""

    relation: Relation
    scans: tuple[int, ...]
    renaming: "Renaming"


class Renaming:
    """Old columns to new ones."""

    def __init__(self, relation: Relation, used: frozenset[Column]) -> None:
        nodes = relations(relation)
        self.scans = tuple(sorted({n.index for n in nodes if isinstance(n, Scan)}))
        self._numbers = {old: new for new, old in enumerate(self.scans)}
        derived = [n for n in nodes if isinstance(n, Constants | Project | Group | SetOperation)]
        for new, node in enumerate(derived):
            self._numbers[node.id] = DERIVED_FIRST + new
        self._names: dict[tuple[int, str], str] = {}
        self.kept: dict[tuple[int, str], tuple[int, ...]] = {}
        for node in derived:
            for letter, count, fixed in _columns(node):
                self._keep(node.id, letter, count, None if fixed else used)
            if isinstance(node, SetOperation) and not node.left.unit:
                self._keep_one(node)

    def _keep(self, number: int, letter: str, count: int, used: frozenset[Column] | None) -> None:
        names = {c.name for c in used if c.scan == number} if used is not None else set()
        kept = tuple(i for i in range(count) if used is None or f"{letter}{i}" in names)
        self.kept[number, letter] = kept
        for place, index in enumerate(kept):
            self._names[number, f"{letter}{index}"] = f"{letter}{place}"

    def _keep_one(self, node: SetOperation) -> None:
        """Keep a column of public rows that are only counted: people have their unit, these would have nothing."""
        if not self.kept[node.id, "c"] and node.left.columns:
            self.kept[node.id, "c"] = (0,)
            self._names[node.id, "c0"] = "c0"

    def number(self, old: int) -> int:
        """Return the new number of a scan or derived relation."""
        return self._numbers[old]

    def keeps(self, column: Column) -> bool:
        """Tell whether a column is still there."""
        if column.scan not in self._numbers:
            return False
        letter = column.name[:1]
        if (column.scan, letter) not in self.kept or column.name == UNIT_COLUMN:
            return True
        return (column.scan, column.name) in self._names

    def column(self, column: Column) -> Column:
        """Return the new column."""
        name = self._names.get((column.scan, column.name), column.name)
        return Column(self._numbers[column.scan], name, column.type)

    def expr(self, expr: Expr) -> Expr:
        """Return the expression over new columns."""
        if isinstance(expr, Column):
            return self.column(expr)
        if isinstance(expr, Call):
            return replace(expr, args=tuple(self.expr(arg) for arg in expr.args))
        if isinstance(expr, Exists):
            return Exists(self.relation(expr.relation), self.expr(expr.on))
        return expr

    def relation(self, node: Relation) -> Relation:
        """Return the relation with new numbers and without what is unused."""
        if isinstance(node, Scan):
            return Scan(self._numbers[node.index])
        if isinstance(node, Constants):
            return replace(node, id=self._numbers[node.id])
        if isinstance(node, Filter):
            return Filter(self.relation(node.input), self.expr(node.predicate))
        if isinstance(node, Join):
            sides = (self.relation(node.left), self.relation(node.right))
            return Join(node.type, *sides, self.expr(node.on))
        if isinstance(node, SetOperation):
            kept = self.kept[node.id, "c"]
            branches = (self._branch(node.left, kept), self._branch(node.right, kept))
            return SetOperation(self._numbers[node.id], node.kind, *branches)
        if isinstance(node, Cells):
            return node
        if isinstance(node, Limit):
            return replace(node, input=self.relation(node.input), order=self._order(node.order))
        unit = tuple(self.column(u) for u in node.unit)
        number, below = self._numbers[node.id], self.relation(node.input)
        if isinstance(node, Group):
            keys = tuple(self.expr(key) for key in node.keys)
            picked = tuple(node.aggregations[i] for i in self.kept[node.id, "a"])
            return Group(number, below, unit, keys, tuple(self._aggregation(a) for a in picked))
        columns = tuple(self.expr(node.columns[i]) for i in self.kept[node.id, "c"])
        windows = tuple(self._window(node.windows[i]) for i in self.kept[node.id, "w"])
        return Project(number, below, unit, columns, windows)

    def _branch(self, branch: Branch, kept: tuple[int, ...]) -> Branch:
        return Branch(
            self.relation(branch.input),
            tuple(self.column(u) for u in branch.unit),
            tuple(self.expr(branch.columns[i]) for i in kept),
        )

    def _aggregation(self, found: Aggregation) -> Aggregation:
        args = tuple(self.expr(arg) for arg in found.args)
        where = None if found.where is None else self.expr(found.where)
        return replace(found, args=args, where=where)

    def _window(self, found: Windowed) -> Windowed:
        return replace(
            found,
            args=tuple(self.expr(arg) for arg in found.args),
            partition=tuple(self.expr(part) for part in found.partition),
            order=self._order(found.order),
        )

    def _order(self, terms: tuple[RowOrder, ...]) -> tuple[RowOrder, ...]:
        return tuple(RowOrder(self.expr(t.expr), t.descending, t.nulls_first) for t in terms)


def settle(relation: Relation, tops: tuple[Expr, ...]) -> Settled:
    """Return the settled form of a relation of which only `tops` are read."""
    used = _used(relation, tops)
    renaming = Renaming(relation, used)
    return Settled(renaming.relation(relation), renaming.scans, renaming)


def _columns(
    node: Constants | Project | Group | SetOperation,
) -> Iterator[tuple[str, int, bool]]:
    """Return the letters of a relation's columns, how many there are, and whether all of them matter to its rows."""
    if isinstance(node, Project):
        yield "c", len(node.columns), False
        yield "w", len(node.windows), False
    elif isinstance(node, Group):
        yield "k", len(node.keys), True
        yield "a", len(node.aggregations), False
    elif isinstance(node, SetOperation):
        yield "c", len(node.left.columns), node.kind is not SetKind.UNION_ALL
    else:
        yield "c", len(node.columns), True


def _used(relation: Relation, tops: tuple[Expr, ...]) -> frozenset[Column]:
    """Return every column that decides about rows or is read above, and all they are computed from."""
    nodes = relations(relation)
    waiting = [*tops, *(e for node in nodes for e in _always(node))]
    parts = {key: value for node in nodes for key, value in _parts(node)}
    used: set[Column] = set()
    while waiting:
        for column in _columns_in(waiting.pop()):
            if column not in used:
                used.add(column)
                waiting.extend(parts.get((column.scan, column.name), ()))
    return frozenset(used)


def _columns_in(expr: Expr) -> Iterator[Column]:
    # EXISTS is not entered: what decides about the rows of its relation is among `_always` of that relation
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Column):
            yield node
        elif isinstance(node, Exists):
            stack.append(node.on)
        elif isinstance(node, Call):
            stack.extend(node.args)


def _always(node: Relation) -> tuple[Expr, ...]:
    if isinstance(node, Join):
        return (node.on,)
    if isinstance(node, Filter):
        return (node.predicate,)
    if isinstance(node, Limit):
        return tuple(term.expr for term in node.order)
    if isinstance(node, Group):
        return (*node.unit, *node.keys)
    if isinstance(node, Project):
        return node.unit
    if isinstance(node, SetOperation):
        units = (*node.left.unit, *node.right.unit)
        if node.kind is SetKind.UNION_ALL:
            return units or (*node.left.columns[:1], *node.right.columns[:1])
        return (*units, *node.left.columns, *node.right.columns)
    return ()


def _parts(node: Relation) -> Iterator[tuple[tuple[int, str], tuple[Expr, ...]]]:
    """Return what each column of a derived relation is computed from."""
    if isinstance(node, Project):
        for index, expr in enumerate(node.columns):
            yield (node.id, f"c{index}"), (expr,)
        for index, window in enumerate(node.windows):
            order = tuple(term.expr for term in window.order)
            yield (node.id, f"w{index}"), (*window.args, *window.partition, *order)
    elif isinstance(node, Group):
        for index, found in enumerate(node.aggregations):
            where = () if found.where is None else (found.where,)
            yield (node.id, f"a{index}"), (*found.args, *where)
        for index, key in enumerate(node.keys):
            yield (node.id, f"k{index}"), (key,)
    elif isinstance(node, SetOperation):
        for index, (left, right) in enumerate(
            zip(node.left.columns, node.right.columns, strict=True)
        ):
            yield (node.id, f"c{index}"), (left, right)


def scanned(relation: Relation, tops: tuple[Expr, ...]) -> frozenset[Column]:
    """Return the registered columns that a settled relation and the expressions over it read; unit codes are not among them."""
    exprs = [*tops, *(e for node in relations(relation) for e in _all(node))]
    return frozenset(
        part
        for expr in exprs
        for part in walk(expr)
        if isinstance(part, Column) and part.scan < DERIVED_FIRST and part.name != UNIT_COLUMN
    )


def _all(node: Relation) -> tuple[Expr, ...]:
    return (*_always(node), *(e for _, parts in _parts(node) for e in parts))
