"""Exact aggregates over the rows of one unit, or over public rows: which there are, and the type of each.

A line here is a promise that the worker has a form of it that never raises and does not depend on the order of rows
(docs/proofs/totality.md); everything else is refused.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Aggregation, Call, Expr, Op, RowAggregate
from sandbox.compiler.places import quoted
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.scope import condition
from sandbox.compiler.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    NoCommonType,
    convert,
    is_integer,
    is_numeric,
)

_ORDER_MATTERS = "it depends on the order of rows; use min, max, arg_min or arg_max"


def _sum_type(type_: SqlType) -> SqlType:
    if is_integer(type_):
        return HUGEINT
    return SqlType(TypeKind.DECIMAL, 38, type_.scale) if type_.kind is TypeKind.DECIMAL else type_


def _same(type_: SqlType) -> SqlType:
    return type_


def _middle(type_: SqlType) -> SqlType:
    return DOUBLE if is_integer(type_) else type_


def _real(_: SqlType) -> SqlType:
    return DOUBLE


_OF_NUMBERS: Mapping[type[exp.Expr], tuple[RowAggregate, Callable[[SqlType], SqlType]]] = (
    MappingProxyType(
        {
            exp.Sum: (RowAggregate.SUM, _sum_type),
            exp.Avg: (RowAggregate.AVG, _real),
            exp.Median: (RowAggregate.MEDIAN, _middle),
            exp.Variance: (RowAggregate.VAR_SAMP, _real),
            exp.VariancePop: (RowAggregate.VAR_POP, _real),
            exp.Stddev: (RowAggregate.STDDEV_SAMP, _real),
            exp.StddevSamp: (RowAggregate.STDDEV_SAMP, _real),
            exp.StddevPop: (RowAggregate.STDDEV_POP, _real),
        }
    )
)
_OF_ANYTHING: Mapping[type[exp.Expr], RowAggregate] = MappingProxyType(
    {exp.Min: RowAggregate.MIN, exp.Max: RowAggregate.MAX, exp.Mode: RowAggregate.MODE}
)
_OF_TRUTH: Mapping[type[exp.Expr], RowAggregate] = MappingProxyType(
    {exp.LogicalAnd: RowAggregate.BOOL_AND, exp.LogicalOr: RowAggregate.BOOL_OR}
)
_OF_PAIRS: Mapping[type[exp.Expr], RowAggregate] = MappingProxyType(
    {exp.ArgMin: RowAggregate.ARG_MIN, exp.ArgMax: RowAggregate.ARG_MAX}
)


def read_aggregation(node: exp.Expr, rows: ScalarReader) -> Aggregation:
    """Return an aggregate over rows.

    Refuses: aggregates that are not on the list, and arguments of a type they do not take.
    """
    where: Expr | None = None
    call = node
    if isinstance(node, exp.Filter):
        where = condition(rows, node.expression.this)
        call = node.this
    if isinstance(call, exp.CountIf):
        counted = condition(rows, call.this)
        where = counted if where is None else Call(Op.AND, (where, counted), BOOLEAN)
        return Aggregation(RowAggregate.COUNT, (), where, BIGINT)
    if isinstance(call, exp.Count):
        return _count(call, where, rows)
    if type(call) in _OF_PAIRS:
        args = (rows.read(call.this), rows.read(call.expression))
        return Aggregation(_OF_PAIRS[type(call)], args, where, args[0].type)
    if type(call) in _OF_TRUTH:
        return Aggregation(_OF_TRUTH[type(call)], (_truth(call, rows),), where, BOOLEAN)
    if type(call) in _OF_ANYTHING:
        value = rows.read(call.this)
        return Aggregation(_OF_ANYTHING[type(call)], (value,), where, value.type)
    if type(call) in _OF_NUMBERS:
        function, result = _OF_NUMBERS[type(call)]
        value = rows.read(call.this)
        if not is_numeric(value.type):
            raise rows.refused("sql_type_mismatch", call, what=quoted(call), types=str(value.type))
        return Aggregation(function, (value,), where, result(value.type))
    raise rows.refused("sql_feature_refused", node, what=quoted(node), cure=_ORDER_MATTERS)


def _count(call: exp.Expr, where: Expr | None, rows: ScalarReader) -> Aggregation:
    argument = call.this
    if argument is None or isinstance(argument, exp.Star):
        return Aggregation(RowAggregate.COUNT, (), where, BIGINT)
    if not isinstance(argument, exp.Distinct):
        return Aggregation(RowAggregate.COUNT, (rows.read(argument),), where, BIGINT)
    if len(argument.expressions) != 1:
        raise rows.refused(
            "sql_feature_refused",
            call,
            what=quoted(call),
            cure="count the distinct values of one expression",
        )
    value = rows.read(argument.expressions[0])
    return Aggregation(RowAggregate.COUNT_DISTINCT, (value,), where, BIGINT)


def _truth(call: exp.Expr, rows: ScalarReader) -> Expr:
    try:
        return convert(rows.read(call.this), BOOLEAN)
    except NoCommonType:
        raise rows.refused(
            "sql_type_mismatch", call, what=quoted(call), types="what is no truth value"
        ) from None
