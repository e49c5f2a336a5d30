"""Bounds and domains of derived columns: declarations carried through subqueries, aggregates of one unit and windows."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import isfinite

from policies.terms import Scalar, TypeKind
from sandbox.algebra import Aggregation, Column, Expr, RowAggregate, WindowFunction, columns_of
from sandbox.boundary import DomainSource, EitherValues, ImageValues, ListedValues, ValueSeries
from sandbox.compiler.intervals import EVERYTHING, Bounds, Interval, hull, interval
from sandbox.compiler.lineage import Aggregated, Definition, Either, Listed, OverRows
from sandbox.compiler.outcomes import constant_results

Domain = tuple[ListedValues | ValueSeries | ImageValues | EitherValues, bool]
Domains = Callable[[Column], Domain | None]
Rows = Callable[
    [Definition], int | None
]  # at most so many rows of one unit are below; None for public rows

_OF_ONE_VALUE = frozenset(
    {
        RowAggregate.AVG,
        RowAggregate.MIN,
        RowAggregate.MAX,
        RowAggregate.MEDIAN,
        RowAggregate.MODE,
        RowAggregate.ARG_MIN,
        RowAggregate.ARG_MAX,
    }
)
_PICKS = _OF_ONE_VALUE - {RowAggregate.AVG, RowAggregate.MEDIAN}
_COUNTS = frozenset({RowAggregate.COUNT, RowAggregate.COUNT_DISTINCT})
_SPREADS = frozenset({RowAggregate.STDDEV_POP, RowAggregate.STDDEV_SAMP})
_SQUARES = frozenset({RowAggregate.VAR_POP, RowAggregate.VAR_SAMP})
_RANKS = frozenset({WindowFunction.ROW_NUMBER, WindowFunction.RANK, WindowFunction.DENSE_RANK})


def interval_of(definition: Definition, bounds: Bounds, rows: int | None) -> Interval:
    """Return the interval of a derived column; `rows` bounds how many rows of one unit it is computed from."""
    if isinstance(definition, Either):
        return hull((interval(definition.left, bounds), interval(definition.right, bounds)))
    if isinstance(definition, Listed):
        return of_numbers(definition.values)
    if isinstance(definition, Aggregated):
        return _of_aggregate(definition.aggregation, bounds, rows)
    if isinstance(definition, OverRows):
        windowed = definition.windowed
        if windowed.function in _RANKS:
            return Interval(Fraction(1), _whole(rows))
        if windowed.function is WindowFunction.COUNT:
            return Interval(Fraction(0), _whole(rows))
        one = interval(windowed.args[0], bounds)
        return _summed(one, rows) if windowed.function is WindowFunction.SUM else one
    return interval(definition, bounds)


def _of_aggregate(found: Aggregation, bounds: Bounds, rows: int | None) -> Interval:
    if found.function in _COUNTS:
        return Interval(Fraction(0), _whole(rows))
    if not found.args:
        return EVERYTHING
    one = interval(found.args[0], bounds)
    if found.function is RowAggregate.SUM:
        return _summed(one, rows)
    if found.function in _OF_ONE_VALUE:
        return one
    if one.low is None or one.high is None:
        return EVERYTHING
    reach = one.high - one.low
    if found.function in _SPREADS:
        return Interval(Fraction(0), reach)
    # Of two values at the ends, the sample variance is half the square of their distance; it is never larger.
    return Interval(Fraction(0), reach * reach / 2) if found.function in _SQUARES else EVERYTHING


def _summed(one: Interval, rows: int | None) -> Interval:
    if rows is None:
        return EVERYTHING
    low = None if one.low is None else min(one.low, rows * one.low)
    high = None if one.high is None else max(one.high, rows * one.high)
    return Interval(low, high)


def _whole(rows: int | None) -> Fraction | None:
    return None if rows is None else Fraction(rows)


def of_numbers(values: tuple[Scalar, ...]) -> Interval:
    """Return the interval that listed values span, if they are numbers."""
    numbers = [number for v in values if (number := _number(v)) is not None]
    return Interval(min(numbers), max(numbers)) if numbers else EVERYTHING


def _number(value: Scalar) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return Fraction(value) if not isinstance(value, float) or isfinite(value) else None


def domain_of(definition: Definition, domains: Domains, rows: int | None) -> Domain | None:
    """Return the declared values a derived column can have, and whether NULL is declared, or None without a declaration."""
    if isinstance(definition, Listed):
        values = tuple(v for v in definition.values if v is not None)
        return ListedValues(values), None in definition.values
    if isinstance(definition, Either):
        sides = (image(definition.left, domains), image(definition.right, domains))
        if sides[0] is None or sides[1] is None:
            return None
        return EitherValues((sides[0][0], sides[1][0])), sides[0][1] or sides[1][1]
    if isinstance(definition, Aggregated):
        return _aggregated(definition.aggregation, domains, rows)
    if isinstance(definition, OverRows):
        windowed = definition.windowed
        if windowed.function in _RANKS:
            return _counted(1, rows)
        if windowed.function is WindowFunction.COUNT:
            return _counted(0, rows)
        if windowed.function in (WindowFunction.SUM, WindowFunction.AVG):
            return None
        return _with_null(image(windowed.args[0], domains))
    return image(definition, domains)


def _aggregated(found: Aggregation, domains: Domains, rows: int | None) -> Domain | None:
    if found.function in _COUNTS:
        return _counted(0, rows)
    if found.type.kind is TypeKind.BOOLEAN:
        return ListedValues((False, True)), True
    picks = found.function in _PICKS and found.args
    return _with_null(image(found.args[0], domains)) if picks else None


def image(expr: Expr, domains: Domains) -> Domain | None:
    """Return the values of an expression over the declared domains of its columns."""
    if isinstance(expr, Column):
        return domains(expr)
    results = constant_results(expr)
    if results is not None:
        return ListedValues(
            tuple(dict.fromkeys(v for v in results if v is not None))
        ), None in results
    sources: list[DomainSource] = []
    with_null = False
    for column in columns_of(expr):
        found = domains(column)
        if found is None:
            return None
        sources.append(DomainSource(column, found[0]))
        with_null = with_null or found[1]
    return (ImageValues(expr, tuple(sources)), with_null) if sources else None


def _counted(first: int, rows: int | None) -> Domain | None:
    return None if rows is None else (ValueSeries(first, rows), False)


def _with_null(domain: Domain | None) -> Domain | None:
    return None if domain is None else (domain[0], True)
