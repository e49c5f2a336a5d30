"""Relations as SQL text: declared names, quoted, and total conditions; nothing else of a plan becomes text."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from sandbox.algebra import Cells, Exists, Filter, Join, JoinType, Limit, Relation, Scan
from sandbox.boundary import TableScan
from sandbox.worker.names import quoted, released_reference, row_reference
from sandbox.worker.render_derived import Derived
from sandbox.worker.scalars import Rendering, scalars
from sandbox.worker.scalars.rendering import TEXT_MAX
from sandbox.worker.sql_types import NotRenderable

__all__ = ["quoted", "released_reference", "render_relation", "row_reference", "row_rendering"]

_JOINED = {JoinType.INNER: "JOIN", JoinType.LEFT: "LEFT JOIN", JoinType.FULL: "FULL JOIN"}


def row_rendering(scans: tuple[TableScan, ...], parameters: dict[str, Any]) -> Rendering:
    """Return a renderer of expressions over rows, EXISTS among them."""

    def exists(rendering: Rendering, found: Exists) -> str:
        predicates: list[str] = []
        tables = _From(scans, rendering, count()).tables(found.relation, predicates)
        predicates.append(rendering.render(found.on))
        return f"EXISTS (SELECT 1 FROM {tables} WHERE {' AND '.join(predicates)})"  # noqa: S608

    return replace(scalars(row_reference, parameters), exists=exists)


def render_relation(relation: Relation, scans: tuple[TableScan, ...], rendering: Rendering) -> str:
    """Return the rows of a relation, as the text after FROM. `rendering` is one that `row_rendering` made."""
    return _From(scans, rendering, count()).rows(relation)


@dataclass(frozen=True, slots=True)
class _From:
    """Renders the tables of one FROM. `ones` numbers the single rows that carry a condition."""

    scans: tuple[TableScan, ...]
    rendering: Rendering
    ones: Iterator[int]

    def rows(self, relation: Relation) -> str:
        predicates: list[str] = []
        text = self.tables(relation, predicates)
        if predicates:
            text += " WHERE " + " AND ".join(predicates)
        if len(text) > TEXT_MAX:
            raise NotRenderable("the relation is too large once it is made total")
        return text

    def tables(self, relation: Relation, predicates: list[str]) -> str:
        """Return the joined tables; filters move to `predicates` as far as joins let them through.

        Inner joins and the kept side of a left join do, as all predicates are total: the rows stay the same.
        """
        if isinstance(relation, Scan):
            return f"{quoted(self.scans[relation.index].table)} AS t{relation.index}"
        if isinstance(relation, Filter):
            predicates.append(self.rendering.render(relation.predicate))
            return self.tables(relation.input, predicates)
        if isinstance(relation, Join):
            return self._joined(relation, predicates)
        if isinstance(relation, Cells | Limit):
            raise NotRenderable("released rows and their limits stand above the release")
        return Derived(self.rendering, self._select_from).render(relation)

    def _select_from(self, relation: Relation) -> str:
        return _From(self.scans, self.rendering, count()).rows(relation)

    def _joined(self, join: Join, predicates: list[str]) -> str:
        if join.type is JoinType.FULL:
            left, right = (self._filtered(side) for side in (join.left, join.right))
            on = self.rendering.render(join.on)
        elif join.type is JoinType.LEFT:
            # What the right side may not hold, no left row may find there: its filter is part of the condition.
            held: list[str] = []
            left = self.tables(join.left, predicates)
            right = self.tables(join.right, held)
            on = " AND ".join((self.rendering.render(join.on), *held))
        else:
            left = self.tables(join.left, predicates)
            right = self.tables(join.right, predicates)
            on = self.rendering.render(join.on)
        return f"({left} {_JOINED[join.type]} {right} ON {on})"

    def _filtered(self, side: Relation) -> str:
        """Return a side of a full join with its filter inside, as the inner join with a single row."""
        predicates: list[str] = []
        text = self.tables(side, predicates)
        if not predicates:
            return text
        return f"({text} JOIN (SELECT 1) AS _ky_one{next(self.ones)} ON {' AND '.join(predicates)})"
