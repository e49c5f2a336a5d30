"""Unit links: which private relations of a join are joined on the people they hold.

Lemma (docs/proofs/relations.md): a join of private relations of one family is private only if it pairs rows of the same
unit. So every private relation must be linked to the others by unit equalities among the top-level AND conjuncts.
"""

from collections.abc import Sequence

from policies.dataset import Table
from policies.refusals import Refused, Stage
from sandbox.algebra import Column, Expr
from sandbox.compiler.conjunction import Pair
from sandbox.compiler.question import Reading
from sandbox.compiler.rows import Rows, same_unit


def link(left: Rows, right: Rows, pairs: Sequence[Pair], reading: Reading) -> Expr | None:
    """Return the unit equality of two private relations that the pairs imply, or None."""
    if left.unit is None or right.unit is None:
        return None
    for one, other in pairs:
        if _implies(left, one, right, other, reading) or _implies(left, other, right, one, reading):
            return same_unit(left.unit, right.unit)
    return None


def link_all(
    parts: Sequence[Rows], pairs: Sequence[Pair], reading: Reading
) -> tuple[tuple[int, Expr], ...]:
    """Return the unit equalities that link all private parts, each with the number of the later part it joins.

    Refuses: private parts that are not linked (`unit_join_missing`), with the missing condition.
    """
    private = [index for index, part in enumerate(parts) if part.unit is not None]
    linked, waiting = private[:1], private[1:]
    found: list[tuple[int, Expr]] = []
    while waiting:
        step = next(
            (
                (a, b, equality)
                for b in waiting
                for a in linked
                if (equality := link(parts[a], parts[b], pairs, reading)) is not None
            ),
            None,
        )
        if step is None:
            raise missing(parts[linked[0]], parts[waiting[0]])
        known, new, equality = step
        linked.append(new)
        waiting.remove(new)
        found.append((max(known, new), equality))
    return tuple(found)


def _implies(left: Rows, one: Column, right: Rows, other: Column, reading: Reading) -> bool:
    """Tell whether `one` of the left equal to `other` of the right makes their units equal."""
    if one in left.keys and other in right.keys:
        return True
    if one.scan not in left.scans or other.scan not in right.scans:
        return False
    first, second = reading.tables[one.scan].table, reading.tables[other.scan].table
    if _leads_to(first, one.name, second, other.name):
        return True
    if _leads_to(second, other.name, first, one.name):
        return True
    return first.name == second.name and one.name == other.name == _single_key(first)


def _leads_to(child: Table, column: str, parent: Table, key: str) -> bool:
    """Tell whether the pair is the child's declared way to its unit: then both rows are of one unit by ingest."""
    path = child.unit
    if path is None or path.references != parent.name or path.column != column:
        return False
    return _single_key(parent) == key


def _single_key(table: Table) -> str | None:
    return table.primary_key[0] if len(table.primary_key) == 1 else None


def missing(left: Rows, right: Rows) -> Refused:
    """Return the refusal of a join of private relations without equal units, with the condition that is missing."""
    return Refused(
        "unit_join_missing",
        Stage.RESOLVE,
        at=right.name.at,
        left=left.name.alias,
        right=right.name.alias,
        condition=f"{left.name.alias}.{left.name.key} = {right.name.alias}.{right.name.key}",
    )
