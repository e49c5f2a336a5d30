"""Check what an expression reads: declared columns in its scope, never a unit code, and EXISTS of the same unit.

Statement   The value of an accepted expression on a row is a function of that row, of the private rows of the row's own
            unit and of public tables.
Reason      docs/proofs/relations.md, lemma 10: an EXISTS over private rows compares units at the top of its condition, so
            rows of other units never make it true.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.algebra import Call, Column, Exists, Expr, Literal, Relation
from sandbox.worker.proven import (
    Flow,
    NotPrivate,
    Pair,
    Private,
    conjuncts,
    held_by,
    unit_pair,
)
from sandbox.worker.sql_types import BOOLEAN


@dataclass(frozen=True, slots=True)
class Shown:
    """A relation as seen from above: its columns, unit columns apart, and what is proven about its units."""

    columns: frozenset[Column]
    flow: Flow


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may read: columns, and the unit columns that hold its row's unit (none on public rows).

    `prove` proves a relation that stands inside the expression.
    """

    columns: frozenset[Column]
    held: frozenset[Column]
    prove: Callable[[Relation], Shown]

    def over(self, shown: Shown) -> "Scope":
        """Return the scope of expressions that stand over a relation, and over nothing around it."""
        return Scope(shown.columns, held_by(shown.flow), self.prove)

    def beside(self, other: "Scope") -> "Scope":
        """Return the scope of expressions that read both."""
        return Scope(self.columns | other.columns, self.held | other.held, self.prove)


def check_expr(expr: Expr, scope: Scope) -> None:
    """Check an expression that gives a value."""
    if isinstance(expr, Column):
        # The unit code itself has no business in a value: it names a person and shifts with everyone's presence.
        if expr not in scope.columns:
            raise NotPrivate("an expression reads a column that is not in its scope")
    elif isinstance(expr, Call):
        for arg in expr.args:
            check_expr(arg, scope)
    elif isinstance(expr, Exists):
        _check_exists(expr, scope)
    elif not isinstance(expr, Literal):
        raise NotPrivate("below the release there are no released values")


def check_condition(condition: Expr, scope: Scope) -> tuple[Pair, ...]:
    """Check a condition and return the unit equalities among its conjuncts, the only place where units are read."""
    if condition.type != BOOLEAN:
        raise NotPrivate("a condition is true or false")
    pairs = []
    for conjunct in conjuncts(condition):
        pair = unit_pair(conjunct)
        if pair is None:
            check_expr(conjunct, scope)
        elif scope.held.issuperset(pair):
            pairs.append(pair)
        else:
            raise NotPrivate("a condition compares the unit of a relation that is not there")
    return tuple(pairs)


def _check_exists(exists: Exists, outer: Scope) -> None:
    # Everything correlated goes through `on`: the relation is proven by itself, in a scope of its own.
    shown = outer.prove(exists.relation)
    inner = outer.over(shown)
    if outer.columns & inner.columns or outer.held & inner.held:
        # Inside itself a relation would hide its own outer rows, and its units would equal themselves.
        raise NotPrivate("a relation does not stand inside itself")
    pairs = check_condition(exists.on, outer.beside(inner))
    if not isinstance(shown.flow, Private):
        return
    if not any(
        (a in outer.held and b in inner.held) or (b in outer.held and a in inner.held)
        for a, b in pairs
    ):
        raise NotPrivate("private rows are looked up by an equal unit")
