"""The type that an aggregate or a window function has over rows, as DuckDB has it; derived again for every plan."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Aggregation, Expr, Literal, RowAggregate, Windowed, WindowFunction
from sandbox.worker.sql_types import (
    BIGINT,
    BOOLEAN,
    DECIMAL_DIGITS_MAX,
    DOUBLE,
    HUGEINT,
    NotRenderable,
    decimal,
    is_integer,
    is_number,
)

DISTANCE_MAX = 10**6  # of LAG, LEAD and a frame

_Args = tuple[Expr, ...]
_Typed = Callable[[_Args], SqlType]


def aggregation_type(aggregation: Aggregation) -> SqlType:
    """Return the type of an aggregate. Refuses (NotRenderable) arguments it does not take."""
    return _AGGREGATIONS[aggregation.function](aggregation.args)


def window_type(window: Windowed) -> SqlType:
    """Return the type of a window function. Refuses (NotRenderable) arguments it does not take, and far frames."""
    frame = window.frame
    ends = () if frame is None else (frame.preceding, frame.following)
    if any(end is not None and abs(end) > DISTANCE_MAX for end in ends):
        raise NotRenderable("a frame ends near its row")
    return _WINDOWS[window.function](window.args)


def _none(args: _Args) -> SqlType:
    if args:
        raise NotRenderable("this function takes no argument")
    return BIGINT


def _one(args: _Args) -> SqlType:
    if len(args) != 1:
        raise NotRenderable("this function takes one argument")
    return args[0].type


def _two(args: _Args) -> SqlType:
    if len(args) != 2:
        raise NotRenderable("this function takes two arguments")
    return args[0].type


def _counted(args: _Args) -> SqlType:
    if len(args) > 1:
        raise NotRenderable("a count takes at most one argument")
    return BIGINT


def _distinct(args: _Args) -> SqlType:
    _one(args)
    return BIGINT


def _added(args: _Args) -> SqlType:
    type_ = _one(args)
    if is_integer(type_):
        return HUGEINT
    if type_.kind is TypeKind.DECIMAL:
        return decimal(DECIMAL_DIGITS_MAX, type_.scale)
    return _real(args)


def _real(args: _Args) -> SqlType:
    if not is_number(_one(args)):
        raise NotRenderable("a number is needed")
    return DOUBLE


def _middle(args: _Args) -> SqlType:
    type_ = _one(args)
    return type_ if type_.kind is TypeKind.DECIMAL else _real(args)


def _truth(args: _Args) -> SqlType:
    if _one(args) != BOOLEAN:
        raise NotRenderable("a condition is needed")
    return BOOLEAN


def _shifted(args: _Args) -> SqlType:
    type_ = _two(args)
    distance = args[1]
    if not isinstance(distance, Literal) or type(distance.value) is not int:
        raise NotRenderable("a distance is a constant")
    if not 0 <= distance.value <= DISTANCE_MAX:
        raise NotRenderable("a distance is short and not negative")
    return type_


_AGGREGATIONS: Mapping[RowAggregate, _Typed] = MappingProxyType(
    {
        RowAggregate.COUNT: _counted,
        RowAggregate.COUNT_DISTINCT: _distinct,
        RowAggregate.SUM: _added,
        RowAggregate.AVG: _real,
        RowAggregate.MIN: _one,
        RowAggregate.MAX: _one,
        RowAggregate.BOOL_AND: _truth,
        RowAggregate.BOOL_OR: _truth,
        RowAggregate.MEDIAN: _middle,
        RowAggregate.VAR_SAMP: _real,
        RowAggregate.VAR_POP: _real,
        RowAggregate.STDDEV_SAMP: _real,
        RowAggregate.STDDEV_POP: _real,
        RowAggregate.ARG_MIN: _two,
        RowAggregate.ARG_MAX: _two,
        RowAggregate.MODE: _one,
    }
)

_WINDOWS: Mapping[WindowFunction, _Typed] = MappingProxyType(
    {
        WindowFunction.ROW_NUMBER: _none,
        WindowFunction.RANK: _none,
        WindowFunction.DENSE_RANK: _none,
        WindowFunction.LAG: _shifted,
        WindowFunction.LEAD: _shifted,
        WindowFunction.FIRST_VALUE: _one,
        WindowFunction.LAST_VALUE: _one,
        WindowFunction.COUNT: _counted,
        WindowFunction.SUM: _added,
        WindowFunction.AVG: _real,
        WindowFunction.MIN: _one,
        WindowFunction.MAX: _one,
    }
)
