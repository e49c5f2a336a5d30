"""Operators over every pair of types, the extremes of each type, and DuckDB's own form to compare with."""

import itertools
from collections.abc import Iterator

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Column, Expr, Literal, Op, TimeUnit
from sandbox.worker.scalars import scalars
from sandbox.worker.sql_types import INTEGER_MAX, is_integer, is_number
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    HUGEINT,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
)


def _decimal(precision: int, scale: int) -> SqlType:
    return SqlType(TypeKind.DECIMAL, precision, scale)


TYPES: dict[str, SqlType] = {
    "b": BOOLEAN,
    "i": INTEGER,
    "l": BIGINT,
    "h": HUGEINT,
    "d": _decimal(12, 2),
    "e": _decimal(18, 18),
    "m": _decimal(38, 10),
    "w": _decimal(38, 0),
    "f": DOUBLE,
    "s": VARCHAR,
    "t": DATE,
    "z": TIMESTAMP,
}
VALUES: dict[str, tuple[str, ...]] = {
    "b": ("true", "false"),
    "i": ("-2147483648", "2147483647", "0", "1", "-1", "7"),
    "l": ("-9223372036854775808", "9223372036854775807", "0", "-1", "3", "-9223372036854775807"),
    "h": (str(-(2**127)), str(2**127 - 1), "0", "-1", "5"),
    "d": ("-9999999999.99", "9999999999.99", "0", "0.01", "-2.50"),
    "e": ("0.999999999999999999", "-0.999999999999999999", "0", "0.5"),
    "m": ("-" + "9" * 28 + "." + "9" * 10, "9" * 28 + "." + "9" * 10, "0", "1.5", "0.0000000001"),
    "w": ("-" + "9" * 38, "9" * 38, "0", "2"),
    "f": ("nan", "inf", "-inf", "0", "-0.0", "1.5", "-2.5", "1e308", "5e-324", "9007199254740993"),
    "s": (
        "",
        "a",
        "%_",
        "12",
        "2024-02-30",
        "2024-02-29",
        "长ÉßİI\\",
        "nan",
        "a%",
        "x" * 999,
        "inf",
    ),
    "t": (
        "infinity",
        "-infinity",
        "5881580-07-10",
        "5877642-06-25 (BC)",
        "0001-01-01",
        "9999-12-31",
        "2024-02-29",
        "2024-12-30",
    ),
    "z": (
        "infinity",
        "-infinity",
        "294247-01-10 04:00:54.775806",
        "290309-12-22 (BC) 00:00:00",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "2024-02-29 12:34:56.789",
    ),
}
COMPARED = {
    Op.EQ: "=",
    Op.NE: "<>",
    Op.LT: "<",
    Op.LE: "<=",
    Op.GT: ">",
    Op.GE: ">=",
    Op.IS_DISTINCT: "IS DISTINCT FROM",
}
COUNTED = {Op.ADD: "+", Op.SUB: "-", Op.MUL: "*", Op.INT_DIV: "//", Op.MOD: "%", Op.DIV: "/"}
RESULTS = (INTEGER, BIGINT, HUGEINT, DOUBLE, _decimal(12, 2), _decimal(24, 4), _decimal(38, 10))
Case = tuple[Call, str | None]  # an expression, and DuckDB's own form where there is one


def col(key: str, scan: int = 0) -> Column:
    return Column(scan, key, TYPES[key])


def rendered(expr: Expr) -> tuple[str, dict[str, object]]:
    parameters: dict[str, object] = {}
    text = scalars(lambda r: f"c{r.scan}_{r.name}.x", parameters).render(expr)  # type: ignore[union-attr]
    return text, parameters


def pairs() -> Iterator[tuple[str, str]]:
    return itertools.product(TYPES, TYPES)


def binary_cases() -> Iterator[Case]:
    for a, b in pairs():
        left, right = col(a), col(b, 1)
        names = f"c0_{a}.x", f"c1_{b}.x"
        for op, symbol in COMPARED.items():
            yield Call(op, (left, right), BOOLEAN), f"{names[0]} {symbol} {names[1]}"
        yield Call(Op.IN, (left, right), BOOLEAN), f"{names[0]} IN ({names[1]})"
        for op in (Op.LIKE, Op.ILIKE):
            yield Call(op, (left, right), BOOLEAN), f"{names[0]} {op.value} {names[1]}"
        for op in (Op.STARTS_WITH, Op.CONTAINS):
            yield Call(op, (left, right), BOOLEAN), f"{op.value}({names[0]}, {names[1]})"
        for op in (Op.COALESCE, Op.LEAST, Op.GREATEST, Op.NULLIF):
            same = TYPES[a] == TYPES[b]
            native = f"{op.value}({names[0]}, {names[1]})" if same else None
            yield Call(op, (left, right), TYPES[a]), native
        for op in (Op.SUBSTRING, Op.LEFT, Op.RIGHT):
            yield Call(op, (left, right), VARCHAR), f"{op.value}({names[0]}, {names[1]})"
        yield Call(Op.CONCAT, (left, right), VARCHAR), f"{names[0]} || {names[1]}"


