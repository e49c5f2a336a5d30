"""The worker refuses every plan over grouping sets whose claims do not follow again; untouched, it is accepted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sandbox.algebra import AggregateRef, GroupingRef
from sandbox.boundary import Failure, GroupingSet, Plan
from sandbox.privacy import measurements
from sandbox.worker.accept import accept
from tests.unit.set_world import CUBE, ROLLUP, SHAPE, set_plan
from tests.unit.test_worker_accept import COLUMNS
from tests.unit.worker_world import BIGINT, ZCDP, meta_of, with_post

PLAN = set_plan(SHAPE, ROLLUP)
# COUNT, units and sum over four sets: 0 1 2 | 3 4 5 | 6 7 8 | 9 10 11
TOTAL = 9
SPARSE = set_plan(SHAPE, ROLLUP, frozenset({(0, 1), ()}))

Edit = Callable[[Plan], Plan]


def measured(**changes: object) -> Edit:
    return lambda plan: replace(plan, measurement=replace(plan.measurement, **changes))  # type: ignore[arg-type]


def moment(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        moments = list(plan.measurement.moments)
        moments[index] = replace(moments[index], **changes)  # type: ignore[arg-type]
        return measured(moments=tuple(moments))(plan)

    return edit


def resized(index: int, l1: int, l2_squared: int) -> Edit:
    """Claim another reach and pay for it correctly: only the reach itself is wrong."""

    def edit(plan: Plan) -> Plan:
        loss = plan.measurement.moments[index].loss
        scale = measurements.calibrate(loss.accountant, l1, l2_squared, loss)
        return moment(index, sensitivity_l1=l1, sensitivity_l2_squared=l2_squared, scale=scale)(
            plan
        )

    return edit


def grouping(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        sets = list(plan.measurement.sets)
        sets[index] = replace(sets[index], **changes)  # type: ignore[arg-type]
        return measured(sets=tuple(sets))(plan)

    return edit


def post(**changes: object) -> Edit:
    return lambda plan: replace(plan, post=replace(plan.post, **changes))  # type: ignore[arg-type]


FINEST = PLAN.measurement.moments[0]
LAST = PLAN.measurement.moments[TOTAL]
TAMPERED: dict[str, Edit] = {
    "the finest reach for the total": resized(
        TOTAL, FINEST.sensitivity_l1, FINEST.sensitivity_l2_squared
    ),
    "an l2 that is one smaller": resized(
        TOTAL, LAST.sensitivity_l1, LAST.sensitivity_l2_squared - 1
    ),
    "an l1 that is one smaller": resized(
        TOTAL, LAST.sensitivity_l1 - 1, (LAST.sensitivity_l1 - 1) ** 2
    ),
    "an l2 that is one larger": resized(
        0, FINEST.sensitivity_l1, FINEST.sensitivity_l2_squared + 1
    ),
    "a presence in one group of many": resized(4, 1, 1),
    "less noise for a total": moment(TOTAL, scale=(float.fromhex(LAST.scale) / 2).hex()),
    "a total of other rows": moment(TOTAL, value=PLAN.measurement.moments[2].value),
    "a total with another clip": moment(TOTAL, partial_upper=LAST.partial_upper + 1),
    "a total of another kind": moment(TOTAL, kind=PLAN.measurement.moments[1].kind),
    "sets without a name": measured(sets=()),
    "one set alone": measured(sets=PLAN.measurement.sets[:1]),
    "a set twice": grouping(3, keys=(0,)),
    "a key that is not there": grouping(3, keys=(3,)),
    "keys in disorder": grouping(1, keys=(1, 0)),
    "a key twice in a set": grouping(1, keys=(0, 0)),
    "a coarser set named as the finest": grouping(0, keys=(0,)),
    "the total called a region": grouping(3, keys=(1,)),
    "a vector of two sets": grouping(3, moments=(0, 10, 11)),
    "a vector of no set": grouping(3, moments=(None, 10, 11)),
    "sums swapped between sets": lambda plan: grouping(3, moments=(3, 10, 11))(
        grouping(1, moments=(9, 4, 5))(plan)
    ),
    "a set that says less": grouping(3, moments=(9, 10)),
    "a moment that is not there": grouping(3, moments=(12, 10, 11)),
    "a first set of later moments": lambda plan: measured(
        sets=(plan.measurement.sets[1], plan.measurement.sets[0], *plan.measurement.sets[2:])
    )(plan),
    "a set to show that is not there": post(sets=(4,)),
    "a set to show below the first": post(sets=(-1,)),
    "more repeats than a release shows": post(sets=(3,) * 65),
    "GROUPING of nothing": lambda plan: with_post(plan, GroupingRef(()), AggregateRef(0, BIGINT)),
    "GROUPING of a key that is not there": lambda plan: with_post(plan, GroupingRef((3,))),
    "GROUPING with too many bits": lambda plan: with_post(plan, GroupingRef((0,) * 33)),
}


def accepted(plan: Plan) -> Failure | None:
    return accept(plan, meta_of(plan.loss), COLUMNS)


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        SPARSE,
        set_plan(),
        set_plan(replace(SHAPE, loss=ZCDP)),
        set_plan(sets=((0, 1), (1, 2))),
        set_plan(unmeasured=frozenset(CUBE[1:])),
    ],
)
def test_what_follows_is_accepted(plan: Plan) -> None:
    assert accepted(plan) is None


@pytest.mark.parametrize("edit", TAMPERED.values(), ids=TAMPERED)
def test_what_does_not_follow_is_refused(edit: Edit) -> None:
    assert accepted(edit(PLAN)) is Failure.PLAN_NOT_ACCEPTED


def test_presences_do_not_follow_from_finer_sets() -> None:
    """A captured compiler would save the share of a total and read it off its parts."""
    sets = PLAN.measurement.sets
    less = (*sets[:3], GroupingSet((), (9, None, 10)))
    moments = (*PLAN.measurement.moments[:10], PLAN.measurement.moments[11])
    assert accepted(measured(sets=less, moments=moments)(PLAN)) is Failure.PLAN_NOT_ACCEPTED


def test_a_total_needs_parts_that_were_measured() -> None:
    plan = set_plan(SHAPE, ((0, 1), (1, 2), ()), frozenset({()}))
    assert accepted(plan) is None
    orphan = replace(plan.measurement.sets[2], keys=(0, 2))
    sets = (*plan.measurement.sets[:2], orphan)
    assert accepted(measured(sets=sets)(plan)) is Failure.PLAN_NOT_ACCEPTED


def test_grouping_is_of_rows_in_several_sets() -> None:
    plain = replace(PLAN.measurement, sets=(), moments=PLAN.measurement.moments[:3])
    assert accepted(replace(PLAN, measurement=plain)) is Failure.PLAN_NOT_ACCEPTED
