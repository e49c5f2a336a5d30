"""Random questions over a world, each with what plain DuckDB needs to answer the same."""

from dataclasses import dataclass
from random import Random

from tests.fuzz.expressions import Maker
from tests.fuzz.keys import Key, keys_of
from tests.fuzz.sources import Source, source_of
from tests.fuzz.spellings import Named, Sql, column, wide
from tests.fuzz.world import World


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate: `name` is count, units, distinct, sum or avg; `value` is None for count(*)."""

    name: str
    text: str
    value: Sql | None
    condition: Sql | None


@dataclass(frozen=True, slots=True)
class Above:
    """What is said above the release: `asked` in the words of the query, `over` on columns k0, a0 …"""

    asked: str
    over: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question in all the parts that an oracle needs. `source` is FROM and WHERE, as asked and in plain DuckDB."""

    sql: str
    source: tuple[str, str]
    keys: tuple[Key, ...]
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Above, ...]
    having: Above | None
    order: tuple[Above, ...]
    rest: str
    productions: frozenset[str]


def question(world: World, rng: Random) -> Query:
    """Return a random question."""
    source = source_of(world, rng)
    columns = tuple(
        Named(f"{alias}.{field.name}", field)
        for alias, sheet in source.sheets
        for field in sheet.fields
    )
    maker = Maker(rng, columns)
    where = maker.make("flag", rng.randint(1, 3)) if rng.random() < 0.6 else None
    keys = keys_of(source, maker)
    aggregates = tuple(_aggregate(source, maker) for _ in range(rng.randint(1, 3)))
    return _written(source, where, (keys, aggregates), rng)


# ---- SELECT


def _aggregate(source: Source, maker: Maker) -> Aggregate:
    rng = maker.rng
    condition = maker.make("flag", 2) if rng.random() < 0.25 else None
    name = rng.choice(("count", "count", "units", "distinct", "sum", "sum", "sum", "avg"))
    value: Sql | None = None
    call = "count(*)"
    if name == "units":
        held = [(alias, sheet) for alias, sheet in source.sheets if sheet.unit and not sheet.parent]
        if held:
            alias, sheet = rng.choice(held)
            value = Sql(
                f"{alias}.{sheet.unit}", f"{alias}.{sheet.unit}", "int", frozenset({"units"})
            )
            call = f"count(DISTINCT {value.text})"
        else:
            name = "count"
    elif name == "count" and rng.random() < 0.5:
        value = maker.any(2)
        call = f"count({value.text})"
        if condition is None and rng.random() < 0.3:
            condition, value = maker.make("flag", 2), None
            return Aggregate("count", f"count_if({condition.text})", None, condition)
    elif name == "distinct":
        value = maker.any(2)
        call = rng.choice(("count(DISTINCT {})", "approx_count_distinct({})")).format(value.text)
    elif name in ("sum", "avg"):
        value = bounded(maker)
        call = f"{name}({value.text})"
    filtered = f" FILTER (WHERE {condition.text})" if condition is not None else ""
    return Aggregate(name, call + filtered, value, condition)


def bounded(maker: Maker) -> Sql:
    """Return a numeric expression whose interval is known: from declared bounds, or held by least and greatest."""
    rng = maker.rng
    known = [column(n) for n in maker.columns if n.field.bounds is not None and n.field.numeric]
    if not known or rng.random() < 0.4:
        return _held(maker)
    a = rng.choice(known)
    name, form = rng.choice(_BOUNDED)
    productions = a.productions | {f"value.{name}"}
    if name == "sum":
        b = rng.choice([other for other in known if other.kind == a.kind])
        text, plain = form.format(a=a.text, b=b.text), form.format(a=_wide(a), b=_wide(b))
        return Sql(text, f"TRY({plain})", a.kind, productions, max(a.scale, b.scale))
    when = maker.make("flag", 1)
    text = form.format(a=a.text, when=when.text)
    plain = form.format(a=_wide(a), when=when.plain)
    return Sql(text, f"TRY({plain})", a.kind, productions | when.productions, a.scale)


_BOUNDED = (
    ("column", "{a}"),
    ("case", "(CASE WHEN {when} THEN {a} ELSE 0 END)"),
    ("sum", "({a} + {b})"),
    ("abs", "abs({a})"),
    ("coalesce", "coalesce({a}, 0)"),
    ("product", "({a} * 3)"),
)


