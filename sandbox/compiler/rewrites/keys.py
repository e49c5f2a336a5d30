"""Group keys: one that is declared, one that is coarser, or one fewer; and an aggregate where there is none."""

from collections.abc import Iterator
from decimal import Decimal

from sqlglot import exp

from policies.terms import TypeKind, ValueBound
from sandbox.compiler.places import quoted
from sandbox.compiler.rewrites.ground import (
    Ground,
    Rewritten,
    bare,
    granted,
    groupable,
    holds_aggregate,
    regroup,
)

COARSER = "groups in steps that are declared"
OTHER = "groups by a column with declared values"
FEWER = "leaves that group key out"
GROUPED = "groups by that column"
AVERAGED = "averages that column"
COUNTED = "counts rows by columns with declared values"
TOTAL = "counts all rows together"
_BANDS = 20  # groups that a range without declared steps is cut into
_WHOLE = frozenset({TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT})
_NUMBERS = _WHOLE | {TypeKind.DECIMAL, TypeKind.DOUBLE}


def other_key(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Make the key coarser, take another column for it, or leave it out."""
    offending = _offending(tree, ground)
    for key in offending:
        for coarser in _coarser(tree, key, ground):
            yield Rewritten(_replaced(tree, key, coarser), COARSER)
    for key in offending:
        named = {column.sql() for column in tree.find_all(exp.Column)}
        for column in groupable(tree, ground):
            if column.sql() not in named:
                yield Rewritten(regroup(_replaced(tree, key, column)), OTHER)
                break
        yield from _without(tree, key)


def _offending(tree: exp.Select, ground: Ground) -> list[exp.Expr]:
    """Return the refused key as SELECT shows it or GROUP BY writes it."""
    words, column = ground.param("what"), ground.param("column")
    group = tree.args.get("group")
    shown = [bare(node) for node in tree.expressions if not holds_aggregate(bare(node))]
    written = [*shown, *(group.expressions if group is not None else [])]
    return list(
        {
            node.sql(): node
            for node in written
            if quoted(node) == words or (column and _names(node, column))
        }.values()
    )


def fewer_groups(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Make a key coarser, or leave one out, the last one first."""
    shown = [bare(n) for n in tree.expressions if not holds_aggregate(bare(n))]
    for key in reversed(shown):
        for coarser in _coarser(tree, key, ground):
            if coarser != key:
                yield Rewritten(_replaced(tree, key, coarser), COARSER)
    for key in reversed(shown):
        yield from _without(tree, key)


def _names(node: exp.Expr, column: str) -> bool:
    return any(part.name.lower() == column.lower() for part in node.find_all(exp.Column))


def _coarser(tree: exp.Select, key: exp.Expr, ground: Ground) -> Iterator[exp.Expr]:
    columns = list(key.find_all(exp.Column))
    if len(columns) != 1:
        return
    column = columns[0]
    for source, grant in granted(tree, ground):
        kind = ground.type_of(source.name, grant.name)
        if grant.name.lower() != column.name.lower() or kind is None:
            continue
        if kind.kind in (TypeKind.DATE, TypeKind.TIMESTAMP):
            yield exp.TimestampTrunc(this=column.copy(), unit=exp.Var(this="MONTH"))
            yield exp.Year(this=column.copy())
        elif grant.bin is not None:
            yield _band(column, grant.bin)
        elif grant.bounds is not None and kind.kind in _NUMBERS:
            yield _band(column, _width(grant.bounds))


def _band(column: exp.Column, width: Decimal) -> exp.Expr:
    parts = exp.Div(this=column.copy(), expression=exp.Literal.number(f"{width:f}"))
    return exp.cast(exp.Floor(this=parts), "INTEGER")


def _width(bounds: ValueBound) -> Decimal:
    if not isinstance(bounds.lower, Decimal) or not isinstance(bounds.upper, Decimal):
        return Decimal(1)
    span = (bounds.upper - bounds.lower) / _BANDS
    power = Decimal(1).scaleb(span.adjusted()) if span > 0 else Decimal(1)
    return next((power * n for n in (1, 2, 5, 10) if power * n >= span), power)


def _replaced(tree: exp.Select, key: exp.Expr, other: exp.Expr) -> exp.Select:
    changed, words = tree.copy(), key.sql()
    for clause in ("expressions", "group", "order"):
        held = changed.args.get(clause)
        for part in held if isinstance(held, list) else [held] if held is not None else []:
            for node in list(part.walk()):
                if node.sql() == words and not node.find_ancestor(exp.AggFunc):
                    node.replace(other.copy())
    return changed


def _without(tree: exp.Select, key: exp.Expr) -> Iterator[Rewritten]:
    changed, words = tree.copy(), key.sql()
    kept = [node for node in changed.expressions if bare(node).sql() != words]
    if kept and any(holds_aggregate(bare(node)) for node in kept):
        changed.set("expressions", kept)
        yield Rewritten(regroup(changed), FEWER)


def aggregated(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Give a list of rows an aggregate: group by the column, average it, or count by what may be counted by."""
    words = ground.param("what")
    stray = [node for node in tree.expressions if words and quoted(bare(node)) == words]
    if any(holds_aggregate(bare(node)) for node in tree.expressions) and stray:
        changed = tree.copy()
        yield Rewritten(regroup(changed), GROUPED)
        averaged = tree.copy()
        for node in [n for n in averaged.expressions if quoted(bare(n)) == words]:
            mean = exp.Avg(this=bare(node).copy())
            node.replace(exp.alias_(mean, node.alias or bare(node).name, quoted=False))
        yield Rewritten(regroup(averaged), AVERAGED)
        yield from _without(tree, bare(stray[0]))
    yield from _counted(tree, ground)


def _counted(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    allowed = groupable(tree, ground)
    named = [
        node.copy()
        for node in tree.expressions
        if isinstance(bare(node), exp.Column)
        and bare(node).name.lower() in {column.name.lower() for column in allowed}
    ]
    count = exp.alias_(exp.Count(this=exp.Star(), big_int=True), "n")
    for keys in (*([named] if named else []), allowed[:1], []):
        changed = tree.copy()
        changed.set("expressions", [*(key.copy() for key in keys), count.copy()])
        changed.set("having", None)
        yield Rewritten(regroup(changed), COUNTED if keys else TOTAL)
