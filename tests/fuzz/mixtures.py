"""Expressions whose operands are of different kinds, and forms that mean the same in other words."""

from random import Random
from typing import Protocol

from tests.fuzz.spellings import Sql, exact, guard, productions_of


class Making(Protocol):
    """What makes the operands."""

    rng: Random

    def make(self, kind: str, depth: int) -> Sql:
        """Return an expression of that kind."""
        ...

    def literal(self, kind: str) -> Sql:
        """Return a constant of that kind."""
        ...


_PAIRS = (("int", "dbl"), ("int", "dec"), ("dec", "dbl"), ("date", "instant"))
_READ = {
    "date": ("'2024-02-01'", "DATE '2024-02-01'"),
    "instant": ("'2024-02-01 10:00:00'", "TIMESTAMP '2024-02-01 10:00:00'"),
    "int": ("'7'", "7"),
    "dbl": ("'2.5'", "2.5::DOUBLE"),
    "flag": ("'true'", "true"),
}


def met(a: Sql, b: Sql) -> tuple[str, str, str, int]:
    """Return both in the kind in which they meet, that kind, and its scale."""
    kinds = {a.kind, b.kind}
    if kinds == {"date", "instant"}:
        return (
            f"TRY_CAST({a.plain} AS TIMESTAMP)",
            f"TRY_CAST({b.plain} AS TIMESTAMP)",
            "instant",
            0,
        )
    if "dbl" in kinds:
        return f"({a.plain})::DOUBLE", f"({b.plain})::DOUBLE", "dbl", 0
    scale = max(a.scale, b.scale)
    return exact(a, scale), exact(b, scale), "dec", scale


def mixed_comparison(maker: Making, depth: int) -> Sql:
    """Compare two kinds."""
    kinds = list(maker.rng.choice(_PAIRS))
    maker.rng.shuffle(kinds)
    a, b = maker.make(kinds[0], depth), maker.make(kinds[1], 0)
    op = maker.rng.choice(("=", "<>", "<", ">=", "IS DISTINCT FROM"))
    left, right, _, _ = met(a, b)
    text = f"({a.text} {op} {b.text})"
    return Sql(text, f"({left} {op} {right})", "flag", productions_of("mixed.comparison", a, b))


def read_constant(maker: Making, depth: int) -> Sql:
    """Compare with a text constant, which takes the type of its neighbour."""
    kind = maker.rng.choice(tuple(_READ))
    a, (text, plain) = maker.make(kind, depth), _READ[kind]
    op = maker.rng.choice(("=", "<", ">=")) if kind != "flag" else "="
    made = f"({a.text} {op} {text})"
    return Sql(made, f"({a.plain} {op} {plain})", "flag", productions_of("mixed.constant", a))


def negated_range(maker: Making, depth: int) -> Sql:
    """NOT BETWEEN over texts or instants."""
    kind = maker.rng.choice(("text", "instant", "dec"))
    a, low, high = maker.make(kind, depth), maker.literal(kind), maker.literal(kind)
    form = "({} NOT BETWEEN {} AND {})"
    text = form.format(a.text, low.text, high.text)
    scale = max(a.scale, low.scale, high.scale)
    parts = [exact(p, scale) if kind == "dec" else p.plain for p in (a, low, high)]
    return Sql(text, form.format(*parts), "flag", productions_of("mixed.not_between", a))


def mixed_choice(maker: Making, depth: int, kind: str) -> Sql:
    """Choose between two kinds of number."""
    other = maker.make("int", depth)
    own = maker.make(kind, 0)
    a, b = (own, other) if maker.rng.random() < 0.5 else (other, own)
    left, right, met_kind, scale = met(a, b)
    name = maker.rng.choice(("coalesce", "least", "greatest"))
    text, plain = f"{name}({a.text}, {b.text})", f"{name}({left}, {right})"
    return Sql(text, plain, met_kind, productions_of("mixed.choice", a, b), scale)


def mixed_double(maker: Making, depth: int) -> Sql:
    """A choice between a DOUBLE and a whole number."""
    return mixed_choice(maker, depth, "dbl")


def mixed_decimal(maker: Making, depth: int) -> Sql:
    """A choice between a DECIMAL and a whole number."""
    return mixed_choice(maker, depth, "dec")


def simple_case(maker: Making, depth: int) -> Sql:
    """CASE x WHEN constant THEN …"""
    kind = maker.rng.choice(("int", "text", "date"))
    a, first, second = maker.make(kind, depth), maker.literal(kind), maker.literal(kind)
    form = "(CASE {} WHEN {} THEN 1 WHEN {} THEN 2 ELSE 0 END)"
    text = form.format(a.text, first.text, second.text)
    plain = form.format(a.plain, first.plain, second.plain)
    return Sql(text, plain, "int", productions_of("mixed.simple_case", a))


def if_(maker: Making, depth: int) -> Sql:
    """if(condition, text, text)"""
    when, a, b = maker.make("flag", depth), maker.make("text", 0), maker.make("text", 0)
    form = "if({}, {}, {})"
    text = form.format(when.text, a.text, b.text)
    plain = form.format(when.plain, a.plain, b.plain)
    return Sql(text, plain, "text", productions_of("mixed.if", when, a, b))


def rounded_to_hundreds(maker: Making, depth: int) -> Sql:
    """round(x, -2) of a DOUBLE."""
    a = maker.make("dbl", depth)
    form = "round({}, -2)"
    productions = productions_of("mixed.round", a)
    return Sql(form.format(a.text), f"TRY({form.format(a.plain)})", "dbl", productions)


def part_of_instant(maker: Making, depth: int) -> Sql:
    """hour(x), minute(x) … of an instant."""
    a = maker.make("instant", depth)
    form = maker.rng.choice(
        ("hour({})", "minute({})", "date_part('second', {})", "extract(hour FROM {})")
    )
    return Sql(
        form.format(a.text), guard(a, form.format(a.plain)), "int", productions_of("mixed.part", a)
    )


def between_instants(maker: Making, depth: int) -> Sql:
    """date_diff of two instants."""
    a, b = maker.make("instant", depth), maker.make("instant", 0)
    unit = maker.rng.choice(("hour", "day", "minute", "month"))
    form = f"date_diff('{unit}', {{}}, {{}})"
    plain = f"TRY({form.format(a.plain, b.plain)})"
    text = form.format(a.text, b.text)
    return Sql(text, guard(a, guard(b, plain)), "int", productions_of("mixed.instants", a, b))


def truncated_to_hour(maker: Making, depth: int) -> Sql:
    """date_trunc to an hour or a minute."""
    a = maker.make("instant", depth)
    form = maker.rng.choice(("date_trunc('hour', {})", "date_trunc('minute', {})"))
    plain = guard(a, form.format(a.plain))
    return Sql(form.format(a.text), plain, "instant", productions_of("mixed.trunc", a))
