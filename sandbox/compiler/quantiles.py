"""The public grid of bins that an order statistic's answer is chosen from.

It follows from declared bounds, from how many groups are declared and from how many ranks share the release: as fine as the
time for all candidates allows, and never finer than the values.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from policies.refusals import Refused, Stage
from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Column, Expr, Literal, Op, TimeUnit
from sandbox.boundary import Rank, RankSide, StepBase
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.keys import groups_at_most
from sandbox.compiler.private_keys import Keys, declared, has_private
from sandbox.compiler.types import BIGINT, DATE, HUGEINT, INTEGER, TIMESTAMP, is_temporal
from sandbox.privacy.aggregates import CHOSEN, ORDERED, Argument, Steps
from sandbox.privacy.aggregates.quantile import sides_of
from sandbox.privacy.ranks import BINS_LEAST, BINS_MAX, CANDIDATES_MAX

_BITS = {INTEGER: 31, BIGINT: 63, HUGEINT: 127}
_DAY_SECONDS = 86_400

Span = tuple[int, int]  # the first and the last step of a declared interval
Ends = Callable[[Column], tuple[date, date] | None]  # the declared first and last day of a column


@dataclass(frozen=True, slots=True)
class Room:
    """How many groups are declared (None where they are chosen privately), and how many ranks the release looks for."""

    groups: int | None
    ranks: int


def room_for(keys: Keys, aggregates: tuple[ResolvedAggregate, ...]) -> Room:
    """Return what shares the candidates of a release, ends of intervals included."""
    chosen = [aggregate for aggregate in aggregates if aggregate.name in CHOSEN]
    ranks = sum(
        len(sides_of(_rank(aggregate, 1))) if aggregate.name in ORDERED else 1
        for aggregate in chosen
    )
    return Room(None if has_private(keys) else groups_at_most(declared(keys)), ranks)


def ranked(argument: Argument, aggregate: ResolvedAggregate, room: Room) -> Argument:
    """Return the argument of an order statistic with the rank looked for, among the finest bins there is time for.

    A mode has its choices already; there must be time for all of them.

    Any other aggregate's is returned as it is. Refuses: groups that nobody declared, and so many that each is left with too
    few bins (`too_few_bins`).
    """
    if aggregate.name not in CHOSEN:
        return argument
    if room.groups is None:
        raise Refused(
            "sql_feature_refused",
            Stage.BOUND,
            at=aggregate.at,
            what=f"{aggregate.words} over groups that nobody declared",
            cure="group by keys with declared values",
        )
    low, high = argument.row_lower, argument.row_upper
    if argument.value is not None and argument.rank is None:
        low, high = _within_type(argument.value.type, low, high)
    most = min(BINS_MAX, CANDIDATES_MAX // (room.groups * room.ranks))
    least = high - low + 1 if argument.rank is not None else min(BINS_LEAST, high - low + 1)
    if most < least:
        raise Refused(
            "too_few_bins",
            Stage.BOUND,
            at=aggregate.at,
            what=aggregate.words,
            groups=room.groups,
            limit=CANDIDATES_MAX // (room.ranks * least),
        )
    if argument.rank is not None:
        return argument
    width = -(-(high - low + 1) // most)
    return replace(argument, row_lower=low, row_upper=high, rank=_rank(aggregate, width))


def _rank(aggregate: ResolvedAggregate, width: int) -> Rank:
    fraction = aggregate.fraction
    if fraction is None:
        raise ValueError("an order statistic has a fraction")
    return Rank(fraction.numerator, fraction.denominator, RankSide.POINT, width)


def _within_type(kind: SqlType, low: int, high: int) -> Span:
    """Return the interval without what no value of the type can be."""
    if kind.kind is TypeKind.DECIMAL:
        most = 10**kind.precision - 1
    elif kind in _BITS:
        most = 2 ** _BITS[kind] - 1
    else:
        return low, high
    return max(low, -most), min(high, most)


def instants(aggregate: ResolvedAggregate, value: Expr, ends: Ends) -> Argument | None:
    """Return days or seconds since 1970 within declared bounds, or None without a declaration."""
    span = _span(value, ends)
    if span is None:
        return None
    return Argument(value, aggregate.condition, Steps(StepBase.TEN, 0), *span)


def _span(value: Expr, ends: Ends) -> Span | None:
    if isinstance(value, Column):
        found = ends(value)
        if found is None:
            return None
        return _step(found[0], value.type, False), _step(found[1], value.type, True)
    if not isinstance(value, Call) or not value.args or not is_temporal(value.args[0].type):
        return None
    inner = _span(value.args[0], ends)
    if inner is None:
        return None
    low, high = _converted(inner, value.args[0].type, value.type)
    if value.op is Op.CAST:
        return low, high
    if value.op is Op.DATE_ADD and value.unit is TimeUnit.DAY:
        days = value.args[1]
        if isinstance(days, Literal) and isinstance(days.value, int):
            moved = days.value * (1 if value.type == DATE else _DAY_SECONDS)
            return low + moved, high + moved
    return None


def _converted(span: Span, source: SqlType, target: SqlType) -> Span:
    low, high = span
    if source == target:
        return span
    if target == TIMESTAMP:
        return low * _DAY_SECONDS, high * _DAY_SECONDS
    return low // _DAY_SECONDS, high // _DAY_SECONDS


def _step(end: date, kind: SqlType, last: bool) -> int:
    """Return a declared end in days or seconds; a whole day ends with its last second."""
    if kind == DATE:
        return (date(end.year, end.month, end.day) - date(1970, 1, 1)).days
    if not isinstance(end, datetime):
        end = datetime.combine(end, time(23, 59, 59) if last else time.min)
    found = (end if end.tzinfo else end.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return found.days * _DAY_SECONDS + found.seconds
