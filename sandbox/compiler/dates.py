"""Days and instants on typed expressions. Units of time are constants; amounts that shift a date are constants too."""

from policies.terms import TypeKind
from sandbox.algebra import Call, Expr, Literal, Op, TimeUnit
from sandbox.compiler import arithmetic
from sandbox.compiler.types import BIGINT, DATE, TIMESTAMP, NoCommonType, constant_as, is_temporal

SHIFT_MAX = 1_000_000  # days, months …: beyond it every result would be outside the years 1 to 9999

_ONLY_PARTS = frozenset({TimeUnit.DAYOFWEEK, TimeUnit.DAYOFYEAR})
_OF_DAY = frozenset({TimeUnit.HOUR, TimeUnit.MINUTE, TimeUnit.SECOND})


def _moment(expr: Expr) -> Expr:
    if isinstance(expr, Literal) and isinstance(expr.value, str):
        return Literal(DATE, constant_as(expr.value, DATE))
    if not is_temporal(expr.type):
        raise NoCommonType
    return expr


def part(unit: TimeUnit, subject: Expr) -> Expr:
    """Return year(subject), dayofweek(subject) …"""
    subject = _moment(subject)
    if unit in _OF_DAY and subject.type != TIMESTAMP:
        raise NoCommonType
    return Call(Op.DATE_PART, (subject,), BIGINT, unit)


def truncate(unit: TimeUnit, subject: Expr) -> Expr:
    """Return date_trunc(unit, subject): an instant, for days too, as in DuckDB 2.0."""
    if unit in _ONLY_PARTS:
        raise NoCommonType
    return Call(Op.DATE_TRUNC, (_moment(subject),), TIMESTAMP, unit)


def difference(unit: TimeUnit, start: Expr, end: Expr) -> Expr:
    """Return date_diff(unit, start, end): the number of boundaries crossed."""
    start, end = _moment(start), _moment(end)
    if unit in _ONLY_PARTS or start.type != end.type:
        raise NoCommonType
    if unit in _OF_DAY and start.type != TIMESTAMP:
        raise NoCommonType
    return Call(Op.DATE_DIFF, (start, end), BIGINT, unit)


def shift(subject: Expr, amount: int, unit: TimeUnit) -> Expr:
    """Return the subject moved by a constant interval: an instant, as in DuckDB."""
    if unit in _ONLY_PARTS or abs(amount) > SHIFT_MAX:
        raise NoCommonType
    moved = (_moment(subject), arithmetic.integer_literal(amount))
    return Call(Op.DATE_ADD, moved, TIMESTAMP, unit)


def add(a: Expr, b: Expr) -> Expr:
    """Return a + b, where one side may be a day and the other a constant number of days."""
    if a.type == DATE:
        return _add_days(a, b, 1)
    if b.type == DATE:
        return _add_days(b, a, 1)
    return arithmetic.add(a, b)


def subtract(a: Expr, b: Expr) -> Expr:
    """Return a - b: days between two days, a day moved back by a constant, or numbers."""
    if a.type == DATE and b.type == DATE:
        return arithmetic.days_between(a, b)
    if a.type == DATE:
        return _add_days(a, b, -1)
    return arithmetic.subtract(a, b)


def _add_days(day: Expr, amount: Expr, sign: int) -> Expr:
    # only a constant: `birth + person_id * 1000000` leaves the calendar for one person and not for another
    if not (isinstance(amount, Literal) and isinstance(amount.value, int)):
        raise NoCommonType
    if amount.type.kind is TypeKind.BOOLEAN or abs(amount.value) > SHIFT_MAX:
        raise NoCommonType
    moved = (day, arithmetic.integer_literal(sign * amount.value))
    return Call(Op.DATE_ADD, moved, DATE, TimeUnit.DAY)
