"""How large an expression is once every name in it stands for what it was computed from.

`x + x` over a column that is `x + x` itself doubles with each query around it: twenty-five of them, 1 200 characters, are more
than anybody has time to look at, and every later stage looks at all of it.
"""

from collections.abc import Iterable

from sandbox.algebra import Column, Expr, children, walk
from sandbox.compiler.lineage import Aggregated, Definition, Definitions, Either, Listed, OverRows

SPELT_MAX = 2_000  # parts


def is_too_large(exprs: Iterable[Expr]) -> bool:
    """Tell whether the expressions together have more parts than anybody will look at; no more of them are counted."""
    pending, found = list(exprs), 0
    while pending and found <= SPELT_MAX:
        found += 1
        pending.extend(children(pending.pop()))
    return found > SPELT_MAX


def spelt_too_large(known: Definitions) -> bool:
    """Tell whether some derived column is too large when the columns it is computed from are spelt out."""
    sizes: dict[Column, int] = {}

    def size(column: Column) -> int:
        if column not in sizes:
            definition = known.get(column)
            parts = () if definition is None else _parts(definition)
            found = 1
            for part in (p for expr in parts for p in walk(expr)):
                # a smaller column has been counted before, so each is looked at once
                found += size(part) if isinstance(part, Column) else 1
            sizes[column] = min(found, SPELT_MAX + 1)
        return sizes[column]

    return any(size(column) > SPELT_MAX for column in known)


def _parts(definition: Definition) -> tuple[Expr, ...]:
    if isinstance(definition, Listed):
        return ()
    if isinstance(definition, Either):
        return definition.left, definition.right
    if isinstance(definition, Aggregated):
        found = definition.aggregation
        return (*found.args, *(() if found.where is None else (found.where,)))
    if isinstance(definition, OverRows):
        window = definition.windowed
        return (*window.args, *window.partition, *(term.expr for term in window.order))
    return (definition,)
