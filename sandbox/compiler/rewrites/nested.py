"""Subqueries: what is computed inside one stays a matter of each privacy unit."""

from collections.abc import Iterator

from sqlglot import exp

from sandbox.compiler.rewrites.ground import Ground, Rewritten, holds_aggregate, sources

COUNT_DISTINCT = "counts the distinct values directly"
PER_UNIT = "computes inside the subquery for each privacy unit"


def distinct_count(tree: exp.Select, _: Ground) -> Iterator[Rewritten]:
    """Write `count(*)` over a `SELECT DISTINCT x` as `count(DISTINCT x)` over its rows."""
    clause = tree.args.get("from_")
    inner = (
        clause.this.this if clause is not None and isinstance(clause.this, exp.Subquery) else None
    )
    plain = [node for node in tree.expressions if not isinstance(node, exp.Alias)]
    alone = len(tree.expressions) == 1 and not (tree.args.get("where") or tree.args.get("group"))
    if not alone or not isinstance(inner, exp.Select) or inner.args.get("distinct") is None:
        return
    outer = plain[0] if plain else tree.expressions[0].this
    if not isinstance(outer, exp.Count) or len(inner.expressions) != 1:
        return
    changed = inner.copy()
    changed.set("distinct", None)
    value = changed.expressions[0]
    value = value.this if isinstance(value, exp.Alias) else value
    count: exp.Expr = exp.Count(this=exp.Distinct(expressions=[value.copy()]))
    name = tree.expressions[0].alias
    changed.set("expressions", [exp.alias_(count, name) if name else count])
    yield Rewritten(changed, COUNT_DISTINCT)


def per_unit(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Put the privacy unit into every DISTINCT, partition, grouping and compared branch below the outermost SELECT."""
    changed = tree.copy()
    cut = False
    for select in changed.find_all(exp.Select):
        unit = _unit(select, ground)
        if select is changed or unit is None:
            continue
        windows = [w for w in select.find_all(exp.Window) if w.find_ancestor(exp.Select) is select]
        for window in windows:
            parts = window.args.get("partition_by") or []
            if unit not in parts:
                window.set("partition_by", [unit.copy(), *parts])
                cut = True
        if (_compares(select) or _groups(select)) and unit not in select.expressions:
            select.set("expressions", [unit.copy(), *select.expressions])
            group = select.args.get("group")
            if group is not None and not group.args.get("all"):
                group.set("expressions", [unit.copy(), *group.expressions])
            cut = True
    if cut:
        yield Rewritten(changed, PER_UNIT)


def _compares(select: exp.Select) -> bool:
    return select.args.get("distinct") is not None or isinstance(select.parent, exp.SetOperation)


def _groups(select: exp.Select) -> bool:
    return select.args.get("group") is not None and any(map(holds_aggregate, select.expressions))


def _unit(select: exp.Select, ground: Ground) -> exp.Column | None:
    named = sources(select)
    for source in named:
        grant = ground.table(source.name)
        if grant is not None and grant.unit is not None:
            table = source.alias_or_name if len(named) > 1 else None
            return exp.column(grant.unit.column, table=table)
    return None
