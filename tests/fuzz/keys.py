"""Group keys whose values are declared, each with a query for what they may be."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from policies.terms import Scalar, TypeKind
from tests.fuzz.expressions import Maker
from tests.fuzz.sources import Source
from tests.fuzz.spellings import Named, Sql, column, dated
from tests.fuzz.world import WHOLE, Field, Sheet


@dataclass(frozen=True, slots=True)
class Key:
    """A group key; `declared` is a query for the values it may take, NULL among them if it is a key of its own."""

    sql: Sql
    declared: str


def keys_of(source: Source, maker: Maker) -> tuple[Key, ...]:
    """Return up to two different keys."""
    keys: dict[str, Key] = {}
    for _ in range(maker.rng.choice((0, 0, 1, 1, 1, 2))):
        key = _key(source, maker)
        if key is not None:
            keys.setdefault(key.sql.text, key)
    return tuple(keys.values())


def _key(source: Source, maker: Maker) -> Key | None:
    rng = maker.rng
    if rng.random() < 0.25:
        return _flag_key(maker)
    if rng.random() < 0.25:
        return _case_key(maker)
    found = [
        (named, domain)
        for alias, sheet in source.sheets
        for field in sheet.fields
        for named in [Named(f"{alias}.{field.name}", field)]
        if (domain := declared_values(sheet, field)) is not None
    ]
    if not found:
        return None
    named, domain = rng.choice(found)
    base = column(named)
    form = rng.choice(_FORMS.get(base.kind, ("{}",)))
    name = "key.column" if form == "{}" else f"key.{base.kind}_function"
    productions = base.productions | {name}
    plain = form.format(base.plain)
    if base.kind == "date" and form != "{}":
        plain = dated(base, form)
    sql = Sql(form.format(base.text), f"({plain})", base.kind, productions)
    declared = f"SELECT DISTINCT ({form.format('x')}) AS x FROM ({domain})"
    if None not in named.field.listed:
        declared = f"SELECT x FROM ({declared}) WHERE x IS NOT NULL"
    return Key(sql, declared)


_FORMS = {
    "text": ("{}", "{}", "left({}, 1)", "upper({})", "({} || '!')"),
    "date": ("year({})", "month({})", "date_trunc('month', {})", "dayofweek({})", "{}"),
    "int": ("{}", "({} % 3)", "({} // 10)"),
}


def declared_values(sheet: Sheet, field: Field) -> str | None:
    """Return a query for the declared values of a column, or None where there are none."""
    if field.bounds is not None and field.type.kind is TypeKind.DATE:
        first, last = field.bounds
        assert isinstance(first, date) and isinstance(last, date)
        days = (last - first).days + 1
        # beyond a few hundred values every group is noise, and the question is refused for it
        return (
            f"SELECT DATE '{first}' + range::INTEGER AS x FROM range({days})"
            if days < 800
            else None
        )
    if field.bounds is not None and field.type.kind in WHOLE and not field.listed:
        lower, upper = (int(bound) for bound in field.bounds if isinstance(bound, Decimal))
        return f"SELECT range::{field.type} AS x FROM range({lower}, {upper + 1})"
    if field.type.kind is TypeKind.BOOLEAN and sheet.unit is not None:
        return "SELECT unnest([false, true]) AS x"
    if sheet.unit is None and field.type.kind is TypeKind.VARCHAR:
        return f"SELECT DISTINCT {field.name} AS x FROM {sheet.name}"
    if field.listed and sheet.unit is not None:
        return f"SELECT unnest([{', '.join(_constant(value) for value in field.listed)}]) AS x"
    return None


def _constant(value: Scalar) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _flag_key(maker: Maker) -> Key | None:
    sql = maker.make("flag", 2)
    if not _reads(maker, sql):
        return None
    if sql.text.count(" ") == 0:  # a bare column
        return None
    productions = sql.productions | {"key.flag"}
    made = Sql(sql.text, sql.plain, "flag", productions)
    return Key(made, "SELECT unnest([false, true, NULL]) AS x")


def _case_key(maker: Maker) -> Key | None:
    rng = maker.rng
    whens = [maker.make("flag", 1) for _ in range(rng.randint(1, 2))]
    if not any(_reads(maker, when) for when in whens):
        return None
    constants = rng.sample(("'low'", "'mid'", "'high'", "''"), len(whens) + 1)
    otherwise = f" ELSE {constants[-1]}" if rng.random() < 0.7 else ""
    pairs = list(zip(whens, constants, strict=False))
    text = "".join(f" WHEN {when.text} THEN {then}" for when, then in pairs)
    plain = "".join(f" WHEN {when.plain} THEN {then}" for when, then in pairs)
    values = constants[: len(whens)] + ([constants[-1]] if otherwise else ["NULL"])
    productions = frozenset({"key.case"}).union(*(when.productions for when in whens))
    sql = Sql(f"CASE{text}{otherwise} END", f"(CASE{plain}{otherwise} END)", "text", productions)
    return Key(sql, f"SELECT unnest([{', '.join(values)}]) AS x")


def _reads(maker: Maker, sql: Sql) -> bool:
    """Tell whether an expression reads a row: a constant key makes no groups."""
    return any(named.written in sql.text for named in maker.columns)
