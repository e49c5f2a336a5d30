"""Aggregates and window functions over released rows, as SQL that has one value whatever the rows hold.

Reason      DuckDB stops where a sum of whole numbers or decimals leaves 38 digits, gives a sum of DOUBLE in the order of
            threads, and lets ties fall as they come. A release must come out, and the same one each time.
Units       A sum, an average or a median with a term beyond 10**28 steps of its type is NULL.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from policies.terms import SqlType, TypeKind
from sandbox.algebra import (
    Aggregation,
    Expr,
    Frame,
    Literal,
    RowAggregate,
    RowOrder,
    Windowed,
    WindowFunction,
)
from sandbox.worker.scalars import Rendering
from sandbox.worker.sql_types import BOOLEAN, DOUBLE, NotRenderable, is_integer, name_of

_CALM_DIGITS = 28  # 2**32 terms of them stay within 38 digits
_SHORT = (TypeKind.BOOLEAN, TypeKind.INTEGER, TypeKind.BIGINT)

_Form = Callable[[str, SqlType, str], str]  # (argument, its type, what follows the call) → SQL


def aggregation_text(aggregation: Aggregation, rendering: Rendering) -> str:
    """Return an aggregate over the rows of a group."""
    suffix = ""
    if aggregation.where is not None:
        suffix = f" FILTER (WHERE {rendering.render(aggregation.where)})"
    args = tuple(rendering.render(arg) for arg in aggregation.args)
    function = aggregation.function
    if function in (RowAggregate.ARG_MIN, RowAggregate.ARG_MAX):
        # Of rows with the same `by` the one with the least value, not the one that came first.
        return f"{function.value}({args[0]}, {args[1]} ORDER BY {args[1]}, {args[0]}){suffix}"
    if not args:
        return f"count(*){suffix}"
    return _FORMS[function.value](args[0], aggregation.args[0].type, suffix)


def window_text(
    window: Windowed, rendering: Rendering, ties: tuple[str, ...], draw: str | None
) -> str:
    """Return a window function; `ties` are columns that tell every two rows of a partition apart."""
    partition = [rendering.render(expr) for expr in window.partition] + ([draw] if draw else [])
    order = order_terms(window.order, rendering)
    by = f"PARTITION BY {', '.join(partition)} " if partition else ""
    frame = _frame(window.frame)
    # Ranks and running totals treat equal rows alike; what depends on which row comes first gets a total order.
    total = window.frame is not None or window.function in _POSITIONAL
    ordered = ", ".join([*order, *ties] if total else order)
    over = f" OVER ({by}{'ORDER BY ' + ordered if ordered else ''}{frame})"
    return _call(window, rendering, over, ", ".join([*order, *ties]))


def order_terms(terms: tuple[RowOrder, ...], rendering: Rendering) -> list[str]:
    """Return the terms of an order."""
    return [
        f"{rendering.render(term.expr)} {'DESC' if term.descending else 'ASC'}"
        f" NULLS {'FIRST' if term.nulls_first else 'LAST'}"
        for term in terms
    ]


def ordered_by(terms: tuple[RowOrder, ...], ties: tuple[str, ...], rendering: Rendering) -> str:
    """Return the clause of a total order; of a single row there is none."""
    parts = [*order_terms(terms, rendering), *ties]
    return f" ORDER BY {', '.join(parts)}" if parts else ""


def _call(window: Windowed, rendering: Rendering, over: str, first: str) -> str:
    args = window.args
    function = window.function
    if not args:
        star = "*" if function is WindowFunction.COUNT else ""
        return f"{function.value}({star}){over}"
    text = rendering.render(args[0])
    if function in (WindowFunction.LAG, WindowFunction.LEAD):
        return f"{function.value}({text}, {_whole(args[1])}){over}"
    if function in (WindowFunction.FIRST_VALUE, WindowFunction.LAST_VALUE):
        inner = f" ORDER BY {first}" if first and window.frame is None else ""
        return f"{function.value}({text}{inner}){over}"
    return _FORMS[function.value](text, args[0].type, over)


def _whole(expr: Expr) -> int:
    if not isinstance(expr, Literal) or type(expr.value) is not int:
        raise NotRenderable("a distance is a constant")
    return expr.value


def _frame(frame: Frame | None) -> str:
    if frame is None:
        return ""
    first = _end(frame.preceding, "PRECEDING", "FOLLOWING")
    return f" ROWS BETWEEN {first} AND {_end(frame.following, 'FOLLOWING', 'PRECEDING')}"


def _end(distance: int | None, ahead: str, behind: str) -> str:
    if distance is None:
        return f"UNBOUNDED {ahead}"
    if distance == 0:
        return "CURRENT ROW"
    return f"{abs(distance)} {ahead if distance > 0 else behind}"


def _plain(name: str) -> _Form:
    return lambda x, _, suffix: f"{name}({x}){suffix}"


def _ordered(name: str) -> _Form:
    """A function of DOUBLE whose last bits depend on the order of its terms: they come in the order of their values."""
    return lambda x, type_, suffix: f"{name}({_real(x, type_)} ORDER BY {_real(x, type_)}){suffix}"


def _guarded(name: str) -> _Form:
    """An exact function of whole numbers or decimals, kept from overflowing."""

    def form(x: str, type_: SqlType, suffix: str) -> str:
        if type_ == DOUBLE:
            return f"{name}({x} ORDER BY {x}){suffix}"
        calm = _calm(x, type_)
        if calm is None:
            return f"{name}({x}){suffix}"
        found = f"{name}(CASE WHEN {calm} THEN {x} END){suffix}"
        return f"(CASE WHEN coalesce(bool_and({calm}){suffix}, true) THEN {found} END)"

    return form


def _middle(x: str, type_: SqlType, suffix: str) -> str:
    if type_.kind is not TypeKind.DECIMAL:
        return f"median({_real(x, type_)}){suffix}"
    return _guarded("median")(x, type_, suffix)


def _real(x: str, type_: SqlType) -> str:
    return x if type_ == DOUBLE else f"TRY_CAST({x} AS DOUBLE)"


def _calm(x: str, type_: SqlType) -> str | None:
    """Return the test that a term is small enough to be added up, None where the type says so."""
    if type_.kind in _SHORT or (type_.kind is TypeKind.DECIMAL and type_.precision <= _CALM_DIGITS):
        return None
    if not is_integer(type_) and type_.kind is not TypeKind.DECIMAL:
        raise NotRenderable("a number is needed")
    most = format(Decimal(1).scaleb(_CALM_DIGITS - type_.scale), "f")
    limit = f"CAST('{most}' AS {name_of(type_)})"
    return f"({x} BETWEEN -{limit} AND {limit})"


def _truth(name: str) -> _Form:
    def form(x: str, type_: SqlType, suffix: str) -> str:
        if type_ != BOOLEAN:
            raise NotRenderable("a condition is needed")
        return f"{name}({x}){suffix}"

    return form


_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "count": _plain("count"),
        "count_distinct": lambda x, _, suffix: f"count(DISTINCT {x}){suffix}",
        "sum": _guarded("sum"),
        "avg": _guarded("avg"),
        "min": _plain("min"),
        "max": _plain("max"),
        "bool_and": _truth("bool_and"),
        "bool_or": _truth("bool_or"),
        "median": _middle,
        "var_samp": _ordered("var_samp"),
        "var_pop": _ordered("var_pop"),
        "stddev_samp": _ordered("stddev_samp"),
        "stddev_pop": _ordered("stddev_pop"),
        "mode": lambda x, _, suffix: f"mode({x} ORDER BY {x}){suffix}",
    }
)

_POSITIONAL = (WindowFunction.ROW_NUMBER, WindowFunction.LAG, WindowFunction.LEAD)
