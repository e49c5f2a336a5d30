"""Groups by rows that the question brings along: `JOIN generate_series(0, 120) g(x) ON g.x = p.age … GROUP BY g.x` groups by age.

Whatever such a key is compared with decides who is in which group, as if it were the key itself: it needs the grant to group,
and it may be no finer than its declared bins.
"""

from collections.abc import Iterator

from sandbox.algebra import (
    DERIVED_FIRST,
    Call,
    Column,
    Constants,
    Exists,
    Expr,
    Filter,
    Join,
    Relation,
    relations,
    walk,
)
from sandbox.compiler.conjunction import split_and
from sandbox.compiler.lineage import Definition, Definitions, Either


def ties(key: Expr, relation: Relation, known: Definitions) -> tuple[Expr, ...]:
    """Return the conditions that compare registered columns with the listed rows a key is made of."""
    listed = frozenset(r.id for r in relations(relation) if isinstance(r, Constants))
    if not listed & _sources(key, known):
        return ()
    found = []
    for condition in _conditions(relation):
        sources = _sources(condition, known)
        if sources & listed and any(source < DERIVED_FIRST for source in sources):
            found.append(condition)
    return tuple(found)


def _conditions(relation: Relation) -> Iterator[Expr]:
    for node in relations(relation):
        if isinstance(node, Filter):
            yield from split_and(node.predicate)
        elif isinstance(node, Join):
            yield from split_and(node.on)


def _sources(expr: Expr, known: Definitions) -> frozenset[int]:
    """Return the scans and constants whose columns an expression is computed from, row by row."""
    found: set[int] = set()
    seen: set[Column] = set()
    pending: list[Expr] = [expr]
    while pending:
        for part in walk(pending.pop()):
            if isinstance(part, Column) and part not in seen:
                seen.add(part)
                found.add(part.scan)
                pending += _below(known.get(part))
    return frozenset(found)


def _below(definition: Definition | None) -> tuple[Expr, ...]:
    if isinstance(definition, Either):
        return definition.left, definition.right
    return (definition,) if isinstance(definition, Column | Call | Exists) else ()
