"""Which column is used for what: the facts a policy judges."""

from policies.terms import ColumnUse
from sandbox.algebra import Call, Column, Expr, Op, columns_of

_CONDITIONS = frozenset(
    {
        Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE, Op.IS_NULL, Op.IS_DISTINCT, Op.IN, Op.LIKE,
        Op.ILIKE, Op.STARTS_WITH, Op.CONTAINS, Op.IS_NAN,
    }
)  # fmt: skip

Uses = list[tuple[Column, ColumnUse]]


def uses_of(expr: Expr, use: ColumnUse) -> Uses:
    """Return every column of the expression with one use."""
    return [(column, use) for column in columns_of(expr)]


def aggregate_uses(
    value: Expr | None, condition: Expr | None, distinct: bool, counted: bool
) -> Uses:
    """Return the uses of an aggregate: what is summed is aggregated, what decides which rows count filters."""
    found: Uses = uses_of(condition, ColumnUse.FILTER) if condition is not None else []
    if value is None:
        return found
    if distinct:
        return found + uses_of(value, ColumnUse.COUNT_DISTINCT)
    if counted:
        return found + uses_of(value, ColumnUse.FILTER)
    return found + _value_uses(value)


def _value_uses(expr: Expr) -> Uses:
    if isinstance(expr, Column):
        return [(expr, ColumnUse.AGGREGATE)]
    if not isinstance(expr, Call):
        return []
    if expr.op in _CONDITIONS:
        return uses_of(expr, ColumnUse.FILTER)
    if expr.op is Op.CASE:
        found: Uses = []
        for index, arg in enumerate(expr.args):
            decides = index % 2 == 0 and index + 1 < len(expr.args)
            found += uses_of(arg, ColumnUse.FILTER) if decides else _value_uses(arg)
        return found
    return [use for arg in expr.args for use in _value_uses(arg)]
