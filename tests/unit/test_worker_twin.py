"""The twin sees a broken plan before anything is spent, and says one word about it."""

import duckdb
import pytest

from sandbox import wire
from sandbox.algebra import (
    Call,
    Column,
    Filter,
    Join,
    JoinType,
    KeyRef,
    Literal,
    Op,
    Scan,
    TimeUnit,
)
from sandbox.boundary import (
    KEYS_MAX,
    Diagnosis,
    DiagnosisCode,
    DomainSource,
    GroupKey,
    Plan,
    ScanColumn,
    TableScan,
    ValueSeries,
)
from sandbox.worker import scalars, twin
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.scalars import RULES
from tests.unit.test_worker_accept import TAMPERED
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    CODE,
    COUNT_ROWS,
    DATE,
    DOUBLE,
    INCOME,
    INTEGER,
    REGION,
    TIMESTAMP,
    UNIT,
    VARCHAR,
    VISIT_SCAN,
    ZCDP,
    Shape,
    plan_of,
    with_post,
)

LIMITS = EngineLimits(memory_bytes=1 << 28, threads=1)


def diagnosis(plan: Plan) -> Diagnosis:
    with open_empty(LIMITS) as rows, open_empty(LIMITS) as released:
        return twin.diagnose(plan, rows, released)


@pytest.mark.parametrize("loss", [Shape().loss, ZCDP])
def test_a_sound_plan_is_ready(loss):
    plan = plan_of(Shape(loss=loss))
    assert diagnosis(plan) == Diagnosis(DiagnosisCode.READY, 5)
    encoded = twin.serve_twin(wire.encode(plan), LIMITS)
    assert wire.decode_diagnosis(encoded) == Diagnosis(DiagnosisCode.READY, 5)


def test_joins_with_public_tables_and_with_oneself_are_rehearsed():
    weather = TableScan("weather", False, (ScanColumn("day", DATE),))
    same = Call(Op.EQ, (UNIT, Column(1, UNIT.name, INTEGER)), BOOLEAN)
    late = Call(Op.LT, (Literal(DATE, None), Column(2, "day", DATE)), BOOLEAN)
    relation = Filter(
        Join(JoinType.INNER, Join(JoinType.INNER, Scan(0), Scan(1), same), Scan(2), late),
        Literal(BOOLEAN, True),
    )
    shape = Shape(scans=(VISIT_SCAN, VISIT_SCAN, weather), relation=relation)
    assert diagnosis(plan_of(shape)).code is DiagnosisCode.READY
    nothing_read = TableScan("calendar", False, ())
    shape = Shape(
        scans=(VISIT_SCAN, nothing_read),
        relation=Join(JoinType.INNER, Scan(0), Scan(1), Literal(BOOLEAN, True)),
    )
    assert diagnosis(plan_of(shape)).code is DiagnosisCode.READY


def filtered(condition: Call) -> Plan:
    return plan_of(Shape(aggregates=(COUNT_ROWS,), relation=Filter(Scan(0), condition)))


def test_too_many_keys_are_counted_no_further():
    key = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(1, KEYS_MAX + 1)),), False)
    found = diagnosis(plan_of(Shape(keys=(key,), aggregates=(COUNT_ROWS,))))
    assert found == Diagnosis(DiagnosisCode.TOO_MANY_KEYS, KEYS_MAX + 1)


@pytest.mark.parametrize(
    "plan",
    [
        filtered(Call(Op.LIKE, (CODE, REGION), BOOLEAN)),
        filtered(Call(Op.IS_NULL, (Call(Op.ABS, (REGION,), DOUBLE),), BOOLEAN)),
        filtered(
            Call(Op.IS_NULL, (Call(Op.DATE_TRUNC, (REGION,), TIMESTAMP, TimeUnit.DAY),), BOOLEAN)
        ),
        with_post(
            plan_of(Shape()),
            Call(Op.LENGTH, (Call(Op.NOT, (KeyRef(0, VARCHAR),), BOOLEAN),), BIGINT),
        ),
    ],
)
def test_what_does_not_bind_is_seen(plan):
    assert diagnosis(plan).code is DiagnosisCode.DOES_NOT_BIND


@pytest.mark.parametrize("tamper", ["less noise", "a moment too few", "persons joined by nothing"])
def test_a_plan_the_worker_would_refuse_is_seen(tamper):
    plan = TAMPERED[tamper](plan_of(Shape()))
    assert diagnosis(plan).code is DiagnosisCode.PLAN_NOT_ACCEPTED


def test_bytes_that_are_no_plan_are_answered():
    found = wire.decode_diagnosis(twin.serve_twin(b"{}", LIMITS))
    assert found == Diagnosis(DiagnosisCode.PLAN_NOT_ACCEPTED, 0)


LENGTH = Call(Op.LENGTH, (REGION,), BIGINT)
WHOLE = Call(Op.CAST, (INCOME,), BIGINT)
RATIO = Call(Op.INT_DIV, (Literal(BIGINT, 7), WHOLE), BIGINT)
# operator → a careless form of it: what the twin is there to find, should a proof on paper have missed it
CARELESS = {
    "a narrower type": (Op.LENGTH, LENGTH, lambda r, c: f"length({r.render(c.args[0])})::INTEGER"),
    "a cast that raises": (Op.CAST, WHOLE, lambda r, c: f"CAST({r.render(c.args[0])} AS BIGINT)"),
    "arithmetic that overflows": (
        Op.ADD,
        Call(Op.ADD, (CODE, CODE), INTEGER),
        lambda r, c: f"({r.render(c.args[0])} + {r.render(c.args[1])})",
    ),
    "a square root of text": (Op.SQRT, Call(Op.SQRT, (INCOME,), DOUBLE), lambda r, c: "sqrt('x')"),
}
SEEN = {
    "a narrower type": DiagnosisCode.TYPE_DIFFERS,
    "a cast that raises": DiagnosisCode.RAISES,
    "arithmetic that overflows": DiagnosisCode.RAISES,
    "a square root of text": DiagnosisCode.RAISES,
}


@pytest.mark.parametrize("careless", CARELESS)
def test_a_careless_form_is_seen(careless, monkeypatch):
    op, expr, form = CARELESS[careless]
    key = GroupKey(
        Call(Op.IS_NULL, (Call(Op.NULLIF, (expr, expr), expr.type),), BOOLEAN),
        (True, False),
        (),
        False,
    )
    plan = plan_of(Shape(keys=(key,), aggregates=(COUNT_ROWS,)))
    assert diagnosis(plan).code is DiagnosisCode.READY
    monkeypatch.setattr(scalars, "RULES", {**RULES, op: form})
    narrow = plan_of(Shape(keys=(GroupKey(expr, (1, 2), (), False),), aggregates=(COUNT_ROWS,)))
    found = diagnosis(narrow if careless == "a narrower type" else plan)
    assert found.code is SEEN[careless]


def test_the_engine_of_a_twin_holds_no_table_before():
    with open_empty(LIMITS) as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM visits")
