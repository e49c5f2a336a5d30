"""Plans over grouping sets of region, code and whether the cost is high, with the claims that follow."""

from dataclasses import replace

from sandbox.algebra import AggregateRef, Call, Expr, GroupingRef, KeyRef, Literal, Op
from sandbox.boundary import (
    DomainSource,
    GroupingSet,
    GroupKey,
    Moment,
    MomentKind,
    Plan,
    ValueSeries,
)
from sandbox.privacy import measurements
from sandbox.privacy.composition import split
from sandbox.privacy.consistency import Keys
from sandbox.privacy.contribution import set_sensitivity
from sandbox.privacy.grouping import reach_of
from tests.unit.worker_world import (
    BOOLEAN,
    BY_REGION,
    CODE,
    COST,
    COUNT_ROWS,
    COUNT_UNITS,
    MONEY,
    PURE,
    SUM_UNITS,
    Shape,
    plan_of,
    with_post,
)

BY_CODE = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(0, 2)),), False)
IS_DEAR = Call(Op.GT, (COST, Literal(MONEY, 10)), BOOLEAN)
BY_DEAR = GroupKey(IS_DEAR, (False, True), (), True)
KEYS = (BY_REGION, BY_CODE, BY_DEAR)
CUBE: tuple[Keys, ...] = ((0, 1, 2), (0, 1), (0, 2), (1, 2), (0,), (1,), (2,), ())
ROLLUP: tuple[Keys, ...] = ((0, 1, 2), (0, 1), (0,), ())
SHAPE = Shape(
    aggregates=(COUNT_ROWS, COUNT_UNITS, SUM_UNITS),
    keys=KEYS,
    rows_per_group_max=2,
    groups_per_unit_max=4,
)


def set_plan(
    shape: Shape = SHAPE,
    sets: tuple[Keys, ...] = CUBE,
    unmeasured: frozenset[Keys] = frozenset(),
    shown: tuple[int, ...] = (),
) -> Plan:
    """Return a plan over grouping sets; sums are not measured in the `unmeasured` ones."""
    plain = plan_of(shape)
    base = plain.measurement.moments
    count = sum(
        keys not in unmeasured or moment.kind is MomentKind.PRESENCE
        for keys in sets
        for moment in base
    )
    loss = split(shape.loss, count)[0]
    moments: list[Moment] = []
    groupings = []
    for keys in sets:
        places: list[int | None] = []
        for moment in base:
            left_out = keys in unmeasured and moment.kind is not MomentKind.PRESENCE
            places.append(None if left_out else len(moments))
            if not left_out:
                reach = reach_of(shape.keys, shape.groups_per_unit_max, keys)
                moved = set_sensitivity(
                    moment.kind, moment.partial_lower, moment.partial_upper, reach
                )
                scale = measurements.calibrate(loss.accountant, moved.l1, moved.l2_squared, loss)
                moments.append(
                    replace(
                        moment,
                        sensitivity_l1=moved.l1,
                        sensitivity_l2_squared=moved.l2_squared,
                        loss=loss,
                        scale=scale,
                    )
                )
        groupings.append(GroupingSet(keys, tuple(places)))
    measurement = replace(plain.measurement, moments=tuple(moments), sets=tuple(groupings))
    outputs: list[Expr] = [
        *(KeyRef(index, key.expr.type) for index, key in enumerate(shape.keys)),
        GroupingRef(tuple(range(len(shape.keys)))),
        *(AggregateRef(index, found.type) for index, found in enumerate(plain.aggregates)),
    ]
    return with_post(replace(plain, measurement=measurement), *outputs, sets=shown)


__all__ = ["BY_CODE", "CUBE", "KEYS", "PURE", "ROLLUP", "SHAPE", "set_plan"]
