"""What is proven about a relation: which of its columns hold the privacy unit of each row. The side rules of joins.

Words       A relation is Public (it reads no private row) or Private: R(D) is the disjoint union over units u of R(D_u),
            so that each of its rows belongs to one unit (docs/proofs/relations.md).
Statement   For a private relation, `held` are columns that hold the unit of the row or NULL; of the sets in `sides`,
            each row has at least one whose columns all hold its unit. One side is the usual case: its columns are never
            NULL. A full join has two, because either half of a row may be missing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sandbox.algebra import Call, Column, Expr, Op
from sandbox.boundary import UNIT_COLUMN
from sandbox.worker.sql_types import INTEGER


class NotPrivate(ValueError):
    """The relation, or an expression over it, is not one that the proof covers."""


@dataclass(frozen=True, slots=True)
class Public:
    """The relation reads public tables and constants only."""


@dataclass(frozen=True, slots=True)
class Private:
    """Each row belongs to one unit; see the module for `sides` and `held`."""

    sides: tuple[frozenset[Column], ...]
    held: frozenset[Column]


Flow = Public | Private
Pair = tuple[Column, Column]


def unit_of(relation: int) -> Column:
    """Return the unit column of the scan or derived relation with this number."""
    return Column(relation, UNIT_COLUMN, INTEGER)


def owned(relation: int) -> Private:
    """Return what holds for a relation whose unit column is never NULL."""
    unit = frozenset((unit_of(relation),))
    return Private((unit,), unit)


def held_by(flow: Flow) -> frozenset[Column]:
    """Return the columns that hold the unit of a row, or NULL."""
    return flow.held if isinstance(flow, Private) else frozenset()


def conjuncts(condition: Expr) -> Iterator[Expr]:
    """Return the parts of a condition that all hold wherever it holds."""
    if isinstance(condition, Call) and condition.op is Op.AND:
        for part in condition.args:
            yield from conjuncts(part)
    else:
        yield condition


def unit_pair(conjunct: Expr) -> Pair | None:
    """Return the two unit columns that a conjunct sets equal, if it is such an equality. Both are then not NULL."""
    if not isinstance(conjunct, Call) or conjunct.op is not Op.EQ or len(conjunct.args) != 2:
        return None
    left, right = conjunct.args
    if not isinstance(left, Column) or not isinstance(right, Column):
        return None
    units = left == unit_of(left.scan) and right == unit_of(right.scan)
    return (left, right) if units else None


def inner(parts: Iterable[Flow], pairs: Iterable[Pair]) -> Flow:
    """Return what holds for the inner join of several relations under conjuncts that include these equalities.

    Refuses private relations that equal units do not connect: without them, one person's row would meet everybody's, and
    removing it would remove theirs.
    """
    private = [part for part in parts if isinstance(part, Private)]
    if not private:
        return Public()
    equal: frozenset[Column] = frozenset()
    blocks = [part.held for part in private]
    for pair in pairs:
        equal |= frozenset(pair)
        met = [block for block in blocks if block & set(pair)]
        blocks = [block for block in blocks if not block & set(pair)]
        blocks.append(frozenset().union(*met))
    if len(blocks) != 1:
        raise NotPrivate("private relations are joined by equal units")
    if not equal:
        return private[0]
    proven = equal.union(*(part.sides[0] for part in private if len(part.sides) == 1))
    return Private((proven,), blocks[0])


def left(kept: Flow, other: Flow, pairs: Iterable[Pair]) -> Flow:
    """Return what holds for a left join. Refuses a private relation that may or may not complete public rows."""
    if isinstance(other, Public):
        return kept
    if isinstance(kept, Public):
        # Counterexample: each public row without a partner appears when the last person with one leaves.
        raise NotPrivate("a left join keeps the rows of a private relation")
    _linked(kept, other, pairs)
    return Private(kept.sides, kept.held | other.held)


def full(first: Flow, second: Flow, pairs: Iterable[Pair]) -> Flow:
    """Return what holds for a full join: a row's unit is in the half that is there."""
    if isinstance(first, Public) and isinstance(second, Public):
        return Public()
    if isinstance(first, Public) or isinstance(second, Public):
        raise NotPrivate("a full join has two private sides or none")
    _linked(first, second, pairs)
    return Private((*first.sides, *second.sides), first.held | second.held)


def _linked(first: Private, second: Private, pairs: Iterable[Pair]) -> None:
    for a, b in pairs:
        if (a in first.held and b in second.held) or (b in first.held and a in second.held):
            return
    raise NotPrivate("an outer join of private relations has equal units in its own condition")


def check_unit(unit: tuple[Column, ...], flow: Flow) -> None:
    """Check that the first of these columns that is not NULL is the unit of each row, or that there is none to name."""
    if isinstance(flow, Public):
        if unit:
            raise NotPrivate("a public relation has no unit")
        return
    if not flow.held.issuperset(unit):
        raise NotPrivate("the unit is a unit column of the relation")
    if not all(side.intersection(unit) for side in flow.sides):
        raise NotPrivate("the unit is never NULL")
