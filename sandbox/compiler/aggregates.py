"""Aggregate syntax → `ResolvedAggregate`: which aggregate of the allow-list, of which rows, of what type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from sqlglot import exp

from policies.refusals import Position
from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Op
from sandbox.compiler.order_calls import ORDER_CLASSES, NotAnOrderCall, read_order
from sandbox.compiler.places import position, quoted
from sandbox.compiler.scope import RowReader
from sandbox.compiler.scope import condition as row_condition
from sandbox.compiler.tuples import as_one
from sandbox.compiler.types import BIGINT, BOOLEAN, DOUBLE, HUGEINT, is_integer, is_numeric
from sandbox.privacy.aggregates import AGGREGATES

_NAMES: Mapping[type[exp.Expr], AggregateName] = MappingProxyType(
    {
        exp.Count: AggregateName.COUNT,
        exp.Sum: AggregateName.SUM,
        exp.Avg: AggregateName.AVG,
        exp.VariancePop: AggregateName.VAR_POP,
        exp.Variance: AggregateName.VAR_SAMP,
        exp.StddevPop: AggregateName.STDDEV_POP,
        exp.StddevSamp: AggregateName.STDDEV_SAMP,
        exp.Stddev: AggregateName.STDDEV_SAMP,
    }
)
_PAIRS: Mapping[type[exp.Expr], AggregateName] = MappingProxyType(
    {
        exp.CovarPop: AggregateName.COVAR_POP,
        exp.CovarSamp: AggregateName.COVAR_SAMP,
        exp.Corr: AggregateName.CORR,
        exp.RegrSlope: AggregateName.REGR_SLOPE,
        exp.RegrIntercept: AggregateName.REGR_INTERCEPT,
        exp.RegrR2: AggregateName.REGR_R2,
        exp.RegrCount: AggregateName.REGR_COUNT,
        exp.RegrAvgx: AggregateName.REGR_AVGX,
        exp.RegrAvgy: AggregateName.REGR_AVGY,
        exp.RegrSxx: AggregateName.REGR_SXX,
        exp.RegrSyy: AggregateName.REGR_SYY,
        exp.RegrSxy: AggregateName.REGR_SXY,
    }
)
_TRUTHS: Mapping[type[exp.Expr], AggregateName] = MappingProxyType(
    {exp.LogicalAnd: AggregateName.BOOL_AND, exp.LogicalOr: AggregateName.BOOL_OR}
)
_ONE_ROW = (exp.ArgMin, exp.ArgMax)
_OF_ONE_ROW = "it gives back the value of one row; ask for a count, a mean or a median"
_COUNTS = (AggregateName.COUNT, AggregateName.COUNT_DISTINCT, AggregateName.REGR_COUNT)


@dataclass(frozen=True, slots=True)
class ResolvedAggregate:
    """An aggregate over rows. `value` is None for count(*); `condition` decides which rows count.

    Of an aggregate of two values `value` is their product, so that whatever is asked about it is asked about both.
    """

    name: AggregateName
    value: Expr | None
    condition: Expr | None
    type: SqlType
    words: str
    at: Position | None
    fraction: Fraction | None = None  # of an order statistic


def parts_of(aggregate: ResolvedAggregate) -> tuple[Expr, ...]:
    """Return the expressions over rows that an aggregate reads."""
    return tuple(e for e in (aggregate.value, aggregate.condition) if e is not None)


def moved(aggregate: ResolvedAggregate, move: Callable[[Expr], Expr]) -> ResolvedAggregate:
    """Return the aggregate over columns that were renamed."""
    value = None if aggregate.value is None else move(aggregate.value)
    condition = None if aggregate.condition is None else move(aggregate.condition)
    return replace(aggregate, value=value, condition=condition)


def read_aggregate(node: exp.Expr, rows: RowReader) -> ResolvedAggregate:
    """Read an aggregate call, with its FILTER.

    Refuses: DISTINCT where it would change what is added up, and values that are no numbers.
    """
    condition: Expr | None = None
    call = node
    if isinstance(node, exp.Filter):
        condition = row_condition(rows, node.expression.this)
        call = node.this
    if isinstance(call, ORDER_CLASSES):
        return _order(node, call, condition, rows)
    name, value = _name_and_value(call, rows)
    if value is None and isinstance(call, (exp.CountIf, *_TRUTHS)):
        counted = row_condition(rows, call.this)
        if name is AggregateName.BOOL_AND:  # the rows that decide are those where it is false
            counted = Call(Op.NOT, (counted,), BOOLEAN)
        condition = counted if condition is None else _both(condition, counted)
    kind = _result_type(name, value, call, rows)
    at = position(node, rows.sql)
    return ResolvedAggregate(name, value, condition, kind, quoted(node), at)


def _order(
    node: exp.Expr, call: exp.Expr, condition: Expr | None, rows: RowReader
) -> ResolvedAggregate:
    try:
        found = read_order(call)
    except NotAnOrderCall as other:
        raise rows.refused(
            "sql_argument_refused", call, name=quoted(call), need=other.need, cure=other.cure
        ) from None
    value = rows.read(found.argument)
    try:
        kind = AGGREGATES[found.name].result_type(value.type)
    except ValueError:
        raise rows.refused(
            "sql_type_mismatch", call, what=quoted(call), types=str(value.type)
        ) from None
    words, at = quoted(node), position(node, rows.sql)
    return ResolvedAggregate(found.name, value, condition, kind, words, at, found.fraction)


def _name_and_value(call: exp.Expr, rows: RowReader) -> tuple[AggregateName, Expr | None]:
    if isinstance(call, exp.CountIf) or (
        isinstance(call, exp.Count) and isinstance(call.this, (exp.Star, type(None)))
    ):
        return AggregateName.COUNT, None
    if type(call) in _TRUTHS and not isinstance(call.this, exp.Distinct):
        return _TRUTHS[type(call)], None
    if type(call) in _PAIRS and not isinstance(call.this, exp.Distinct):
        return _PAIRS[type(call)], _pair(call, rows)
    if isinstance(call, exp.ApproxDistinct):
        return AggregateName.COUNT_DISTINCT, rows.read(call.this)
    argument = call.this
    if isinstance(argument, exp.Distinct):
        if not isinstance(call, exp.Count) or len(argument.expressions) != 1:
            raise rows.refused(
                "sql_feature_refused",
                call,
                what=quoted(call),
                cure="of distinct values only a count is known",
            )
        return AggregateName.COUNT_DISTINCT, _distinct_value(argument.expressions[0], rows)
    name = _NAMES.get(type(call))
    if name is None:
        raise rows.refused(
            "sql_feature_refused",
            call,
            what=quoted(call),
            cure=_cure(call),
        )
    return name, rows.read(argument)


def _pair(call: exp.Expr, rows: RowReader) -> Expr:
    """Return the two values of a pair as a product: it stands for both, and is never computed."""
    parts = (rows.read(call.this), rows.read(call.expression))
    for part in parts:
        if not is_numeric(part.type):
            raise rows.refused("sql_type_mismatch", call, what=quoted(call), types=str(part.type))
    return Call(Op.MUL, parts, DOUBLE)


def pair_of(value: Expr) -> tuple[Expr, Expr]:
    """Return the two values of an aggregate of pairs."""
    if not isinstance(value, Call) or len(value.args) != 2:
        raise ValueError("a pair has two values")
    return value.args[0], value.args[1]


def _distinct_value(node: exp.Expr, rows: RowReader) -> Expr:
    """Return what is counted; of several values in brackets the one text that stands for all of them."""
    if isinstance(node, exp.Tuple) and node.expressions:
        return as_one(tuple(rows.read(part) for part in node.expressions))
    return rows.read(node)


def _cure(call: exp.Expr) -> str:
    return _OF_ONE_ROW if isinstance(call, _ONE_ROW) else "put an aggregate before FILTER"


def _result_type(
    name: AggregateName, value: Expr | None, call: exp.Expr, rows: RowReader
) -> SqlType:
    if name in _TRUTHS.values():
        return BOOLEAN
    if name in _COUNTS or value is None:
        return BIGINT
    if not is_numeric(value.type):
        raise rows.refused("sql_type_mismatch", call, what=quoted(call), types=str(value.type))
    if name is not AggregateName.SUM or value.type == DOUBLE:
        return DOUBLE
    if is_integer(value.type):
        return HUGEINT
    return SqlType(TypeKind.DECIMAL, 38, value.type.scale)


def _both(left: Expr, right: Expr) -> Expr:
    return Call(Op.AND, (left, right), BOOLEAN)
