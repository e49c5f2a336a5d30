"""Random scalar expressions of every kind: one method for each production of the grammar."""

from collections.abc import Callable
from random import Random

from tests.fuzz import mixtures
from tests.fuzz.spellings import (
    IN_CALENDAR,
    Named,
    Sql,
    column,
    dated,
    exact,
    guard,
    kind_of,
    productions_of,
    whole,
    wide,
)

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_UNITS = ("year", "quarter", "month", "week", "day")
_WORDS = ("'a'", "'north'", "'%o%'", "'12'", "''", "'é'", "'C50'", "'_lice'")


class Maker:
    """Makes expressions over the columns in reach. Every choice comes from `rng`."""

    def __init__(self, rng: Random, columns: tuple[Named, ...]) -> None:
        self.rng = rng
        self.columns = columns

    def any(self, depth: int) -> Sql:
        """Return an expression of any kind."""
        kinds = sorted({kind_of(named.field.type) for named in self.columns})
        return self.make(self.rng.choice(kinds), depth)

    def number(self, depth: int) -> Sql:
        """Return a numeric expression."""
        return self.make(self.rng.choice(("int", "dec", "dbl")), depth)

    def make(self, kind: str, depth: int) -> Sql:
        """Return an expression of that kind, at most `depth` operators deep."""
        if depth <= 0 or self.rng.random() < 0.25:
            return self._leaf(kind)
        return self.rng.choice(_RULES[kind])(self, depth - 1)

    def _leaf(self, kind: str) -> Sql:
        found = [named for named in self.columns if kind_of(named.field.type) == kind]
        if found and self.rng.random() < 0.8:
            return column(self.rng.choice(found))
        return self.literal(kind)

    def literal(self, kind: str) -> Sql:
        """Return a constant of that kind."""
        rng = self.rng
        written, scale = {
            "int": (str(rng.choice((0, 1, 2, 7, 100, -3, 3_000_000_000))), 0),
            "dec": (rng.choice(("0.5", "1.25", "-3.75", "10.01")), 2),
            "dbl": (rng.choice(("1e0", "2.5e2", "-1e-1", "1e6")), 0),
            "text": (rng.choice(_WORDS), 0),
            "date": (f"DATE '{rng.randint(1950, 2024)}-0{rng.randint(1, 9)}-15'", 0),
            "instant": (f"TIMESTAMP '2024-0{rng.randint(1, 9)}-03 04:05:06'", 0),
            "flag": (rng.choice(("true", "false")), 0),
        }[kind]
        if kind == "dec":
            scale = len(written.partition(".")[2])
        return Sql(written, written, kind, frozenset({f"literal.{kind}"}), scale)

    # ---- whole numbers

    def int_sum(self, depth: int) -> Sql:
        a, b = self.make("int", depth), self.make("int", depth)
        return whole(a, b, self.rng.choice(("+", "-")), "int.sum")

    def int_product(self, depth: int) -> Sql:
        a, b = self.make("int", 0), self.literal("int")
        return whole(a, b, "*", "int.product")

    def int_divide(self, depth: int) -> Sql:
        a, b = self.make("int", depth), self.make("int", 0)
        op = self.rng.choice(("//", "%"))
        text = f"({a.text} {op} {b.text})"
        plain = f"TRY({wide(a)} {op} nullif({wide(b)}, 0))"
        return Sql(text, plain, "int", productions_of("int.divide", a, b))

    def int_sign(self, depth: int) -> Sql:
        a = self.make("int", depth)
        form = self.rng.choice(("abs({})", "-({})"))
        return Sql(
            form.format(a.text),
            f"TRY({form.format(wide(a))})",
            "int",
            productions_of("int.sign", a),
        )

    def int_of_text(self, depth: int) -> Sql:
        a = self.make("text", depth)
        return Sql(
            f"length({a.text})", f"TRY(length({a.plain}))", "int", productions_of("text.length", a)
        )

    def int_of_date(self, depth: int) -> Sql:
        a = self.make(self.rng.choice(("date", "instant")), depth)
        part = self.rng.choice((*_UNITS, "dayofweek", "dayofyear"))
        form = self.rng.choice(
            (f"{part}({{}})", f"date_part('{part}', {{}})", f"extract({part} FROM {{}})")
        )
        if part in ("dayofweek", "dayofyear"):
            form = f"{part}({{}})"
        return Sql(form.format(a.text), dated(a, form), "int", productions_of("date.part", a))

    def int_of_dates(self, depth: int) -> Sql:
        a, b = self.make("date", depth), self.make("date", depth)
        form = self.rng.choice(("date_diff('{unit}', {a}, {b})", "({b} - {a})"))
        unit = self.rng.choice(_UNITS) if form.startswith("date_diff") else "day"
        written = form.format(unit=unit, a=a.text, b=b.text)
        call = f"date_diff('{unit}', {a.plain}, {b.plain})"
        return Sql(written, guard(a, guard(b, call)), "int", productions_of("date.diff", a, b))

    def int_cast(self, depth: int) -> Sql:
        a = self.make(self.rng.choice(("dbl", "text", "flag", "dec")), depth)
        return self._cast(a, self.rng.choice(("INTEGER", "BIGINT")), "int")

    # ---- decimals and doubles

    def dec_sum(self, depth: int) -> Sql:
        a, b = self.make("dec", depth), self.make(self.rng.choice(("dec", "int")), 0)
        scale = max(a.scale, b.scale)
        op = self.rng.choice(("+", "-"))
        plain = f"TRY({exact(a, scale)} {op} {exact(b, scale)})"
        return Sql(
            f"({a.text} {op} {b.text})", plain, "dec", productions_of("dec.sum", a, b), scale
        )

    def dec_product(self, depth: int) -> Sql:
        a, b = self.make("dec", 0), self.literal("dec")
        plain = f"TRY(({a.plain})::DECIMAL(19,{a.scale}) * ({b.plain})::DECIMAL(19,{b.scale}))"
        text = f"({a.text} * {b.text})"
        return Sql(text, plain, "dec", productions_of("dec.product", a, b), a.scale + b.scale)

    def dec_round(self, depth: int) -> Sql:
        a = self.make("dec", depth)
        form, scale = self.rng.choice((("round({}, 1)", 1), ("floor({})", 0), ("ceil({})", 0)))
        scale = min(scale, a.scale)
        plain = f"TRY({form.format(exact(a, a.scale))})"
        return Sql(form.format(a.text), plain, "dec", productions_of("dec.round", a), scale)

    def dbl_arithmetic(self, depth: int) -> Sql:
        a, b = self.make("dbl", depth), self.number(depth)
        op = self.rng.choice(("+", "-", "*", "/"))
        plain = f"TRY(({a.plain}) {op} ({b.plain})::DOUBLE)"
        return Sql(
            f"({a.text} {op} {b.text})", plain, "dbl", productions_of("dbl.arithmetic", a, b)
        )

    def dbl_ratio(self, depth: int) -> Sql:
        a, b = self.make("int", depth), self.make("dec", 0)
        plain = f"TRY(({a.plain})::DOUBLE / ({b.plain})::DOUBLE)"
        return Sql(f"({a.text} / {b.text})", plain, "dbl", productions_of("dbl.ratio", a, b))

    def dbl_function(self, depth: int) -> Sql:
        a = self.make("dbl", depth)
        forms = (
            "sqrt({})",
            "ln({})",
            "exp({})",
            "abs({})",
            "round({}, 2)",
            "floor({})",
            "ceil({})",
            "-({})",
        )
        form = self.rng.choice(forms)
        return Sql(
            form.format(a.text),
            f"TRY({form.format(a.plain)})",
            "dbl",
            productions_of("dbl.function", a),
        )

    def dbl_cast(self, depth: int) -> Sql:
        a = self.make(self.rng.choice(("text", "int", "dec")), depth)
        return self._cast(a, "DOUBLE", "dbl")

    # ---- text, dates

    def text_function(self, depth: int) -> Sql:
        a = self.make("text", depth)
        forms = (
            "lower({})",
            "upper({})",
            "trim({})",
            "left({}, 2)",
            "right({}, 1)",
            "substr({}, 2, 3)",
        )
        form = self.rng.choice(forms)
        return Sql(
            form.format(a.text),
            f"TRY({form.format(a.plain)})",
            "text",
            productions_of("text.function", a),
        )

    def text_join(self, depth: int) -> Sql:
        a, b = self.make("text", depth), self.make("text", 0)
        plain = f"TRY({a.plain} || {b.plain})"
        return Sql(f"({a.text} || {b.text})", plain, "text", productions_of("text.join", a, b))

    def text_cast(self, depth: int) -> Sql:
        return self._cast(
            self.make(self.rng.choice(("int", "date", "flag")), depth), "VARCHAR", "text"
        )

    def date_cast(self, depth: int) -> Sql:
        return self._cast(self.make("text", depth), "DATE", "date")

    def date_move(self, depth: int) -> Sql:
        a, days = self.make("date", depth), self.rng.choice((1, 30, 4000))
        op = self.rng.choice(("+", "-"))
        moved = guard(a, f"({a.plain} {op} {days})")
        plain = f"(CASE WHEN {moved} BETWEEN {IN_CALENDAR['date']} THEN {moved} END)"
        return Sql(f"({a.text} {op} {days})", plain, "date", productions_of("date.move", a))

    def instant_function(self, depth: int) -> Sql:
        a = self.make(self.rng.choice(("date", "instant")), depth)
        form = self.rng.choice(
            (
                f"date_trunc('{self.rng.choice(_UNITS)}', {{}})",
                "({} + INTERVAL 1 YEAR)",
                "({} - INTERVAL 2 MONTH)",
            )
        )
        plain = guard(a, f"({form.format(a.plain)})::TIMESTAMP")
        held = f"(CASE WHEN {plain} BETWEEN {IN_CALENDAR['instant']} THEN {plain} END)"
        return Sql(form.format(a.text), held, "instant", productions_of("instant.function", a))

    # ---- truth

    def flag_compare(self, depth: int) -> Sql:
        kind = self.rng.choice(("int", "dec", "dbl", "text", "date", "instant"))
        a, b = self.make(kind, depth), self.make(kind, 0)
        op = self.rng.choice((*_COMPARISONS, "IS DISTINCT FROM", "IS NOT DISTINCT FROM"))
        scale = max(a.scale, b.scale)
        left, right = (exact(a, scale), exact(b, scale)) if kind == "dec" else (a.plain, b.plain)
        text = f"({a.text} {op} {b.text})"
        return Sql(text, f"({left} {op} {right})", "flag", productions_of("flag.compare", a, b))

    def flag_between(self, depth: int) -> Sql:
        kind = self.rng.choice(("int", "dbl", "date"))
        a, low, high = self.make(kind, depth), self.literal(kind), self.literal(kind)
        form = "({} BETWEEN {} AND {})"
        text, plain = (
            form.format(a.text, low.text, high.text),
            form.format(a.plain, low.plain, high.plain),
        )
        return Sql(text, plain, "flag", productions_of("flag.between", a))

    def flag_in(self, depth: int) -> Sql:
        kind = self.rng.choice(("int", "text"))
        a = self.make(kind, depth)
        listed = ", ".join(sorted({self.literal(kind).text for _ in range(3)}))
        op = self.rng.choice(("IN", "NOT IN"))
        return Sql(
            f"({a.text} {op} ({listed}))",
            f"({a.plain} {op} ({listed}))",
            "flag",
            productions_of("flag.in", a),
        )

    def flag_like(self, depth: int) -> Sql:
        a = self.make("text", depth)
        form = self.rng.choice(
            (
                "({} LIKE '%o%')",
                "({} ILIKE 'A_%')",
                "({} NOT LIKE 'n%')",
                "starts_with({}, 'n')",
                "contains({}, 'e')",
            )
        )
        return Sql(
            form.format(a.text),
            f"TRY({form.format(a.plain)})",
            "flag",
            productions_of("flag.like", a),
        )

    def flag_null(self, depth: int) -> Sql:
        a = self.make(self.rng.choice(("int", "dec", "dbl", "text", "date")), depth)
        form = self.rng.choice(("({} IS NULL)", "({} IS NOT NULL)"))
        return Sql(
            form.format(a.text), form.format(a.plain), "flag", productions_of("flag.null", a)
        )

    def flag_truth(self, depth: int) -> Sql:
        a = self.make("flag", depth)
        form = self.rng.choice(("({} IS TRUE)", "({} IS NOT FALSE)", "(NOT {})"))
        return Sql(
            form.format(a.text), form.format(a.plain), "flag", productions_of("flag.truth", a)
        )

    def flag_logic(self, depth: int) -> Sql:
        a, b = self.make("flag", depth), self.make("flag", depth)
        op = self.rng.choice(("AND", "OR"))
        return Sql(
            f"({a.text} {op} {b.text})",
            f"({a.plain} {op} {b.plain})",
            "flag",
            productions_of("flag.logic", a, b),
        )

    # ---- any kind

    def chosen(self, kind: str, depth: int) -> Sql:
        """Return CASE, coalesce, nullif, least or greatest of one kind."""
        a, b, when = self.make(kind, depth), self.make(kind, 0), self.make("flag", depth)
        scale = max(a.scale, b.scale)
        left, right = (exact(a, scale), exact(b, scale)) if kind == "dec" else (a.plain, b.plain)
        name, form = self.rng.choice(
            (
                ("case", "(CASE WHEN {when} THEN {a} ELSE {b} END)"),
                ("case", "(CASE WHEN {when} THEN {a} END)"),
                ("coalesce", "coalesce({a}, {b})"),
                ("nullif", "nullif({a}, {b})"),
                ("least", "least({a}, {b})"),
                ("greatest", "greatest({a}, {b})"),
            )
        )
        text = form.format(when=when.text, a=a.text, b=b.text)
        plain = form.format(when=when.plain, a=left, b=right)
        return Sql(text, plain, kind, productions_of(f"choice.{name}", a, b, when), scale)

    def _cast(self, a: Sql, target: str, kind: str) -> Sql:
        if a.kind == "text" and not any(named.written in a.text for named in self.columns):
            return self._leaf(
                kind
            )  # a constant that does not read as the type is refused, and rightly
        form = self.rng.choice(("CAST({} AS {})", "TRY_CAST({} AS {})", "({})::{}"))
        productions = productions_of(f"cast.{a.kind}_{kind}", a)
        return Sql(
            form.format(a.text, target), f"TRY_CAST({a.plain} AS {target})", kind, productions
        )


