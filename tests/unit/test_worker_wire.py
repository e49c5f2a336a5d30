"""One spelling for each message, and none for an exact aggregate."""

import json
from dataclasses import fields, replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox import wire
from sandbox.algebra import Call, Expr, Filter, Join, JoinType, Literal, Op, Scan, TimeUnit
from sandbox.boundary import (
    Cell,
    ColumnRole,
    Diagnosis,
    DiagnosisCode,
    DomainSource,
    Failure,
    GroupKey,
    IntervalMethod,
    Mechanism,
    NoiseUsed,
    Plan,
    PrivateKey,
    Release,
    ReleaseColumn,
    Selection,
    SortTerm,
    ValueSeries,
)
from sandbox.worker.execute import ExactAggregates
from tests.unit.worker_world import (
    BOOLEAN,
    CODE,
    DOUBLE,
    INCOME,
    INTEGER,
    REGION,
    VISIT_SCAN,
    Shape,
    plan_of,
    with_post,
)

SCALARS = (
    None,
    True,
    False,
    0,
    -(2**127),
    Decimal("1.20"),
    Decimal("-0.00"),
    Decimal("1E+5"),
    1.5,
    -0.0,
    float("inf"),
    5e-324,
    "",
    '长\u0000\U0001f600\\"',
    date(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
)


def full_plan() -> Plan:
    """Return a plan in which every class and every optional field of the wire occurs."""
    constants = Call(Op.IN, (INCOME, *(Literal(DOUBLE, value) for value in SCALARS)), BOOLEAN)
    moved = Call(Op.DATE_TRUNC, (REGION,), DOUBLE, TimeUnit.MONTH)
    on = Call(Op.AND, (constants, moved), BOOLEAN)
    codes = GroupKey(CODE, (), (DomainSource(CODE, ValueSeries(0, 9)),), False)
    flags = GroupKey(constants, (True, False), (), True)
    shape = Shape(
        keys=(*Shape().keys, codes, flags),
        relation=Join(JoinType.INNER, Filter(Scan(0), constants), Scan(1), on),
        scans=(VISIT_SCAN, replace(VISIT_SCAN, private=False, columns=())),
    )
    plan = plan_of(shape)
    loss = PrivacyLoss(Accountant.APPROX_ZCDP, NANO, 17)
    chosen = Selection(1, 8, 100, loss, "0x1.0000000000000p+0")
    keys = (*plan.measurement.keys, PrivateKey(INCOME))
    plan = replace(plan, measurement=replace(plan.measurement, keys=keys, selection=chosen))
    refs: list[Expr] = [output.expr for output in plan.post.outputs]
    order = (SortTerm(refs[-1], True, False),)
    return with_post(plan, *refs, having=constants, order=order, limit=7, offset=3)


def full_release() -> Release:
    loss = PrivacyLoss(Accountant.APPROX_ZCDP, NANO, 17)
    return Release(
        (ReleaseColumn(DOUBLE, ColumnRole.NOISY, IntervalMethod.SIMULATED_NOISE_LAW),),
        tuple((Cell(value, 0.25, value, None),) for value in SCALARS),
        (NoiseUsed(0, Mechanism.DISCRETE_GAUSSIAN, "0x1.0000000000000p+0", loss),),
        Selection(1, 8, 100, loss, "0x1.0000000000000p+0"),
    )


def test_every_message_survives_the_journey():
    plan, release = full_plan(), full_release()
    assert repr(wire.decode_plan(wire.encode(plan))) == repr(plan).replace("1E+5", "100000")
    assert repr(wire.decode_answer(wire.encode(release))) == repr(release).replace("1E+5", "100000")
    for failure in Failure:
        assert wire.decode_answer(wire.encode(failure)) is failure
    diagnosis = Diagnosis(DiagnosisCode.READY, 12)
    assert wire.decode_diagnosis(wire.encode_diagnosis(diagnosis)) == diagnosis


def test_nan_survives_as_nan():
    (row,) = replace(full_release(), rows=((Cell(float("nan"), None, None, None),),)).rows
    found = wire.decode_answer(wire.encode(replace(full_release(), rows=(row,))))
    assert isinstance(found, Release) and str(found.rows[0][0].value) == "nan"


@pytest.mark.parametrize(
    "secret",
    [
        ExactAggregates(((1,),), ((1,),)),
        {"$": "Release"},
        b"bytes",
        (1, 2),
        Diagnosis(DiagnosisCode.READY, 1),
        full_plan().measurement,
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_else_has_bytes(secret):
    with pytest.raises(wire.WireError):
        wire.encode(secret)


@pytest.mark.parametrize("exact", [ExactAggregates(((1,),), ((5,),)), (5,), {"a": 5}, 5, b"5"])
def test_no_field_of_a_release_smuggles_an_exact_aggregate(exact):
    """Python would let a captured worker put anything into a field; the declared types do not."""
    release = full_release()
    for name in ("columns", "rows", "noise"):
        with pytest.raises(wire.WireError):
            wire.encode(replace(release, **{name: exact}))
    for name in ("value", "deviation", "lower", "upper"):
        if name != "deviation" and exact == 5:
            continue  # a whole number is what a cell holds
        cell = replace(release.rows[0][0], **{name: exact})
        with pytest.raises(wire.WireError):
            wire.encode(replace(release, rows=((cell,),)))


def test_a_twin_and_a_query_worker_do_not_answer_for_each_other():
    with pytest.raises(wire.WireError):
        wire.encode_diagnosis(full_release())  # type: ignore[arg-type]
    with pytest.raises(wire.WireError):
        wire.decode_diagnosis(wire.encode(full_release()))
    with pytest.raises(wire.WireError):
        wire.decode_answer(wire.encode(full_plan()))
    with pytest.raises(wire.WireError):
        wire.decode_plan(wire.encode(Failure.RUN_FAILED))


def _records(raw: object) -> list[dict[str, object]]:
    if isinstance(raw, dict):
        return [raw, *(found for value in raw.values() for found in _records(value))]
    if isinstance(raw, list):
        return [found for value in raw for found in _records(value)]
    return []


def _spelled(raw: object) -> bytes:
    return json.dumps(raw, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def test_every_missing_unknown_and_mistyped_field_is_refused():
    """For each class once: remove each field, add one, and put each kind of wrong value into each field."""
    plan = full_plan()
    assert wire.decode_plan(_spelled(json.loads(wire.encode(plan)))) == plan  # the harness is right
    seen: set[str] = set()
    tried = 0
    count = len(_records(json.loads(wire.encode(plan))))
    for index in range(count):
        tag = str(_records(json.loads(wire.encode(plan)))[index]["$"])
        if tag in seen:
            continue
        seen.add(tag)
        for edit in _edits(_records(json.loads(wire.encode(plan)))[index]):
            raw = json.loads(wire.encode(plan))
            record = _records(raw)[index]
            record.clear()
            record.update(edit)
            with pytest.raises(wire.WireError):
                wire.decode_plan(_spelled(raw))
            tried += 1
    assert len(seen) >= 20 and tried > 400


def _edits(record: dict[str, object]) -> list[dict[str, object]]:
    edits: list[dict[str, object]] = [{**record, "unknown": 1}, {**record, "$": "ExactAggregates"}]
    for name in record:
        edits.append({k: v for k, v in record.items() if k != name})
        wrong: tuple[object, ...] = (
            {"$": "Scan", "index": []},
            ["int"],
            ["int", "01"],
            [["int", "01"]],
        )
        if not isinstance(record[name], str):
            wrong += ("text",)
        if not isinstance(record[name], int) or isinstance(record[name], bool):
            wrong += (7,)
        if not isinstance(record[name], bool):
            wrong += (True,)
        edits += [{**record, name: value} for value in wrong if record[name] != value]
    return edits


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b + b" ",
        lambda b: b.replace(b'{"$"', b'{ "$"', 1),
        lambda b: b.replace(b'"groups_per_unit_max":2', b'"groups_per_unit_max":2.0'),
        lambda b: b.replace(b'"groups_per_unit_max":2', b'"groups_per_unit_max":-2e0'),
        lambda b: b.replace(
            b'"groups_per_unit_max":2', b'"groups_per_unit_max":2,"groups_per_unit_max":2'
        ),
        lambda b: b.replace(b'"visits"', b'"\\u0076isits"'),
        lambda b: b.replace(b'["double","0x1.8000000000000p+0"]', b'["double","1.5"]'),
        lambda b: b.replace(b'["double","0x1.8000000000000p+0"]', b'["double","0x1.8p+0"]'),
        lambda b: b.replace(b'["decimal","1.20"]', b'["decimal","1.2e0"]'),
        lambda b: b.replace(b'["decimal","1.20"]', b'["decimal","NaN"]'),
        lambda b: b.replace(b'["int","0"]', b'["int","+0"]'),
        lambda b: b.replace(b'["date","0001-01-01"]', b'["date","00010101"]'),
        lambda b: b.replace(b'["bool","true"]', b'["bool","1"]'),
        lambda b: b.replace(b'"format":1', b'"format":NaN'),
        lambda b: b.replace(b'"format":1', b'"format":' + b"9" * 5000),
        lambda b: b.replace(b'"format":1', b'"format":' + b"9" * 90),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.replace(b"clinic", b"clini\xff"),
        lambda b: b[:-1],
        lambda b: b"",
        lambda b: b"[" * 1_000_000,
        lambda b: b" " * (wire.PLAN_BYTES_MAX + 1),
    ],
)
def test_every_other_spelling_is_refused(spoil):
    encoded = wire.encode(full_plan())
    spoiled = spoil(encoded)
    assert spoiled != encoded
    with pytest.raises(wire.WireError):
        wire.decode_plan(spoiled)


def test_depth_and_size_are_bounded():
    expr: Expr = INCOME
    for _ in range(80):
        expr = Call(Op.NOT, (expr,), BOOLEAN)
    deep = with_post(full_plan(), expr)
    assert wire.decode_plan(wire.encode(deep)) == deep
    for _ in range(40):
        expr = Call(Op.NOT, (expr,), BOOLEAN)
    with pytest.raises(wire.WireError):
        wire.encode(with_post(full_plan(), expr))
    with pytest.raises(wire.WireError):
        wire.encode(with_post(full_plan(), Literal(INTEGER, "x" * wire.PLAN_BYTES_MAX)))


@pytest.mark.parametrize("value", ["\ud800", Decimal("NaN"), Decimal("1E+99"), 10**80, object()])
def test_a_value_without_a_spelling_is_refused(value):
    with pytest.raises(wire.WireError):
        wire.encode(with_post(full_plan(), Literal(INTEGER, value)))


def test_the_digest_is_of_the_plan_and_nothing_else():
    plan = full_plan()
    assert wire.digest(plan) == wire.digest(wire.decode_plan(wire.encode(plan)))
    assert wire.digest(plan) != wire.digest(replace(plan, dataset="other"))
    assert wire.digest(plan.measurement) == wire.digest(with_post(plan).measurement)
    with pytest.raises(wire.WireError):
        wire.digest(full_release())  # type: ignore[arg-type]


def test_the_registry_holds_what_the_boundary_names_and_no_worker_type():
    homes = {cls.__module__ for cls in wire._REGISTRY.values()}
    assert homes == {"sandbox.boundary", "policies.terms", "sandbox.algebra"}
    assert {field.name for field in fields(Release)} == {
        "columns",
        "rows",
        "noise",
        "selection",
    }
    assert "ExactAggregates" not in wire._REGISTRY
