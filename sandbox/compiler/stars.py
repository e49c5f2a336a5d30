"""`*`, `t.*` and `COLUMNS(*)`, with EXCLUDE and REPLACE: written out as the columns they stand for."""

from collections.abc import Iterator

from sqlglot import exp

from sandbox.compiler.scope import Scope


def expand(select: exp.Select, scope: Scope) -> exp.Select:
    """Return the SELECT with every star of its columns written out; the tree of the question is not changed.

    Refuses: EXCLUDE or REPLACE of a column that is not there, and a star over a relation that is not in reach.
    """
    if not any(_star(item) is not None for item in select.expressions):
        return select
    written = select.copy()
    items: list[exp.Expr] = []
    for item in written.expressions:
        star = _star(item)
        items.extend([item] if star is None else _columns(item, star, scope))
    written.set("expressions", items)
    return written


def _star(item: exp.Expr) -> exp.Star | None:
    if isinstance(item, exp.Star):
        return item
    if isinstance(item, (exp.Column, exp.Columns)) and isinstance(item.this, exp.Star):
        return item.this
    return None


def _columns(item: exp.Expr, star: exp.Star, scope: Scope) -> Iterator[exp.Expr]:
    alias = item.table.lower() if isinstance(item, exp.Column) and item.table else ""
    sources = [s for s in scope.sources if not alias or s.alias.lower() == alias]
    if not sources:
        raise scope.refused("unknown_table", item, name=alias or "*")
    excluded = {part.name.lower() for part in star.args.get("except_") or []}
    replaced = {part.alias.lower(): part.this for part in star.args.get("replace") or []}
    names = {c.name.lower() for s in sources for c in s.columns}
    for name in [*excluded, *replaced]:
        if name not in names:
            places = ", ".join(s.alias for s in sources)
            raise scope.refused("unknown_column", item, name=name, scope=places)
    seen: set[str] = set()
    for source in sources:
        for column in source.columns:
            name = column.name.lower()
            if name in excluded or (not alias and name in scope.merged and name in seen):
                continue
            seen.add(name)
            merged = not alias and name in scope.merged
            table = (
                None if merged or not source.alias else exp.to_identifier(source.alias, quoted=True)
            )
            plain = exp.Column(this=exp.to_identifier(column.name, quoted=True), table=table)
            if name in replaced:
                yield exp.alias_(replaced[name].copy(), column.name, quoted=True)
            else:
                yield plain
