"""The closed list of window functions over rows of one unit: each with its type and one total form without free ties.

Statement   The windows of a relation depend on the multiset of rows of each partition, not on where the rows lie.
Reason      docs/proofs/totality.md, part 3. Rows that ORDER BY leaves tied are told apart by `_ky_n`, one numbering for all
            windows of the relation, itself by everything that a reader of the relation can see: rows it cannot tell apart
            are interchangeable. With a numbering for each window, two windows could pair such rows in two ways.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from policies.terms import SqlType
from sandbox.algebra import Frame, Literal, Windowed, WindowFunction
from sandbox.worker.row_aggregates import (
    Types,
    addable,
    count_type,
    double_of_number,
    in_value_order,
    is_wide,
    same_type,
    settled_double,
    sum_type,
)
from sandbox.worker.sql_types import BIGINT, DOUBLE, NotRenderable

NUMBER = "_ky_n"  # the number of a row among the rows of its unit
ROWS_MAX = 10**6  # how far a frame or a distance may reach


@dataclass(frozen=True, slots=True)
class _WindowForm:
    """One allowed function: its type, whether ties must be broken, and whether it takes a frame."""

    type_of: Callable[[Types], SqlType]
    breaks_ties: bool
    framed: bool


def _no_argument(types: Types) -> SqlType:
    if types:
        raise NotRenderable("the window function has no argument")
    return BIGINT


def _moved(types: Types) -> SqlType:
    if len(types) != 2:
        raise NotRenderable("the window function has a value and a distance")
    return types[0]


_F = WindowFunction
WINDOWS = MappingProxyType[WindowFunction, _WindowForm](
    {
        _F.ROW_NUMBER: _WindowForm(_no_argument, True, False),
        _F.RANK: _WindowForm(_no_argument, False, False),
        _F.DENSE_RANK: _WindowForm(_no_argument, False, False),
        _F.LAG: _WindowForm(_moved, True, False),
        _F.LEAD: _WindowForm(_moved, True, False),
        _F.FIRST_VALUE: _WindowForm(same_type, True, True),
        _F.LAST_VALUE: _WindowForm(same_type, True, True),
        _F.COUNT: _WindowForm(count_type, False, True),
        _F.SUM: _WindowForm(sum_type, False, True),
        _F.AVG: _WindowForm(double_of_number, False, True),
        _F.MIN: _WindowForm(same_type, False, True),
        _F.MAX: _WindowForm(same_type, False, True),
    }
)
_POSITIONS = (_F.LAG, _F.LEAD)
_ENDS = (_F.FIRST_VALUE, _F.LAST_VALUE)


def needs_number(window: Windowed) -> bool:
    """Tell whether ties of the query's order would show in the window's values."""
    return WINDOWS[window.function].breaks_ties or window.frame is not None


def check_window(window: Windowed) -> None:
    """Refuse (NotRenderable) a window without a total form, or of another type than DuckDB gives it."""
    form = WINDOWS[window.function]
    types = tuple(arg.type for arg in window.args)
    if form.type_of(types) != window.type:
        raise NotRenderable("a window has another type")
    if window.function in _POSITIONS:
        _distance(window)
    if window.frame is not None:
        _check_frame(window.frame, form.framed)
    whole = window.frame is None and not window.order
    if window.function in (_F.SUM, _F.AVG) and not whole and _depends_on_order(window):
        # DuckDB adds up frames in trees whose shape follows the neighbours' rows.
        raise NotRenderable("a moving sum is of whole numbers or decimals")


def _depends_on_order(window: Windowed) -> bool:
    (type_,) = (arg.type for arg in window.args)
    return type_ == DOUBLE or (window.function is _F.AVG and is_wide(type_))


def _distance(window: Windowed) -> int:
    distance = window.args[1]
    if (
        not isinstance(distance, Literal)
        or type(distance.value) is not int
        or not 0 <= distance.value <= ROWS_MAX
    ):
        raise NotRenderable("a distance is a constant number of rows")
    return distance.value


def _check_frame(frame: Frame, framed: bool) -> None:
    ends = [end for end in (frame.preceding, frame.following) if end is not None]
    if not framed or any(abs(end) > ROWS_MAX for end in ends):
        raise NotRenderable("the window has no such frame")


def render_window(
    window: Windowed, args: tuple[str, ...], partition: tuple[str, ...], order: tuple[str, ...]
) -> str:
    """Return the window over columns of these names: `partition` starts with the unit of a private relation."""
    check_window(window)
    peers = window.frame is None
    by = order if peers and not WINDOWS[window.function].breaks_ties else (*order, NUMBER)
    inside = by
    if window.function in _ENDS and peers and order:
        by = order  # the frame ends with the row's peers, among which the number decides
    over = []
    if partition:
        over.append("PARTITION BY " + ", ".join(partition))
    if by:
        over.append("ORDER BY " + ", ".join(by))
    if window.function in _ENDS and peers and not order:
        over.append(_rows(Frame(None, None)))
    if window.frame is not None:
        over.append(_rows(window.frame))
    return f"{_function(window, args, inside)} OVER ({' '.join(over)})"


def _function(window: Windowed, args: tuple[str, ...], by: tuple[str, ...]) -> str:
    name = window.function.value
    types = tuple(arg.type for arg in window.args)
    if window.function in _POSITIONS:
        return f"{name}({args[0]}, {_distance(window)})"
    if window.function in _ENDS:
        return (
            f"{name}({args[0]} ORDER BY {', '.join(by)})" if window.order else f"{name}({args[0]})"
        )
    if window.function is _F.COUNT and not args:
        return "count(*)"
    if window.function in (_F.SUM, _F.AVG) and _depends_on_order(window):
        return in_value_order(name, args[0])
    if window.function is _F.SUM:
        return f"sum({addable(args[0], types[0])})"
    if window.function in (_F.MIN, _F.MAX):
        return f"{name}({settled_double(args[0], types[0])})"
    return f"{name}({', '.join(args)})"


def _rows(frame: Frame) -> str:
    return f"ROWS BETWEEN {_end(frame.preceding, 'PRECEDING')} AND {_end(frame.following, 'FOLLOWING')}"


def _end(rows: int | None, direction: str) -> str:
    if rows is None:
        return f"UNBOUNDED {direction}"
    if rows == 0:
        return "CURRENT ROW"
    other = {"PRECEDING": "FOLLOWING", "FOLLOWING": "PRECEDING"}[direction]
    return f"{rows} {direction}" if rows > 0 else f"{-rows} {other}"
