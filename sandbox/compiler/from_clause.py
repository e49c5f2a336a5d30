"""FROM and its joins: which relations meet on which conditions, and whose rows the outcome holds."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from sqlglot import exp

from policies.refusals import Refused
from sandbox.algebra import Call, Column, Exists, Expr, Join, JoinType, Op, Project, columns_of
from sandbox.compiler.conditions import chain, compare
from sandbox.compiler.conjunction import conjunction, pairs_of, split_and
from sandbox.compiler.derive import derived_rows, is_plain, materialise
from sandbox.compiler.links import link, link_all, missing
from sandbox.compiler.places import position
from sandbox.compiler.rows import Rows, Source
from sandbox.compiler.scope import RowReader, Scope, condition
from sandbox.compiler.types import BOOLEAN, NoCommonType, TooWide, convert

_KEEPS_PUBLIC = "an outer join that keeps public rows"
_KEEP_PRIVATE = "write the private table on the side that is preserved"


class Tables(Protocol):
    """Reads one item of FROM."""

    def item(self, node: exp.Expr, scope: Scope) -> tuple[Rows, Source]:
        """Return a table, a subquery, VALUES or a series as rows, and the names it brings into reach."""
        ...


class FromClause:
    """The items of one FROM, joined step by step."""

    def __init__(self, scope: Scope, tables: Tables) -> None:
        self.scope = scope
        self.tables = tables
        self.reader = RowReader(scope)
        self.conditions: list[tuple[Expr, ...]] = []  # of each part: its own ON
        self.filters: list[Expr] = []  # semi and anti joins
        self._comma = False
        self._where: exp.Expr | None = None

    def read(self, select: exp.Expr) -> None:
        """Read FROM and every join of a SELECT. Refuses: a SELECT without FROM is the caller's matter."""
        self._where = select.args.get("where")
        rows, source = self.tables.item(select.args["from_"].this, self.scope)
        self.scope.add(source, select.args["from_"].this)
        self._part(rows, ())
        for join in select.args.get("joins") or []:
            self._join(join)

    def whole(self, further: Sequence[Expr]) -> Rows:
        """Return all parts as one relation; `further` are conjuncts of WHERE that may link units, too.

        Refuses: private parts that are not linked.
        """
        parts = self.scope.parts
        conditions = [c for group in self.conditions for c in group]
        links = link_all(parts, pairs_of([*conditions, *further]), self.scope.reading)
        rows = parts[0]
        for index, part in enumerate(parts[1:], start=1):
            mine = [*self.conditions[index], *(e for at, e in links if at == index)]
            joined = Join(JoinType.INNER, rows.relation, part.relation, conjunction(tuple(mine)))
            first = rows if rows.unit is not None else part
            rows = Rows(
                joined, first.unit, rows.scans | part.scans, rows.keys | part.keys, first.name
            )
        return rows

    def _part(self, rows: Rows, conditions: tuple[Expr, ...]) -> None:
        self.scope.parts.append(rows)
        self.conditions.append(conditions)

    def _join(self, join: exp.Expr) -> None:
        kind, side, method = (
            str(join.args.get(k) or "").upper() for k in ("kind", "side", "method")
        )
        bare = not (kind or side or method or join.args.get("on") or join.args.get("using"))
        self._comma = self._comma or bare
        if method not in ("", "NATURAL") or kind not in (
            "",
            "INNER",
            "OUTER",
            "CROSS",
            "SEMI",
            "ANTI",
        ):
            raise self._refused(join, f"{method or kind} JOIN", "use an inner or a left join")
        if side in ("RIGHT", "FULL") and self._comma:
            raise self._refused(
                join, f"{side} JOIN after a comma", "write CROSS JOIN for the comma"
            )
        rows, source = self.tables.item(join.this, self.scope)
        left = list(self.scope.sources)
        if kind in ("SEMI", "ANTI"):
            self._semi(join, rows, source, left, kind == "ANTI")
            return
        if side == "FULL":
            self._full(join, rows, source, left)
        elif side == "RIGHT":
            self._right(join, rows, source, left)
        elif side == "LEFT":
            self._left(join, rows, source, left)
        else:
            self.scope.add(source, join.this)
            self._part(rows, self._on(join, left, source))

    def _left(self, join: exp.Expr, rows: Rows, source: Source, left: list[Source]) -> None:
        rows, source = self._plain(join, rows, source)
        self.scope.add(source, join.this)
        kept = self._collapsed()
        self._replace(self._outer(join, kept, rows, self._on(join, left, source)))

    def _right(self, join: exp.Expr, rows: Rows, source: Source, left: list[Source]) -> None:
        nullable = self._collapsed()
        if not is_plain(tuple(left)):
            moved = materialise(
                self.scope.reading.number(join), nullable, tuple(left), self.scope.merged
            )
            nullable, left = moved.rows, list(moved.sources)
            self.scope.sources[:] = left
            self.scope.merged.update(moved.merged)
        self.scope.add(source, join.this)
        on = self._on(join, left, source)
        self._keep_right(join, left, source)
        self._replace(self._outer(join, rows, nullable, on))

    def _keep_right(self, join: exp.Expr, left: list[Source], source: Source) -> None:
        for name in self._names(join, left, source):
            found = source.column(name.name)
            if found is not None:
                self.scope.merged[name.name.lower()] = found

    def _full(self, join: exp.Expr, rows: Rows, source: Source, left: list[Source]) -> None:
        first = self._collapsed()
        reading = self.scope.reading
        if not is_plain(tuple(left)):
            moved = materialise(reading.number(join), first, tuple(left), self.scope.merged)
            first, left = moved.rows, list(moved.sources)
            self.scope.sources[:] = left
            self.scope.merged.update(moved.merged)
        rows, source = self._plain(join, rows, source)
        self.scope.add(source, join.this)
        on = list(self._on(join, left, source))
        unit = self._full_unit(join, first, rows, on)
        for name in self._names(join, left, source):
            ours, theirs = self.scope.merged[name.name.lower()], source.column(name.name)
            if theirs is not None:
                either = Call(Op.COALESCE, (ours, convert(theirs, ours.type)), ours.type)
                self.scope.merged[name.name.lower()] = either
        both = Join(JoinType.FULL, first.relation, rows.relation, conjunction(tuple(on)))
        self._behind_full(join, Rows(both, first.unit, frozenset(), frozenset(), first.name), unit)

    def _full_unit(
        self, join: exp.Expr, first: Rows, rows: Rows, on: list[Expr]
    ) -> tuple[Column, ...]:
        """Return the two units of a full join, after linking them in `on`; nothing if both sides are public."""
        if first.unit is None and rows.unit is None:
            return ()
        if first.unit is None or rows.unit is None:
            raise self._refused(join, _KEEPS_PUBLIC, _KEEP_PRIVATE)
        equality = link(first, rows, pairs_of(on), self.scope.reading)
        if equality is None:
            raise missing(first, rows)
        on.append(equality)
        return (first.unit, rows.unit)

    def _behind_full(self, join: exp.Expr, both: Rows, unit: tuple[Column, ...]) -> None:
        moved = materialise(
            self.scope.reading.number(join), both, tuple(self.scope.sources), self.scope.merged
        )
        relation = moved.rows.relation
        if not isinstance(relation, Project):
            raise TypeError("a materialised relation is a projection")
        own = Project(relation.id, relation.input, unit, relation.columns, ())
        self.scope.sources[:] = moved.sources
        self.scope.merged.update(moved.merged)
        self._replace(derived_rows(own, both, relation.columns, both.name))

    def _outer(self, join: exp.Expr, kept: Rows, nullable: Rows, on: tuple[Expr, ...]) -> Rows:
        conditions = list(on)
        if nullable.unit is not None:
            if kept.unit is None:
                raise self._refused(join, _KEEPS_PUBLIC, _KEEP_PRIVATE)
            equality = link(kept, nullable, pairs_of(on), self.scope.reading)
            if equality is None:
                raise missing(kept, nullable)
            conditions.append(equality)
        joined = Join(
            JoinType.LEFT, kept.relation, nullable.relation, conjunction(tuple(conditions))
        )
        return Rows(joined, kept.unit, kept.scans, kept.keys, kept.name)

    def _semi(
        self, join: exp.Expr, rows: Rows, source: Source, left: list[Source], anti: bool
    ) -> None:
        self.scope.add(source, join.this)
        merged = dict(self.scope.merged)
        on = list(self._on(join, left, source))
        self.scope.sources.remove(source)
        self.scope.merged = merged
        if rows.unit is not None:
            self._link_inside(rows, on)
        found = Exists(rows.relation, conjunction(tuple(on)))
        self.filters.append(Call(Op.NOT, (found,), BOOLEAN) if anti else found)

    def _link_inside(self, rows: Rows, on: list[Expr]) -> None:
        private = [part for part in self.scope.parts if part.unit is not None]
        found = (link(part, rows, pairs_of(on), self.scope.reading) for part in private)
        equality = next((e for e in found if e is not None), None)
        if equality is None:
            raise missing(private[0] if private else self.scope.parts[0], rows)
        on.append(equality)

    def _plain(self, join: exp.Expr, rows: Rows, source: Source) -> tuple[Rows, Source]:
        """Return a side that may become NULL with bare columns: `coalesce(x, 0)` of no row is NULL, not 0."""
        if is_plain((source,)):
            return rows, source
        moved = materialise(self.scope.reading.number(join), rows, (source,), {})
        return moved.rows, moved.sources[0]

    def _collapsed(self) -> Rows:
        """Return the parts so far as one relation: what an outer join keeps or extends is a whole.

        Equalities of WHERE between these parts link them already here: a row that fails one of them is dropped in the end,
        whatever the outer join finds for it.
        """
        return self.whole(tuple(self._equalities_of_where()))

    def _equalities_of_where(self) -> Iterator[Expr]:
        condition = self._where.this if self._where is not None else None
        for node in chain(condition) if isinstance(condition, exp.And) else [condition]:
            if isinstance(node, exp.EQ) and all(
                isinstance(side, exp.Column) and isinstance(side.this, exp.Identifier)
                for side in (node.this, node.expression)
            ):
                left, right = (self.scope.column(side) for side in (node.this, node.expression))
                if left is not None and right is not None and left.type == right.type:
                    yield compare(Op.EQ, left, right)

    def _replace(self, rows: Rows) -> None:
        self.scope.parts[:] = [rows]
        self.conditions[:] = [()]

    def _names(self, join: exp.Expr, left: list[Source], source: Source) -> list[exp.Expr]:
        if str(join.args.get("method") or "").upper() != "NATURAL":
            return list(join.args.get("using") or [])
        ours = {c.name.lower() for s in left for c in s.columns} | set(self.scope.merged)
        return [exp.to_identifier(c.name) for c in source.columns if c.name.lower() in ours]

    def _on(self, join: exp.Expr, left: list[Source], source: Source) -> tuple[Expr, ...]:
        names = self._names(join, left, source)
        if names:
            return tuple(self._using(name, left, source) for name in names)
        if str(join.args.get("method") or "").upper() == "NATURAL":
            raise self._refused(join, "NATURAL JOIN without a common column", "write ON")
        node = join.args.get("on")
        if node is None:
            return ()
        # A condition of a join sees its own FROM only: neither the query around it nor rows attached later.
        (closed, outer), (self.scope.closed, self.scope.outer) = (
            (self.scope.closed, self.scope.outer),
            ("ON", None),
        )
        found = split_and(condition(self.reader, node))
        self.scope.closed, self.scope.outer = closed, outer
        return found

    def _using(self, name: exp.Expr, left: list[Source], source: Source) -> Expr:
        scope = self.scope
        merged = scope.merged.get(name.name.lower())
        found = [e for s in left if (e := s.column(name.name)) is not None]
        if merged is None and len(found) > 1:
            raise scope.refused(
                "ambiguous_column", name, name=name.name, candidates="several tables of the join"
            )
        ours = merged or (found[0] if found else None)
        theirs = source.column(name.name)
        if ours is None or theirs is None:
            absent = source.alias if theirs is None else ", ".join(s.alias for s in left)
            raise scope.refused("unknown_column", name, name=name.name, scope=absent)
        scope.merged[name.name.lower()] = ours
        for expr in (ours, theirs):
            for column in columns_of(expr):
                scope.reading.places.setdefault(column, position(name, scope.sql))
        try:
            return compare(Op.EQ, ours, theirs)
        except (NoCommonType, TooWide):
            raise scope.refused(
                "sql_type_mismatch", name, what=f"USING ({name.name})", types="two types"
            ) from None

    def _refused(self, node: exp.Expr, what: str, cure: str) -> Refused:
        return self.scope.reading.unsupported(node, what, cure)