def _wide(part: Sql) -> str:
    """Return a number in the widest type of its kind, so that plain DuckDB overflows no earlier than it must."""
    if part.kind == "int":
        return wide(part)
    return f"({part.plain})::DECIMAL(30,{part.scale})" if part.kind == "dec" else part.plain


def _held(maker: Maker) -> Sql:
    inner = maker.number(2)
    low, high = maker.rng.choice((("0", "100"), ("-50", "50"), ("1", "7")))
    form = f"least(greatest({{}}, {low}), {high})"
    productions = inner.productions | {"value.held"}
    return Sql(
        form.format(inner.text), form.format(inner.plain), inner.kind, productions, inner.scale
    )


# ---- the whole


def _written(
    source: Source,
    where: Sql | None,
    measured: tuple[tuple[Key, ...], tuple[Aggregate, ...]],
    rng: Random,
) -> Query:
    keys, aggregates = measured
    named = [Above(key.sql.text, f"k{i}") for i, key in enumerate(keys)]
    named += [Above(each.text, f"a{i}") for i, each in enumerate(aggregates)]
    outputs = [*named, *(_computed(aggregates, rng) if rng.random() < 0.4 else [])]
    having = _having(keys, aggregates, rng) if rng.random() < 0.2 else None
    order: list[Above] = []
    if rng.random() < 0.35:
        place = rng.randrange(len(outputs))
        tail = rng.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
        written = rng.choice((f"o{place}", str(place + 1)))
        order.append(Above(written + tail, f"({outputs[place].over}){tail}"))
    rest = f" LIMIT {rng.randint(0, 5)}" if rng.random() < 0.2 else ""
    rest += f" OFFSET {rng.randint(0, 3)}" if rng.random() < 0.1 else ""
    tail = f" WHERE {where.text}" if where else ""
    plain_tail = f" WHERE {where.plain}" if where else ""
    sql = f"SELECT {', '.join(f'{o.asked} AS o{i}' for i, o in enumerate(outputs))} FROM {source.text}{tail}"
    if keys:
        sql += " GROUP BY " + rng.choice(("ALL", ", ".join(key.sql.text for key in keys)))
    sql += f" HAVING {having.asked}" if having else ""
    sql += f" ORDER BY {', '.join(term.asked for term in order)}" if order else ""
    return Query(
        sql=sql + rest,
        source=(source.text + tail, source.plain + plain_tail),
        keys=keys,
        aggregates=aggregates,
        outputs=tuple(outputs),
        having=having,
        order=tuple(order),
        rest=rest,
        productions=_productions(source, where, (keys, aggregates), bool(having), bool(order)),
    )


def _productions(
    source: Source,
    where: Sql | None,
    measured: tuple[tuple[Key, ...], tuple[Aggregate, ...]],
    having: bool,
    order: bool,
) -> frozenset[str]:
    keys, aggregates = measured
    found = set(source.productions)
    found |= where.productions | {"where"} if where else set()
    found |= {"having"} if having else set()
    found |= {"order"} if order else set()
    for key in keys:
        found |= key.sql.productions
    for each in aggregates:
        found |= {f"aggregate.{each.name}"} | ({"filter"} if each.condition else set())
        found |= each.value.productions if each.value else set()
        found |= each.condition.productions if each.condition else set()
    return frozenset(found)


def _computed(aggregates: tuple[Aggregate, ...], rng: Random) -> list[Above]:
    i, j = rng.randrange(len(aggregates)), rng.randrange(len(aggregates))
    form = rng.choice(
        (
            "(({a})::DOUBLE + ({b})::DOUBLE)",
            "({a} / nullif({b}, 0))",
            "round(({a})::DOUBLE, 1)",
            "coalesce({a}, 0)",
            "(CASE WHEN {a} > 1 THEN {b} END)",
            "({a} IS NULL)",
            "(({a})::DOUBLE / ({b})::DOUBLE)",
        )
    )
    asked = form.format(a=aggregates[i].text, b=aggregates[j].text)
    return [Above(asked, form.format(a=f"a{i}", b=f"a{j}"))]


def _having(keys: tuple[Key, ...], aggregates: tuple[Aggregate, ...], rng: Random) -> Above:
    i = rng.randrange(len(aggregates))
    form = rng.choice(("{} > 1", "{} BETWEEN 0 AND 40", "{} IS NOT NULL", "NOT ({} = 0)"))
    if keys and rng.random() < 0.3:
        return Above(f"{keys[0].sql.text} IS NOT NULL", "k0 IS NOT NULL")
    return Above(form.format(aggregates[i].text), form.format(f"a{i}"))
