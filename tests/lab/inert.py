"""Widen every bound of a compiled plan until it cuts nothing: what is left must be plain SQL."""

from dataclasses import replace

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import TOTAL_MAX, Moment, MomentKind, NoisyAggregate, Plan

GROUPS_INERT = 2**31 - 1


def inert(plan: Plan) -> Plan:
    """Return the same plan with bounds that no row, partial, group or average reaches.

    Units    rows and partials up to TOTAL_MAX steps: beyond it a total would not fit, bounded or not.
    Refuses  nothing; but no worker accepts the result, for its claims no longer follow from each other.
    """
    measurement = plan.measurement
    moments = tuple(_widened(moment) for moment in measurement.moments)
    aggregates = tuple(_unheld(aggregate) for aggregate in plan.aggregates)
    wide = replace(measurement, groups_per_unit_max=GROUPS_INERT, moments=moments)
    return replace(plan, measurement=wide, aggregates=aggregates)


def _widened(moment: Moment) -> Moment:
    if moment.kind is MomentKind.PRESENCE:
        return moment  # 0 or 1 is what it counts, not a bound
    if moment.kind is MomentKind.RANK:
        return replace(moment, partial_upper=TOTAL_MAX)  # its bins end where its bounds do
    return replace(
        moment,
        value=_free(moment.value),
        row_lower=-TOTAL_MAX,
        row_upper=TOTAL_MAX,
        partial_lower=-TOTAL_MAX,
        partial_upper=TOTAL_MAX,
    )


def _unheld(aggregate: NoisyAggregate) -> NoisyAggregate:
    return replace(aggregate, value_lower=-TOTAL_MAX, value_upper=TOTAL_MAX)


def _free(expr: Expr) -> Expr:
    """Return an expression without the clamps that a product of two deviations holds its factors to."""
    if not isinstance(expr, Call):
        return expr
    if expr.op is Op.CASE and len(expr.args) == 5 and _clamps(expr):
        return expr.args[4]
    return replace(expr, args=tuple(map(_free, expr.args)))


def _clamps(case: Call) -> bool:
    below, low, above, high, value = case.args
    return (
        case.type
        == SqlType(TypeKind.DOUBLE)  # the clamps of exact types only keep a difference in its type
        and below == Call(Op.LT, (value, low), SqlType(TypeKind.BOOLEAN))
        and above == Call(Op.GT, (value, high), SqlType(TypeKind.BOOLEAN))
        and isinstance(low, Literal)
        and isinstance(high, Literal)
    )