def arithmetic_cases() -> Iterator[Case]:
    for a, b in pairs():
        for (op, symbol), type_ in itertools.product(COUNTED.items(), RESULTS):
            yield Call(op, (col(a), col(b, 1)), type_), _native_sum(op, symbol, a, b, type_)


def _native_sum(op: Op, symbol: str, a: str, b: str, type_: SqlType) -> str | None:
    """Compare only where the node's type is one that a compiler may choose: wide enough, or DuckDB's own."""
    left, right = TYPES[a], TYPES[b]
    if not (is_number(left) and is_number(right)):
        return None
    double = DOUBLE in (left, right) or op is Op.DIV
    if double:
        return f"c0_{a}.x {symbol} c1_{b}.x" if type_ == DOUBLE else None
    if is_integer(left) and is_integer(right):
        wide = INTEGER_MAX[type_.kind] if is_integer(type_) else 0
        fits = wide >= max(INTEGER_MAX[left.kind], INTEGER_MAX[right.kind])
        return f"c0_{a}.x {symbol} c1_{b}.x" if fits else None
    exact = type_ == _decimal(24, 4) and left == right == TYPES["d"]
    return f"c0_{a}.x {symbol} c1_{b}.x" if exact and op is Op.MUL else None


def unary_cases() -> Iterator[Case]:
    for a, type_ in TYPES.items():
        name = f"c0_{a}.x"
        yield Call(Op.IS_NULL, (col(a),), BOOLEAN), f"{name} IS NULL"
        yield Call(Op.IS_NAN, (col(a),), BOOLEAN), f"isnan({name})" if type_ == DOUBLE else None
        yield Call(Op.NOT, (col(a),), BOOLEAN), f"NOT {name}" if type_ == BOOLEAN else None
        for op in (Op.LOWER, Op.UPPER, Op.TRIM):
            yield Call(op, (col(a),), VARCHAR), f"{op.value}({name})"
        yield Call(Op.LENGTH, (col(a),), BIGINT), f"length({name})"
        for op in (Op.SQRT, Op.LN, Op.EXP):
            yield Call(op, (col(a),), DOUBLE), f"{op.value}({name})"
        for target in (*TYPES.values(), _decimal(5, 1)):
            yield Call(Op.CAST, (col(a),), target), f"CAST({name} AS {target})"
        for op, target in itertools.product((Op.NEG, Op.ABS, Op.FLOOR, Op.CEIL, Op.ROUND), RESULTS):
            native = "-" if op is Op.NEG else op.value
            own = _own_type(op, type_) == target
            yield Call(op, (col(a),), target), f"{native}({name})" if own else None
        for digits, target in itertools.product((-400, -20, -3, -1, 0, 1, 5, 10**12), RESULTS):
            own = _own_type(Op.ROUND, type_) == target and type_.kind is not TypeKind.DECIMAL
            theirs = f"round({name}, {max(-400, min(400, digits))})" if own else None
            yield Call(Op.ROUND, (col(a), Literal(BIGINT, digits)), target), theirs


def _own_type(op: Op, type_: SqlType) -> SqlType | None:
    if type_.kind is TypeKind.DECIMAL:
        return type_ if op in (Op.NEG, Op.ABS) else None
    if op in (Op.FLOOR, Op.CEIL):
        return DOUBLE if is_number(type_) else None
    return type_ if is_number(type_) else None


def date_cases() -> Iterator[Case]:
    for a, unit in itertools.product(TYPES, TimeUnit):
        name = f"c0_{a}.x"
        yield Call(Op.DATE_TRUNC, (col(a),), TIMESTAMP, unit), f"date_trunc('{unit}', {name})"
        yield Call(Op.DATE_PART, (col(a),), BIGINT, unit), f"date_part('{unit}', {name})"
        for count, target in itertools.product((1, -1, 30, 10**6, -(10**30)), (DATE, TIMESTAMP)):
            native = (
                f"CAST({name} + INTERVAL ({count}) {unit} AS {target})" if abs(count) < 99 else None
            )
            yield Call(Op.DATE_ADD, (col(a), Literal(BIGINT, count)), target, unit), native
        for b in ("t", "z"):
            native = f"date_diff('{unit}', {name}, c1_{b}.x)"
            yield Call(Op.DATE_DIFF, (col(a), col(b, 1)), BIGINT, unit), native


GROUPS = {
    "binary": binary_cases,
    "arithmetic": arithmetic_cases,
    "unary": unary_cases,
    "date": date_cases,
}


def tables_of(expr: Call) -> str:
    seen = {
        (c.scan, c.name)
        for c in (expr.args if isinstance(expr, Call) else ())
        if isinstance(c, Column)
    }
    return ", ".join(f"v{name} AS c{scan}_{name}" for scan, name in sorted(seen))


def in_years(expr: Call) -> str:
    """Return the condition that all dates of a case lie within the years 1 to 9999: a written difference beyond."""
    seen = sorted({(c.scan, c.name) for c in expr.args if isinstance(c, Column)})
    ends = [f"year(c{s}_{n}.x) BETWEEN 1 AND 9999" for s, n in seen if n in ("t", "z")]
    return " AND ".join(ends) or "true"
