"""Aggregates: another one that says as much, bounds where there are none, whole numbers for truth values."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from policies.terms import ColumnUse
from sandbox.compiler.places import quoted
from sandbox.compiler.rewrites.ground import Ground, Rewritten, granted

OTHER = "takes another aggregate"
COUNTS_UNITS = "counts privacy units"
AS_NUMBERS = "counts true as 1 and false as 0"
FRACTIONS = "asks for each fraction by itself"
WHOLE = "takes the whole part"
CLAMPED = "clamps the value; put bounds of your own in place of 0 and 1000"
AS_DOUBLE = "computes in DOUBLE"
_CLAMP = (0, 1000)
# Which value of a group these show depends on the order of rows, or it is one person's own.
_ONE_VALUE = (
    exp.AnyValue,
    exp.First,
    exp.Last,
    exp.FirstValue,
    exp.LastValue,
    exp.Mode,
    exp.ArgMax,
    exp.ArgMin,
)
_LISTS = (exp.ArrayAgg, exp.GroupConcat, exp.ArrayUniqueAgg, exp.ApproxTopK)
_MIDDLES = (exp.Median, exp.PercentileCont, exp.PercentileDisc, exp.Quantile, exp.ApproxQuantile)


def other_aggregate(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Replace the aggregate that was refused, one possibility after the other."""
    for number, node in enumerate(_aggregates(tree)):
        if not _is_refused(node, ground):
            continue
        for other, change in _instead(node, tree, ground):
            changed = tree.copy()
            found = _aggregates(changed)[number]
            outer = found.parent
            wrapped = isinstance(outer, (exp.IgnoreNulls, exp.RespectNulls))
            (outer if wrapped and outer is not None else found).replace(other.copy())
            yield Rewritten(changed, change)


def _aggregates(tree: exp.Select) -> list[exp.Expr]:
    return [n for n in tree.walk() if isinstance(n, (exp.AggFunc, exp.CountIf))]


def _is_refused(node: exp.Expr, ground: Ground) -> bool:
    words, name = ground.param("what"), ground.param("name").lower()
    if words and quoted(node) == words:
        return True
    known = {"count_distinct": "count", "count_if": "countif"}
    spelled = type(node).__name__.lower()
    called = node.sql_name().lower() if isinstance(node, exp.Func) else spelled
    return name in (called, spelled) or known.get(name) == spelled


def _instead(node: exp.Expr, tree: exp.Select, ground: Ground) -> Iterator[tuple[exp.Expr, str]]:
    value = node.this
    if isinstance(value, exp.Distinct):
        value = value.expressions[0]
        for unit in _units(tree, ground) if isinstance(node, exp.Count) else ():
            yield exp.Count(this=exp.Distinct(expressions=[unit])), COUNTS_UNITS
    if isinstance(value, exp.Ordered):
        value = value.this
    count: exp.Expr = exp.Count(this=exp.Star(), big_int=True)
    if not isinstance(value, exp.Expr) or isinstance(value, exp.Star):
        yield count, OTHER
        return
    average, known = exp.Avg(this=value.copy()), exp.Count(this=value.copy())
    for other in (*_nearest(node, value), average, known, count):
        if other != node:
            yield other, OTHER


def _nearest(node: exp.Expr, value: exp.Expr) -> tuple[exp.Expr, ...]:
    """Return the aggregates that say nearly the same."""
    total, mean, known = (kind(this=value.copy()) for kind in (exp.Sum, exp.Avg, exp.Count))
    if isinstance(node, exp.Avg):
        return (exp.Div(this=total, expression=known),)
    if isinstance(node, exp.Sum):
        return (exp.Mul(this=mean, expression=known),)
    if isinstance(node, (exp.Min, exp.Max, *_MIDDLES)):
        return (exp.Median(this=value.copy()),)
    if isinstance(node, (*_ONE_VALUE, *_LISTS)):
        return exp.Max(this=value.copy()), exp.Min(this=value.copy())
    return ()


def _units(tree: exp.Select, ground: Ground) -> Iterator[exp.Column]:
    for source, column in granted(tree, ground):
        if ColumnUse.COUNT_DISTINCT in column.uses:
            yield exp.column(column.name, table=source.alias_or_name)


def one_fraction(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Ask for each of several quantiles by itself, and for a percentage as a fraction."""
    for number, node in enumerate(tree.expressions):
        call = node.this if isinstance(node, exp.Alias) else node
        if not isinstance(call, _MIDDLES) or not isinstance(call.expression, exp.Expr):
            continue
        asked = call.expression
        wanted = asked.expressions if isinstance(asked, exp.Array) else [asked]
        found = [fraction for each in wanted if (fraction := _fraction(each)) is not None]
        if len(found) == len(wanted) and wanted:
            changed = tree.copy()
            each_by_itself = [_at(call, fraction) for fraction in found]
            changed.expressions[number : number + 1] = each_by_itself
            changed.set("expressions", list(changed.expressions))
            yield Rewritten(changed, FRACTIONS)


def _at(call: exp.Expr, fraction: str) -> exp.Expr:
    found = call.copy()
    found.set("expression", exp.Literal.number(fraction))
    return found


def _fraction(node: exp.Expr) -> str | None:
    try:
        value = Decimal(str(node.this)) if isinstance(node, exp.Literal) else Decimal(-1)
    except InvalidOperation:
        return None
    if 1 < value <= 100:
        value /= 100
    return f"{value:f}" if 0 <= value <= 1 else None


def as_numbers(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Take a truth value as 1 or 0 where a number is needed."""
    for number, node in enumerate(_aggregates(tree)):
        if quoted(node) == ground.param("what") and isinstance(node.this, exp.Predicate):
            changed = tree.copy()
            found = _aggregates(changed)[number]
            found.set("this", exp.cast(found.this.copy(), "INTEGER"))
            yield Rewritten(changed, AS_NUMBERS)


def whole(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Take the whole part where `//` or `%` needs whole numbers."""
    for number, node in enumerate(tree.walk()):
        if isinstance(node, (exp.IntDiv, exp.Mod)) and quoted(node) == ground.param("what"):
            changed = tree.copy()
            found = list(changed.walk())[number]
            found.set("this", exp.cast(found.this.copy(), "BIGINT"))
            yield Rewritten(changed, WHOLE)


def clamped(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Give a value without bounds some, and keep NULL from counting as one of them."""
    for number, node in enumerate(_aggregates(tree)):
        value = node.this
        if not isinstance(value, exp.Expr) or quoted(value) != ground.param("what"):
            continue
        changed = tree.copy()
        found = _aggregates(changed)[number]
        low, high = (exp.Literal.number(end) for end in _CLAMP)
        above = exp.Greatest(this=value.copy(), expressions=[low], ignore_nulls=True)
        found.set("this", exp.Least(this=above, expressions=[high], ignore_nulls=True))
        known = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        outer = found.parent
        if isinstance(outer, exp.Filter):
            outer.expression.set("this", exp.and_(outer.expression.this, known))
        else:
            only = exp.Where(this=known)
            found.replace(exp.Filter(this=found.copy(), expression=only))
        yield Rewritten(changed, CLAMPED)


def in_double(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Compute in DOUBLE what no exact type holds."""
    words = ground.param("what")
    for number, node in enumerate(tree.walk()):
        if isinstance(node, exp.Binary) and quoted(node) == words:
            changed = tree.copy()
            found = list(changed.walk())[number]
            found.set("this", exp.cast(found.this.copy(), "DOUBLE"))
            yield Rewritten(changed, AS_DOUBLE)
