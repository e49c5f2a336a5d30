"""Dates and times, held within the years 1 to 9999: beyond them lie infinity, garbage and errors."""

from collections.abc import Set

from policies.terms import SqlType
from sandbox.algebra import Call, TimeUnit
from sandbox.worker.scalars.rendering import (
    Rendering,
    arity,
    cast_text,
    constant_integer,
    number,
    typed,
)
from sandbox.worker.sql_types import BIGINT, DATE, TIMESTAMP, NotRenderable, meet

_UNITS = frozenset(TimeUnit) - {TimeUnit.DAYOFWEEK, TimeUnit.DAYOFYEAR}
# Moved this far, every date of the years 1 to 9999 leaves them, and is still far from the engine's own limits.
_SHIFT_MAX = {
    TimeUnit.YEAR: 10_000,
    TimeUnit.QUARTER: 40_000,
    TimeUnit.MONTH: 120_000,
    TimeUnit.WEEK: 530_000,
    TimeUnit.DAY: 3_700_000,
    TimeUnit.HOUR: 89_000_000,
    TimeUnit.MINUTE: 5_300_000_000,
    TimeUnit.SECOND: 320_000_000_000,
}
# Of the years 1 to 9999, counted from 1970-01-01.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_SECONDS = 86_400
_YEARS = {
    DATE: "DATE '0001-01-01' AND DATE '9999-12-31'",
    TIMESTAMP: "TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
}


def date_trunc(rendering: Rendering, call: Call) -> str:
    """Render date_trunc; a TIMESTAMP even of a DATE, as DuckDB 2 has it."""
    typed(call, TIMESTAMP)
    (arg,) = arity(call, 1)
    text = rendering.render(arg)
    return _held(text, arg.type, f"date_trunc('{_unit(call, _UNITS)}', {text})")


def date_part(rendering: Rendering, call: Call) -> str:
    """Render date_part."""
    (arg,) = arity(call, 1)
    text = rendering.render(arg)
    part = _held(text, arg.type, f"date_part('{_unit(call, frozenset(TimeUnit))}', {text})")
    return cast_text(part, BIGINT, number(call).type)


def date_diff(rendering: Rendering, call: Call) -> str:
    """Render date_diff: boundaries of the unit crossed from the first to the second date."""
    args = arity(call, 2)
    type_ = meet(args)
    first, second = rendering.together(args)
    text = f"date_diff('{_unit(call, _UNITS)}', {first}, {second})"
    return cast_text(_held(first, type_, _held(second, type_, text)), BIGINT, number(call).type)


def date_add(rendering: Rendering, call: Call) -> str:
    """Render a date moved by a constant number of units; a TIMESTAMP unless the node is a DATE."""
    date, count = arity(call, 2)
    unit = _unit(call, _SHIFT_MAX.keys())
    shift = constant_integer(count, _SHIFT_MAX[TimeUnit(unit)])
    text = rendering.render(date)
    moved = _held(text, date.type, f"({text} + INTERVAL ({shift}) {unit})")
    if call.type not in (DATE, TIMESTAMP):
        raise NotRenderable("a moved date is a date or a timestamp")
    return cast_text(_held(moved, TIMESTAMP, moved), TIMESTAMP, call.type)


def from_epoch(rendering: Rendering, call: Call) -> str:
    """Render the day, or the instant, that lies a whole number of days or seconds after the start of 1970."""
    (count,) = arity(call, 1)
    text = cast_text(rendering.render(number(count)), count.type, BIGINT)
    if (call.unit, call.type) == (TimeUnit.DAY, DATE):
        return f"(CASE WHEN {text} BETWEEN {_FIRST_DAY} AND {_LAST_DAY} THEN DATE '1970-01-01' + CAST({text} AS INTEGER) END)"
    if (call.unit, call.type) == (TimeUnit.SECOND, TIMESTAMP):
        first, last = _FIRST_DAY * _DAY_SECONDS, (_LAST_DAY + 1) * _DAY_SECONDS - 1
        return f"(CASE WHEN {text} BETWEEN {first} AND {last} THEN make_timestamp({text} * 1000000) END)"
    raise NotRenderable("days make a date, seconds make a timestamp")


def within_years(text: str, type_: SqlType) -> str:
    """Return the condition that a date or timestamp lies within the years 1 to 9999; other types always do."""
    return f"({text} BETWEEN {_YEARS[type_]})" if type_ in _YEARS else "true"


def _held(text: str, type_: SqlType, result: str) -> str:
    if type_ not in _YEARS:
        raise NotRenderable("a date or a timestamp is needed")
    return f"(CASE WHEN {within_years(text, type_)} THEN {result} END)"


def _unit(call: Call, allowed: Set[TimeUnit]) -> str:
    if call.unit is None or call.unit not in allowed:
        raise NotRenderable(f"`{call.op}` has no such unit of time")
    return call.unit.value
