"""Clauses: what must be left out, what must stand outside, and words that have another spelling here."""

import re
from calendar import monthrange
from collections.abc import Iterator

from sqlglot import exp

from sandbox.compiler.nodes import ALLOWED
from sandbox.compiler.places import quoted
from sandbox.compiler.rewrites.ground import Ground, Rewritten, bare, holds_aggregate, regroup

OUTSIDE = "takes LIMIT out of the subquery"
LEFT_OUT = "leaves that part out"
NO_CONDITION = "leaves that condition out"
GROUPED = "groups instead of DISTINCT"
LIMITED = "adds a LIMIT"
A_DAY = "writes the day out"
A_DAY_THERE = "takes a day that there is"
A_PATTERN = "takes LIKE"
A_MONTH = "takes date_trunc or year"
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_PREFIX = re.compile(r"\^([A-Za-z0-9]+)(\.\*)?")


def limit_outside(tree: exp.Select, _: Ground) -> Iterator[Rewritten]:
    """Take ORDER BY and LIMIT out of subqueries; the first LIMIT then holds for the answer."""
    changed = tree.copy()
    inner = [
        select
        for select in changed.find_all(exp.Select)
        if select is not changed and (select.args.get("limit") or select.args.get("offset"))
    ]
    if not inner:
        return
    moved = inner[0].args.get("limit")
    for select in inner:
        for name in ("limit", "offset", "order"):
            select.set(name, None)
    if moved is not None and changed.args.get("limit") is None:
        changed.set("limit", moved.copy())
    yield Rewritten(changed, OUTSIDE)


def without_parts(tree: exp.Select, _: Ground) -> Iterator[Rewritten]:
    """Leave out every clause that has no meaning here; DISTINCT becomes a grouping with a count."""
    changed = tree.copy()
    distinct = changed.args.get("distinct") is not None
    cut = False
    for node in list(changed.walk()):
        allowed = ALLOWED.get(type(node))
        for name, value in list(node.args.items()) if allowed is not None else []:
            if allowed is not None and name not in allowed and value not in (None, False, []):
                node.set(name, None)
                cut = True
    if distinct and not any(holds_aggregate(bare(node)) for node in changed.expressions):
        count = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "n")
        changed.append("expressions", count)
        yield Rewritten(regroup(changed), GROUPED)
    elif cut:
        yield Rewritten(changed, LEFT_OUT)


def without_condition(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Leave out the conditions that look at a column which may not be looked at so."""
    column = ground.param("column").lower()
    changed = tree.copy()
    cut = False
    for where in list(changed.find_all(exp.Where)):
        condition = where.this
        parts = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
        kept = [part.copy() for part in parts if not _names(part, column)]
        cut = cut or len(kept) < len(parts)
        if not kept:
            where.pop()
        elif len(kept) < len(parts):
            where.set("this", exp.and_(*kept))
    if cut:
        yield Rewritten(changed, NO_CONDITION)


def _names(node: exp.Expr, column: str) -> bool:
    return any(part.name.lower() == column for part in node.find_all(exp.Column))


def fewer_rows(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Show as many rows as the policy allows."""
    yield Rewritten(tree.copy().limit(int(ground.param("limit"))), LIMITED)


def other_words(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Say the same with a function that is known here."""
    for number, node in enumerate(tree.walk()):
        found = _other(node, ground)
        if found is not None:
            changed = tree.copy()
            list(changed.walk())[number].replace(found[0])
            yield Rewritten(changed, found[1])


def existing_day(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Take the last day of a month for a day it does not have."""
    found = _DAY.fullmatch(ground.param("name"))
    if found is None or not 1 <= int(found[2]) <= 12:
        return
    year, month = int(found[1]), int(found[2])
    last = monthrange(max(1, year), month)[1]
    changed = tree.copy()
    for literal in changed.find_all(exp.Literal):
        if literal.this == ground.param("name"):
            literal.set("this", f"{year:04}-{month:02}-{min(int(found[3]), last) or 1:02}")
    yield Rewritten(changed, A_DAY_THERE)


def _other(node: exp.Expr, ground: Ground) -> tuple[exp.Expr, str] | None:
    now = isinstance(node, exp.Anonymous) and str(node.this).lower() == "now"
    if now or isinstance(node, (exp.CurrentDate, exp.CurrentTimestamp)):
        return exp.cast(exp.Literal.string(ground.today.isoformat()), "DATE"), A_DAY
    if isinstance(node, exp.RegexpLike) and isinstance(node.expression, exp.Literal):
        prefix = _PREFIX.fullmatch(str(node.expression.this))
        if prefix is not None:
            pattern = exp.Literal.string(f"{prefix[1]}%")
            return exp.Like(this=node.this.copy(), expression=pattern), A_PATTERN
    if isinstance(node, exp.TimeToStr) and quoted(node).endswith(("'%Y-%m')", "'%Y')")):
        month = quoted(node).endswith("'%Y-%m')")
        moment = node.this.copy()
        if month:
            return exp.TimestampTrunc(this=moment, unit=exp.Var(this="MONTH")), A_MONTH
        return exp.Year(this=moment), A_MONTH
    return None
