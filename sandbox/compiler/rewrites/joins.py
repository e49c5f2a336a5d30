"""Joins: the unit equality that is missing, a granted pair of columns, an inner join instead of an outer one."""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sandbox.compiler.rewrites.ground import Ground, Rewritten, sources

UNIT = "joins on the privacy unit"
CORRELATED = "compares the privacy unit inside and outside the subquery"
INNER = "takes an inner join"
ALL_OF = "takes AND for OR"
WITH_PRIVATE = "joins a protected table"
GRANTED = "joins on the granted columns"


def unit_equality(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Add the missing equality: to the join of the two, else to WHERE; in a subquery to its own WHERE."""
    condition = _condition(ground.param("condition"))
    aliases = {ground.param("left").lower(), ground.param("right").lower()}
    if condition is None:
        return
    for number, _ in enumerate(tree.find_all(exp.Select)):
        changed = tree.copy()
        select = list(changed.find_all(exp.Select))[number]
        named = {source.alias_or_name.lower() for source in sources(select)}
        if aliases <= named:
            yield from _as_and(changed, condition)
            yield Rewritten(_with(changed, select, condition, aliases), UNIT)
        elif aliases & named and select is not changed:
            select.where(condition.copy(), copy=False)
            yield Rewritten(changed, CORRELATED)


def _as_and(tree: exp.Select, condition: exp.Expr) -> Iterator[Rewritten]:
    """Where the equality stands under OR, take AND for that OR."""
    changed = tree.copy()
    for either in changed.find_all(exp.Or):
        parts = [part.copy() for part in either.flatten()]
        if condition in parts:
            either.replace(exp.and_(*parts))
            yield Rewritten(changed, ALL_OF)
            return


def with_private(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Join a protected table that the policy lets meet a public one."""
    for source in sources(tree)[:1]:
        for table in ground.policy.tables:
            for join in table.joins if not table.public else ():
                if join.to.lower() != source.name.lower():
                    continue
                other = exp.to_table(table.name)
                on = exp.and_(*(_equal(other, source, pair) for pair in join.using))
                yield Rewritten(tree.copy().join(other, on=on), WITH_PRIVATE)


def _with(
    changed: exp.Select, select: exp.Select, condition: exp.Expr, aliases: set[str]
) -> exp.Select:
    joins = [
        join
        for join in select.args.get("joins") or []
        if isinstance(join.this, exp.Table) and join.this.alias_or_name.lower() in aliases
    ]
    if not joins or joins[-1].args.get("using"):
        select.where(condition.copy(), copy=False)
        return changed
    join, written = joins[-1], joins[-1].args.get("on")
    join.set("kind", None)
    join.set("on", condition.copy() if written is None else exp.and_(written, condition.copy()))
    return changed


def _condition(text: str) -> exp.Expr | None:
    try:
        return sqlglot.parse_one(text, read="duckdb") if text else None
    except SqlglotError:
        return None


def inner_join(tree: exp.Select, _: Ground) -> Iterator[Rewritten]:
    """Make every outer join an inner one."""
    changed = tree.copy()
    outer = [j for j in changed.find_all(exp.Join) if j.args.get("side") or j.args.get("method")]
    for join in outer:
        for name in ("side", "kind", "method"):
            join.set(name, None)
    if outer:
        yield Rewritten(changed, INNER)


def granted_pair(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Join two tables on the columns that the policy lists for them."""
    changed = tree.copy()
    by_name = {source.name.lower(): source for source in sources(changed)}
    for one, other in (("left", "right"), ("right", "left")):
        first = by_name.get(ground.param(one).lower())
        second = by_name.get(ground.param(other).lower())
        grant = ground.table(ground.param(one))
        if first is None or second is None or grant is None:
            continue
        pairs = next((j.using for j in grant.joins if j.to.lower() == second.name.lower()), ())
        join = second.parent if isinstance(second.parent, exp.Join) else first.parent
        if pairs and isinstance(join, exp.Join):
            for name in ("kind", "side", "using"):
                join.set(name, None)
            join.set("on", exp.and_(*(_equal(first, second, pair) for pair in pairs)))
            yield Rewritten(changed, GRANTED)
            return


def _equal(first: exp.Table, second: exp.Table, pair: tuple[str, str]) -> exp.EQ:
    left = exp.column(pair[0], table=first.alias_or_name)
    return exp.EQ(this=left, expression=exp.column(pair[1], table=second.alias_or_name))
