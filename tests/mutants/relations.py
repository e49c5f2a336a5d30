"""Seeded bugs in relations: whose row is it, which rows are there, and what a subquery means."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from sandbox.algebra import (
    Call,
    Column,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Literal,
    Op,
    Project,
    Relation,
    SetKind,
    SetOperation,
)
from sandbox.compiler import epochs, from_clause, select, subqueries
from sandbox.compiler.types import BOOLEAN
from sandbox.worker import execute, render, render_derived
from tests.mutants.mutant import Mutant, instead

TRUE = Literal(BOOLEAN, True)


def _rendered(change: Callable[[Relation], Relation]) -> AbstractContextManager[None]:
    """Render another relation than the one that was proved."""

    def wrong(original: Any) -> Any:
        def tables(self: Any, relation: Relation, predicates: list[str]) -> str:
            return str(original(self, change(relation), predicates))

        return tables

    return instead(render._From, "tables", wrong)


def _meets_anybody(on: Expr) -> Expr:
    """Return a condition without its equalities of columns, those of units among them."""
    if isinstance(on, Call) and on.op is Op.AND:
        return replace(on, args=tuple(map(_meets_anybody, on.args)))
    if isinstance(on, Call) and on.op is Op.EQ and all(isinstance(a, Column) for a in on.args):
        return TRUE
    return on


def left_join_without_equal_units() -> AbstractContextManager[None]:
    """A left join of two private tables meets on any condition: one person's row finds everybody's."""
    return _rendered(lambda r: replace(r, on=_meets_anybody(r.on)) if isinstance(r, Join) else r)


def left_join_drops_who_has_no_partner() -> AbstractContextManager[None]:
    """A left join is rendered as an inner one."""
    return _rendered(lambda r: replace(r, type=JoinType.INNER) if isinstance(r, Join) else r)


def filter_of_the_right_side_after_the_join() -> AbstractContextManager[None]:
    """What filters the nullable side is asked after the join, where it drops the rows without a partner."""

    def hoisted(original: Any) -> Any:
        def joined(self: Any, join: Join, predicates: list[str]) -> str:
            if join.type is JoinType.LEFT and isinstance(join.right, Filter):
                predicates.append(self.rendering.render(join.right.predicate))
                join = replace(join, right=join.right.input)
            return str(original(self, join, predicates))

        return joined

    return instead(render._From, "_joined", hoisted)


def null_of_an_outer_join_computed_away() -> AbstractContextManager[None]:
    """`coalesce(x, 0)` of a row that is not there becomes 0: a computed column of the nullable side is not made first."""
    return instead(from_clause, "is_plain", lambda _: lambda sources: True)


def exists_about_everybody() -> AbstractContextManager[None]:
    """EXISTS forgets that it asks about rows of the same person."""

    def forgetful(original: Any) -> Any:
        def rendering(*arguments: Any) -> Any:
            made = original(*arguments)
            ask = made.exists
            return replace(
                made, exists=lambda r, found: ask(r, replace(found, on=_meets_anybody(found.on)))
            )

        return rendering

    return instead(execute, "row_rendering", forgetful)


def not_in_forgets_null() -> AbstractContextManager[None]:
    """NOT IN over values with NULL among them is true where it is unknown."""
    return instead(select, "as_filter", lambda _: lambda c: (_without_unknown(c),))


def _without_unknown(condition: Expr) -> Expr:
    if isinstance(condition, Call) and condition.op is Op.NOT:
        return replace(condition, args=(_without_unknown(condition.args[0]),))
    if isinstance(condition, Call) and condition.op is Op.CASE and len(condition.args) == 5:
        return condition.args[0]
    return condition


def window_over_everybody() -> AbstractContextManager[None]:
    """A window function ranks one person's rows among everybody's."""

    def outside(original: Any) -> Any:
        def render_window(window: Any, args: Any, partition: Any, order: Any) -> str:
            return str(original(window, args, (), order))

        return render_window

    return instead(render_derived, "render_window", outside)


def ties_broken_by_place() -> AbstractContextManager[None]:
    """Rows that ORDER BY leaves tied are numbered by where they lie, which moves when somebody leaves."""
    return instead(render_derived._Named, "order", lambda _: lambda self: "ORDER BY hash(u, e0)")


def distinct_forgotten() -> AbstractContextManager[None]:
    """DISTINCT inside is not applied."""

    def all_rows(original: Any) -> Any:
        def grouped(self: Any, relation: Group) -> str:
            if relation.aggregations:
                return str(original(self, relation))
            project = Project(relation.id, relation.input, relation.unit, relation.keys, ())
            text = str(self._projected(project))
            for index in range(len(relation.keys)):
                text = text.replace(f" AS c{index}", f" AS k{index}")
            return text

        return grouped

    return instead(render_derived.Derived, "_grouped", all_rows)


def _set(old: SetKind, new: SetKind) -> AbstractContextManager[None]:
    def other(relation: Relation) -> Relation:
        if isinstance(relation, SetOperation) and relation.kind is old:
            return replace(relation, kind=new)
        return relation

    return _rendered(other)


def union_keeps_duplicates() -> AbstractContextManager[None]:
    """UNION is rendered as UNION ALL."""
    return _set(SetKind.UNION, SetKind.UNION_ALL)


def except_takes_all_copies() -> AbstractContextManager[None]:
    """EXCEPT ALL is rendered as EXCEPT."""
    return _set(SetKind.EXCEPT_ALL, SetKind.EXCEPT)


def sides_of_except_swapped() -> AbstractContextManager[None]:
    """EXCEPT takes the left rows away from the right ones."""

    def swapped(relation: Relation) -> Relation:
        if isinstance(relation, SetOperation) and relation.kind is SetKind.EXCEPT:
            return replace(relation, left=relation.right, right=relation.left)
        return relation

    return _rendered(swapped)


def having_inside_dropped() -> AbstractContextManager[None]:
    """HAVING of a per-person aggregation is not applied."""
    return instead(select, "having_of", lambda _: lambda chosen, reader: ())


def count_of_no_row_is_null() -> AbstractContextManager[None]:
    """A scalar subquery that counts gives NULL where there is no row."""
    return instead(subqueries, "_with_zero_counts", lambda _: lambda value, *rest: value)


def where_of_a_subquery_dropped() -> AbstractContextManager[None]:
    """A filter is not rendered."""
    return _rendered(lambda r: r.input if isinstance(r, Filter) else r)


def epoch_narrowed_above_a_window() -> AbstractContextManager[None]:
    """A condition above a window narrows what is charged, though the window has looked at all rows."""

    def passes(original: Any) -> Any:
        return lambda relation: original(
            replace(relation, windows=()) if isinstance(relation, Project) else relation
        )

    return instead(epochs, "_passed", passes)


TOLD_APART: tuple[Mutant, ...] = (
    left_join_without_equal_units,
    exists_about_everybody,
    window_over_everybody,
    ties_broken_by_place,
)
NOT_PLAIN: tuple[Mutant, ...] = (
    left_join_drops_who_has_no_partner,
    filter_of_the_right_side_after_the_join,
    null_of_an_outer_join_computed_away,
    not_in_forgets_null,
    distinct_forgotten,
    union_keeps_duplicates,
    except_takes_all_copies,
    sides_of_except_swapped,
    having_inside_dropped,
    count_of_no_row_is_null,
    where_of_a_subquery_dropped,
)