Rule = Callable[[Maker, int], Sql]


def _chosen(kind: str) -> Rule:
    return lambda maker, depth: maker.chosen(kind, depth)


_RULES: dict[str, tuple[Rule, ...]] = {
    "int": (
        Maker.int_sum,
        Maker.int_product,
        Maker.int_divide,
        Maker.int_sign,
        Maker.int_of_text,
        Maker.int_of_date,
        Maker.int_of_dates,
        Maker.int_cast,
        mixtures.simple_case,
        mixtures.part_of_instant,
        mixtures.between_instants,
        _chosen("int"),
    ),
    "dec": (
        Maker.dec_sum,
        Maker.dec_product,
        Maker.dec_round,
        mixtures.mixed_decimal,
        _chosen("dec"),
    ),
    "dbl": (
        Maker.dbl_arithmetic,
        Maker.dbl_ratio,
        Maker.dbl_function,
        Maker.dbl_cast,
        mixtures.mixed_double,
        mixtures.rounded_to_hundreds,
        _chosen("dbl"),
    ),
    "text": (Maker.text_function, Maker.text_join, Maker.text_cast, mixtures.if_, _chosen("text")),
    "date": (Maker.date_cast, Maker.date_move, _chosen("date")),
    "instant": (Maker.instant_function, mixtures.truncated_to_hour, _chosen("instant")),
    "flag": (
        Maker.flag_compare,
        Maker.flag_between,
        Maker.flag_in,
        Maker.flag_like,
        Maker.flag_null,
        Maker.flag_truth,
        Maker.flag_logic,
        mixtures.mixed_comparison,
        mixtures.read_constant,
        mixtures.negated_range,
    ),
}
