"""The worker refuses every plan whose claims do not follow again; the same plan untouched is accepted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from policies.terms import NANO, Accountant, AggregateName, PrivacyLoss
from sandbox.algebra import (
    AggregateRef,
    Call,
    Column,
    Filter,
    Join,
    JoinType,
    KeyRef,
    Literal,
    Op,
    Scan,
)
from sandbox.boundary import (
    TOTAL_MAX,
    UNIT_COLUMN,
    DomainSource,
    Failure,
    ListedValues,
    MomentKind,
    Plan,
    ScanColumn,
    StepBase,
    TableScan,
)
from sandbox.privacy import measurements
from sandbox.privacy.measurements import NotProved
from sandbox.worker.accept import accept
from sandbox.worker.add_noise import add_noise
from sandbox.worker.execute import execute
from sandbox.worker.query import read_columns, read_meta
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    BY_REGION,
    CODE,
    DOUBLE,
    INCOME,
    INTEGER,
    REGION,
    UNIT,
    VARCHAR,
    VISIT_SCAN,
    VISITS,
    ZCDP,
    Shape,
    meta_of,
    plan_of,
    snapshot,
    with_post,
)

PLAN = plan_of(Shape())
COLUMNS = {
    "visits": {**{name: str(type_) for name, type_ in VISITS.items()}, UNIT_COLUMN: "INTEGER"},
    "weather": {"region": "VARCHAR", "rain": "DOUBLE"},
    "_ky_meta": {"name": "VARCHAR", "value": "VARCHAR"},
}
WEATHER = TableScan("weather", False, (ScanColumn("rain", DOUBLE),))
SAME_UNIT = Call(Op.EQ, (UNIT, Column(1, UNIT_COLUMN, INTEGER)), BOOLEAN)
RICH = Call(Op.GT, (INCOME, Literal(DOUBLE, 1.0)), BOOLEAN)

Edit = Callable[[Plan], Plan]


def measured(**changes: object) -> Edit:
    return lambda plan: replace(plan, measurement=replace(plan.measurement, **changes))  # type: ignore[arg-type]


def moment(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        moments = list(plan.measurement.moments)
        moments[index] = replace(moments[index], **changes)  # type: ignore[arg-type]
        return measured(moments=tuple(moments))(plan)

    return edit


def aggregate(index: int, **changes: object) -> Edit:
    def edit(plan: Plan) -> Plan:
        found = list(plan.aggregates)
        found[index] = replace(found[index], **changes)  # type: ignore[arg-type]
        return replace(plan, aggregates=tuple(found))

    return edit


def key(**changes: object) -> Edit:
    return measured(keys=(replace(BY_REGION, **changes),))  # type: ignore[arg-type]


def plan(**changes: object) -> Edit:
    return lambda found: replace(found, **changes)  # type: ignore[arg-type]


def two_tables(on: Call | Literal, second: TableScan = VISIT_SCAN) -> Edit:
    return measured(scans=(VISIT_SCAN, second), relation=Join(JoinType.INNER, Scan(0), Scan(1), on))


def accepted(found: Plan) -> Failure | None:
    return accept(found, meta_of(), COLUMNS)


FIRST = PLAN.measurement.moments[0]
TAMPERED: dict[str, Edit] = {
    "another format": plan(format=2),
    "another accountant": plan(accountant=Accountant.APPROX_ZCDP),
    "a loss under another accountant": plan(loss=ZCDP),
    "a loss above the cap": plan(loss=PrivacyLoss(Accountant.PURE_EPS, NANO + 1, 0)),
    "a loss below its moments": plan(loss=PrivacyLoss(Accountant.PURE_EPS, NANO // 2, 0)),
    "a dearer moment": moment(0, loss=PrivacyLoss(Accountant.PURE_EPS, NANO, 0)),
    "a cheaper moment": moment(0, loss=PrivacyLoss(Accountant.PURE_EPS, FIRST.loss.primary - 1, 0)),
    "a moment of another accountant": moment(0, loss=replace(ZCDP, primary=FIRST.loss.primary)),
    "less noise": moment(0, scale=(float.fromhex(FIRST.scale) / 2).hex()),
    "a little less noise": moment(0, scale=(float.fromhex(FIRST.scale) * (1 - 1e-9)).hex()),
    "more noise": moment(0, scale=(float.fromhex(FIRST.scale) * 2).hex()),
    "no noise": moment(0, scale="0x0.0p+0"),
    "noise that is no number": moment(0, scale="nan"),
    "infinite noise": moment(0, scale="inf"),
    "negative noise": moment(0, scale=f"-{FIRST.scale}"),
    "another spelling of the scale": moment(0, scale=str(float.fromhex(FIRST.scale))),
    "a smaller l1": moment(0, sensitivity_l1=FIRST.sensitivity_l1 - 1),
    "a larger l1": moment(0, sensitivity_l1=FIRST.sensitivity_l1 + 1),
    "no sensitivity": moment(0, sensitivity_l1=0, sensitivity_l2_squared=0),
    "another l2": moment(0, sensitivity_l2_squared=FIRST.sensitivity_l2_squared - 1),
    "a wider partial": moment(0, partial_upper=FIRST.partial_upper + 1),
    "a partial without 0": moment(2, partial_upper=-1),
    "a lower partial that is no number of rows": moment(2, partial_lower=-1001),
    "wider rows": moment(2, row_upper=2_001),
    "rows in disorder": moment(2, row_lower=2_001),
    "rows beyond the largest step": moment(2, row_upper=TOTAL_MAX, partial_upper=TOTAL_MAX),
    "a presence that weighs more": moment(1, row_upper=2, partial_upper=2),
    "another kind": moment(1, kind=MomentKind.SUM),
    "steps that do not fit the type": moment(2, step_base=StepBase.TWO),
    "an exponent beyond all steps": moment(2, step_exponent=19),
    "a text that is summed": moment(2, value=REGION),
    "more groups for each unit": measured(groups_per_unit_max=3),
    "fewer groups for each unit": measured(groups_per_unit_max=1),
    "no groups for a unit": measured(groups_per_unit_max=0),
    "no moment": measured(moments=()),
    "a moment too few": measured(moments=PLAN.measurement.moments[:-1]),
    "the unit of no table": measured(unit=replace(UNIT, scan=1)),
    "a unit that is a column": measured(unit=CODE),
    "a unit of another type": measured(unit=replace(UNIT, type=BIGINT)),
    "a value that reads the unit code": moment(3, value=UNIT),
    "a key that reads the unit code": key(
        expr=UNIT, sources=(DomainSource(UNIT, ListedValues((1,))),)
    ),
    "a filter that reads the unit code": measured(
        relation=Filter(Scan(0), Call(Op.EQ, (UNIT, Literal(INTEGER, 7)), BOOLEAN))
    ),
    "a value above the release": moment(3, value=AggregateRef(0, BIGINT)),
    "a key above the release": key(expr=KeyRef(0, VARCHAR), sources=(), outcomes=("a",)),
    "a column the scan does not declare": moment(3, value=Column(0, "name", BIGINT)),
    "a column in another type": moment(3, value=replace(CODE, type=BIGINT)),
    "a column of a scan that is not there": moment(3, value=replace(CODE, scan=4)),
    "a table that is not there": measured(scans=(replace(VISIT_SCAN, table="patients"),)),
    "our own table": two_tables(SAME_UNIT, TableScan("_ky_meta", False, ())),
    "our own table in capitals": two_tables(SAME_UNIT, TableScan("_KY_META", False, ())),
    "a private table called public": measured(scans=(replace(VISIT_SCAN, private=False),)),
    "a public table called private": two_tables(SAME_UNIT, replace(WEATHER, private=True)),
    "a column of another type": measured(
        scans=(replace(VISIT_SCAN, columns=(ScanColumn("region", INTEGER),)),)
    ),
    "the unit column as a column": measured(
        scans=(
            replace(VISIT_SCAN, columns=(*VISIT_SCAN.columns, ScanColumn(UNIT_COLUMN, INTEGER))),
        )
    ),
    "a table scanned twice": measured(relation=Join(JoinType.INNER, Scan(0), Scan(0), RICH)),
    "a table never scanned": measured(scans=(VISIT_SCAN, WEATHER)),
    "persons joined by nothing": two_tables(Literal(BOOLEAN, True)),
    "persons joined by a column": two_tables(Call(Op.EQ, (CODE, replace(CODE, scan=1)), BOOLEAN)),
    "persons joined by unequal units": two_tables(replace(SAME_UNIT, op=Op.NE)),
    "persons joined by units or else": two_tables(Call(Op.OR, (SAME_UNIT, RICH), BOOLEAN)),
    "persons joined by not their units": two_tables(Call(Op.NOT, (SAME_UNIT,), BOOLEAN)),
    "persons joined by no distinct units": two_tables(replace(SAME_UNIT, op=Op.IS_DISTINCT)),
    "persons joined by the unit and a column": two_tables(
        Call(Op.EQ, (UNIT, replace(CODE, scan=1)), BOOLEAN)
    ),
    "a key with constants and sources": key(outcomes=("a",)),
    "a key without its source": key(sources=()),
    "a key with another source": key(sources=(DomainSource(CODE, ListedValues((1,))),)),
    "an aggregate of a moment that is not there": aggregate(0, moments=(9,)),
    "an aggregate of a negative moment": aggregate(0, moments=(-1,)),
    "an aggregate of another kind of moment": aggregate(0, moments=(1,)),
    "an average without a count": aggregate(4, moments=(4,)),
    "an average over a sum of money": aggregate(4, moments=(4, 2)),
    "a count of money": aggregate(0, moments=(2,)),
    "another name": aggregate(0, name=AggregateName.AVG),
    "another type": aggregate(0, type=INTEGER),
    "an interval in disorder": aggregate(4, value_lower=1601),
    "a column of a table above the release": lambda found: with_post(found, CODE),
    "a condition on a row above the release": lambda found: with_post(found, having=RICH),
    "a key that is not there": lambda found: with_post(found, KeyRef(1, VARCHAR)),
    "a key in another type": lambda found: with_post(found, KeyRef(0, BIGINT)),
    "an aggregate that is not there": lambda found: with_post(found, AggregateRef(5, BIGINT)),
    "a condition that is a number": lambda found: with_post(found, having=AggregateRef(0, BIGINT)),
    "a negative limit": lambda found: with_post(found, limit=-1),
    "a negative offset": lambda found: with_post(found, offset=-1),
    "an answer without columns": lambda found: replace(found, post=replace(found.post, outputs=())),
}


def test_the_untouched_plan_is_accepted():
    assert accepted(PLAN) is None


@pytest.mark.parametrize("tamper", TAMPERED)
def test_a_tampered_plan_is_refused(tamper):
    tampered = TAMPERED[tamper](PLAN)
    assert tampered != PLAN
    assert accepted(tampered) is Failure.PLAN_NOT_ACCEPTED


ACCEPTED: dict[str, Edit] = {
    "persons joined by their units": two_tables(SAME_UNIT),
    "by their units and more": two_tables(Call(Op.AND, (RICH, SAME_UNIT), BOOLEAN)),
    "by a filter above the join": measured(
        scans=(VISIT_SCAN, VISIT_SCAN),
        relation=Filter(Join(JoinType.INNER, Scan(1), Scan(0), Literal(BOOLEAN, True)), SAME_UNIT),
    ),
    "with a public table": two_tables(Literal(BOOLEAN, True), WEATHER),
    "a constant key": key(expr=Literal(VARCHAR, "all"), sources=()),
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_a_sound_form_is_accepted(form):
    assert accepted(ACCEPTED[form](PLAN)) is None


@pytest.mark.parametrize(
    ("name", "value", "failure"),
    [
        ("dataset", "other", Failure.SNAPSHOT_MISMATCH),
        ("snapshot", "cd" * 32, Failure.SNAPSHOT_MISMATCH),
        ("format_version", "2", Failure.PLAN_NOT_ACCEPTED),
        ("accountant", "approx_zcdp", Failure.PLAN_NOT_ACCEPTED),
        ("accountant", "none", Failure.PLAN_NOT_ACCEPTED),
        ("loss_per_query_max", str(NANO - 1), Failure.PLAN_NOT_ACCEPTED),
        ("loss_per_query_max", "much", Failure.PLAN_NOT_ACCEPTED),
    ],
)
def test_the_snapshot_has_the_last_word(name, value, failure):
    assert accept(PLAN, {**meta_of(), name: value}, COLUMNS) is failure
    missing = {k: v for k, v in meta_of().items() if k != name}
    assert accept(PLAN, missing, COLUMNS) is Failure.PLAN_NOT_ACCEPTED


def test_delta_is_capped_too():
    loss = replace(ZCDP, delta=10)
    found = plan_of(Shape(loss=loss))
    assert accept(found, meta_of(loss), COLUMNS) is None
    assert accept(found, meta_of(ZCDP), COLUMNS) is Failure.PLAN_NOT_ACCEPTED


def test_accept_reads_what_the_snapshot_stores():
    connection = snapshot([("a", "north", 1, 2.0, "3.00", 4)])
    assert accept(PLAN, read_meta(connection), read_columns(connection)) is None
    connection.execute("ALTER TABLE visits DROP COLUMN _ky_unit")
    failure = accept(PLAN, read_meta(connection), read_columns(connection))
    assert failure is Failure.PLAN_NOT_ACCEPTED


def test_noise_is_proved_again_at_the_draw():
    """A plan that slipped past `accept` still gets no noise it did not pay for."""
    exact = execute(PLAN.measurement, snapshot([("a", "north", 1, 2.0, "3.00", 4)]))
    assert add_noise(PLAN.measurement, exact).keys == exact.keys
    for edit in (TAMPERED["a little less noise"], TAMPERED["no noise"], TAMPERED["no sensitivity"]):
        with pytest.raises(NotProved):
            add_noise(edit(PLAN).measurement, exact)
    with pytest.raises(NotProved):
        add_noise(TAMPERED["a moment too few"](PLAN).measurement, exact)


def test_a_scale_is_compared_bit_for_bit():
    """The next float up would cost less, and is still refused: one plan, one digest, one distribution."""
    scale = float.fromhex(FIRST.scale)
    loss = FIRST.loss
    more = (scale * (1 + 2**-50)).hex()
    measurements.prove(
        loss.accountant, FIRST.sensitivity_l1, FIRST.sensitivity_l2_squared, more, loss
    )
    assert accepted(moment(0, scale=more)(PLAN)) is Failure.PLAN_NOT_ACCEPTED
