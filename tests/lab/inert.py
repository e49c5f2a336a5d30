"""Widen every bound of a compiled plan until it cuts nothing: what is left must be plain SQL."""

from dataclasses import replace

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
        row_lower=-TOTAL_MAX,
        row_upper=TOTAL_MAX,
        partial_lower=-TOTAL_MAX,
        partial_upper=TOTAL_MAX,
    )


def _unheld(aggregate: NoisyAggregate) -> NoisyAggregate:
    return replace(aggregate, value_lower=-TOTAL_MAX, value_upper=TOTAL_MAX)
