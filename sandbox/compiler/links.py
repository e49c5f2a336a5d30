"""Unit links: which private tables of a query are joined on the people they hold.

Lemma (docs/proofs/relations.md): an inner join of private relations of one family is private only if it pairs rows of the
same unit. So every private table must be linked to every other by unit equalities among the top-level AND conjuncts.
"""

from policies.dataset import Table
from policies.refusals import Refused, Stage
from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Column, Expr, Op
from sandbox.boundary import UNIT_COLUMN
from sandbox.compiler.scope import ScopedTable

UNIT_TYPE = SqlType(TypeKind.INTEGER)


def unit_of(table: ScopedTable) -> Column:
    """Return the unit code that ingest stored in every row of a private table."""
    return Column(table.index, UNIT_COLUMN, UNIT_TYPE)


def link_units(
    tables: tuple[ScopedTable, ...], pairs: tuple[tuple[Column, Column], ...]
) -> tuple[Expr, ...]:
    """Return the unit equalities that the query's own conditions imply, one for each further private table.

    `pairs` are the columns that top-level conjuncts set equal. Refuses: no private table, and private tables that are not
    linked (`unit_join_missing`), with the missing condition.
    """
    private = [t for t in tables if t.table.private]
    if not private:
        raise Refused("no_private_table", Stage.RESOLVE)
    linked = [private[0]]
    waiting = private[1:]
    equalities: list[Expr] = []
    while waiting:
        found = next(
            ((a, b) for b in waiting for a in linked if _same_unit(a, b, tables, pairs)), None
        )
        if found is None:
            raise _missing(linked[0], waiting[0])
        known, new = found
        linked.append(new)
        waiting.remove(new)
        equalities.append(Call(Op.EQ, (unit_of(known), unit_of(new)), SqlType(TypeKind.BOOLEAN)))
    return tuple(equalities)


def _same_unit(
    a: ScopedTable,
    b: ScopedTable,
    tables: tuple[ScopedTable, ...],
    pairs: tuple[tuple[Column, Column], ...],
) -> bool:
    for left, right in pairs:
        if {left.scan, right.scan} != {a.index, b.index}:
            continue
        first, second = tables[left.scan].table, tables[right.scan].table
        if _holds_unit(first, left.name) and _holds_unit(second, right.name):
            return True
        if _leads_to(first, left.name, second, right.name):
            return True
        if _leads_to(second, right.name, first, left.name):
            return True
        if first.name == second.name and left.name == right.name == _single_key(first):
            return True
    return False


def _holds_unit(table: Table, column: str) -> bool:
    return table.unit is not None and table.unit.references is None and table.unit.column == column


def _leads_to(child: Table, column: str, parent: Table, key: str) -> bool:
    """Tell whether the pair is the child's declared way to its unit: then both rows are of one unit by ingest."""
    path = child.unit
    if path is None or path.references != parent.name or path.column != column:
        return False
    return _single_key(parent) == key


def _single_key(table: Table) -> str | None:
    return table.primary_key[0] if len(table.primary_key) == 1 else None


def _missing(left: ScopedTable, right: ScopedTable) -> Refused:
    names = [t.table.unit.column if t.table.unit else "?" for t in (left, right)]
    condition = f"{left.alias}.{names[0]} = {right.alias}.{names[1]}"
    return Refused(
        "unit_join_missing",
        Stage.RESOLVE,
        at=right.at,
        left=left.alias,
        right=right.alias,
        condition=condition,
    )
