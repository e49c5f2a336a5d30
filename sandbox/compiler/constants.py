"""Rows that a question brings along: VALUES and generated series. They are public: nothing in them is anybody's."""

from datetime import datetime, timedelta

from sqlglot import exp

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.algebra import Column, ConstantColumn, Constants, Expr, Literal
from sandbox.compiler.places import quoted
from sandbox.compiler.question import Reading
from sandbox.compiler.rows import Called, Named, public_rows
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.table_value import TableValue
from sandbox.compiler.time_words import UNITS
from sandbox.compiler.types import (
    BIGINT,
    INTEGER,
    NoCommonType,
    TooWide,
    common_type,
    convert,
    is_integer,
)
from sandbox.operators import TimeUnit

ROWS_MAX = 20_000  # of VALUES or a series: as many as a release has groups
_TIMESTAMP = SqlType(TypeKind.TIMESTAMP)
_MONTHS = {TimeUnit.MONTH: 1, TimeUnit.QUARTER: 3, TimeUnit.YEAR: 12}
_SECONDS = {
    TimeUnit.WEEK: 604_800,
    TimeUnit.DAY: 86_400,
    TimeUnit.HOUR: 3_600,
    TimeUnit.MINUTE: 60,
    TimeUnit.SECOND: 1,
}


def one_row(node: exp.Expr, reading: Reading) -> TableValue:
    """Return a single row without columns of the user's: what SELECT without FROM reads."""
    return TableValue(_table(node, ("one",), (INTEGER,), ((1,),), reading).rows, ())


def values(node: exp.Values, reading: Reading) -> TableValue:
    """Return the rows of VALUES.

    Refuses: anything but constants, rows of different lengths, and columns whose values have no common type.
    """
    reader = ScalarReader(reading.sql)
    rows = [_row(item, reader) for item in node.expressions]
    if len({len(row) for row in rows}) != 1:
        raise reading.refused(
            "sql_type_mismatch", node, what="VALUES", types="rows of different lengths"
        )
    types, columns = [], []
    for column in zip(*rows, strict=True):
        try:
            type_ = common_type(column)
            columns.append([_constant(convert(e, type_), node, reading) for e in column])
        except (NoCommonType, TooWide):
            raise reading.refused(
                "sql_type_mismatch", node, what="VALUES", types="two types in one column"
            ) from None
        types.append(type_)
    named = tuple(f"col{index}" for index in range(len(types)))
    return _table(node, named, tuple(types), tuple(zip(*columns, strict=True)), reading)


def series(node: exp.GenerateSeries, reading: Reading) -> TableValue:
    """Return generate_series or range over whole numbers or instants.

    Refuses: ends and steps that are not constants, steps of 0, and more rows than ROWS_MAX.
    """
    reader = ScalarReader(reading.sql)
    start, end = (_literal(node.args[name], reader) for name in ("start", "end"))
    exclusive = bool(node.args.get("is_end_exclusive"))
    name = "range" if exclusive else "generate_series"
    step = node.args.get("step")
    if isinstance(step, exp.Interval):
        found: list[Scalar] = list(_instants(node, start, end, exclusive, reader))
        return _table(node, (name,), (_TIMESTAMP,), tuple((v,) for v in found), reading)
    amount = 1 if step is None else _whole(_literal(step, reader))
    first, last = _whole(start), _whole(end)
    if amount is None or first is None or last is None or amount == 0:
        raise _not_constant(node, reader)
    stop = last if exclusive else last + (1 if amount > 0 else -1)
    numbers = range(first, stop, amount)
    if len(numbers) > ROWS_MAX:
        raise reading.refused("sql_too_complex", node, what="generated rows", limit=ROWS_MAX)
    return _table(node, (name,), (BIGINT,), tuple((v,) for v in numbers), reading)


def _instants(
    node: exp.GenerateSeries, start: Expr, end: Expr, exclusive: bool, reader: ScalarReader
) -> list[datetime]:
    step = node.args["step"]
    unit = UNITS.get(str(step.args["unit"].this).lower()) if step.args.get("unit") else None
    text = str(step.this.this) if isinstance(step.this, exp.Literal) else ""
    amount = int(text) if text.isdecimal() and 0 < len(text) <= 6 else 0
    first, last = (_instant(end_) for end_ in (start, end))
    monthly = unit in _MONTHS
    if amount < 1 or first is None or last is None or (monthly and first.day > 28):
        raise _not_constant(node, reader)
    found: list[datetime] = []
    at = first
    while at < last or (at == last and not exclusive):
        found.append(at)
        if len(found) > ROWS_MAX:
            raise reader.refused("sql_too_complex", node, what="generated rows", limit=ROWS_MAX)
        if monthly and unit is not None:
            months = at.year * 12 + at.month - 1 + amount * _MONTHS[unit]
            at = at.replace(year=months // 12, month=months % 12 + 1)
        elif unit in _SECONDS:
            at += timedelta(seconds=amount * _SECONDS[unit])
        else:
            raise _not_constant(node, reader)
    return found


def _instant(expr: Expr) -> datetime | None:
    if not isinstance(expr, Literal):
        return None
    value = convert(expr, _TIMESTAMP)
    found = value.value if isinstance(value, Literal) else None
    return found if isinstance(found, datetime) and found.year < 9_000 else None


def _whole(expr: Expr) -> int | None:
    value = expr.value if isinstance(expr, Literal) else None
    whole = isinstance(value, int) and not isinstance(value, bool) and is_integer(expr.type)
    return value if whole and isinstance(value, int) and abs(value) < 2**53 else None


def _literal(node: exp.Expr, reader: ScalarReader) -> Expr:
    return reader.read(node)


def _not_constant(node: exp.Expr, reader: ScalarReader) -> Exception:
    return reader.refused(
        "sql_argument_refused",
        node,
        name=quoted(node),
        need="constant ends and a positive constant step",
        cure="write the ends and the step out",
    )


def _row(item: exp.Expr, reader: ScalarReader) -> tuple[Expr, ...]:
    parts = item.expressions if isinstance(item, exp.Tuple) else [item.unnest()]
    return tuple(reader.read(part) for part in parts)


def _constant(expr: Expr, node: exp.Expr, reading: Reading) -> Scalar:
    if not isinstance(expr, Literal):
        raise reading.refused(
            "sql_argument_refused",
            node,
            name="VALUES",
            need="a list of constants",
            cure="write the values out",
        )
    return expr.value


def _table(
    node: exp.Expr,
    names: tuple[str, ...],
    types: tuple[SqlType, ...],
    rows: tuple[tuple[Scalar, ...], ...],
    reading: Reading,
) -> TableValue:
    if len(rows) > ROWS_MAX:
        raise reading.refused("sql_too_complex", node, what="rows of VALUES", limit=ROWS_MAX)
    number = reading.number(node)
    columns = tuple(ConstantColumn(f"c{index}", type_) for index, type_ in enumerate(types))
    named = tuple(
        Named(name, Column(number, column.name, column.type))
        for name, column in zip(names, columns, strict=True)
    )
    relation = Constants(number, columns, rows)
    return TableValue(public_rows(relation, Called("VALUES", "?", None)), named)
