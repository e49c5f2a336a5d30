"""Whole plans over derived relations: the same bytes both ways, ready on the twin, and measured as DuckDB has it."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox import wire
from sandbox.algebra import (
    Aggregation,
    Column,
    ConstantColumn,
    Constants,
    Filter,
    Relation,
    RowAggregate,
    Scan,
)
from sandbox.boundary import DiagnosisCode, Plan
from sandbox.privacy.aggregates import Argument
from sandbox.worker import row_aggregates, twin
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import execute
from sandbox.worker.proven import unit_of
from sandbox.worker.render import render_relation, row_rendering
from sandbox.worker.row_aggregates import RowForm
from tests.unit.relation_rows import loaded, random_world
from tests.unit.relation_world import C, P, col, eq, group, inner, renumbered, same, whole
from tests.unit.test_worker_relations import PROVEN
from tests.unit.worker_world import (
    BIGINT,
    COUNT_ROWS,
    DOUBLE,
    HUGEINT,
    INTEGER,
    VARCHAR,
    WHOLE,
    Shape,
    plan_of,
)

LIMITS = EngineLimits(memory_bytes=1 << 28, threads=1)


def plan(relation: Relation, unit: int, aggregate=COUNT_ROWS) -> Plan:
    """Return a plan that measures one aggregate over all rows of a relation; each person counts at most 100 times."""
    found, number, scans = renumbered(relation, unit)
    shape = Shape((aggregate,), (), 100, 1, relation=found, scans=scans)
    made = plan_of(shape)
    return replace(made, measurement=replace(made.measurement, unit=unit_of(number)))


def verdict(found: Plan) -> DiagnosisCode:
    with open_empty(LIMITS) as rows, open_empty(LIMITS) as released:
        return twin.diagnose(found, rows, released).code


@pytest.mark.parametrize("name", PROVEN)
def test_a_plan_over_a_relation_is_ready(name):
    assert verdict(plan(*PROVEN[name])) is DiagnosisCode.READY


@pytest.mark.parametrize("name", PROVEN)
def test_a_relation_has_one_spelling(name):
    found = plan(*PROVEN[name])
    assert wire.decode_plan(wire.encode(found)) == found


def brought(rows: int, type_: SqlType = INTEGER, value: object = None) -> Constants:
    values = tuple((index if value is None else value, "長" * (index % 3)) for index in range(rows))
    columns = (ConstantColumn("n", type_), ConstantColumn('a "name"', VARCHAR))
    return Constants(1001, columns, values)  # type: ignore[arg-type]


def test_a_hundred_thousand_constants_are_rows_like_others():
    table = brought(100_000)
    found = plan(inner(Scan(P), table, eq(col(P, "age"), Column(1001, "n", INTEGER))), P)
    assert wire.decode_plan(wire.encode(found)) == found
    assert verdict(found) is DiagnosisCode.READY
    with loaded(random_world(random.Random(3))) as connection:
        connection.execute(
            "CREATE TABLE _ky_units AS SELECT 0 AS code, ''::BLOB AS unit_key LIMIT 0"
        )
        ours = execute(found.measurement, connection).moments
        theirs = connection.execute("SELECT count(*) FROM persons WHERE age < 100000").fetchall()
    assert ours == ((theirs[0][0],),)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (HUGEINT, 2**126 + 1),
        (DOUBLE, float("nan")),
        (SqlType(TypeKind.DECIMAL, 38, 5), Decimal("9" * 33 + ".12345")),
        (VARCHAR, "'; DROP TABLE persons; --"),
        (SqlType(TypeKind.BOOLEAN), True),
    ],
)
def test_a_constant_arrives_as_it_is(type_, value):
    found = plan(inner(Scan(P), brought(2, type_, value)), P)
    with loaded(random_world(random.Random(3))) as connection:
        rendering = row_rendering((), {})
        text = render_relation(brought(2, type_, value), (), rendering)
        rows = connection.execute(
            f"SELECT typeof(n), n FROM {text}", rendering.parameters
        ).fetchall()
    assert repr(rows) == repr([(str(type_), value)] * 2)
    assert verdict(found) is DiagnosisCode.READY


def test_a_constant_that_does_not_fit_is_seen_before_the_data():
    assert verdict(plan(inner(Scan(P), brought(2, INTEGER, 2**40)), P)) is DiagnosisCode.RAISES


def test_an_empty_list_of_constants_is_an_empty_relation():
    found = plan(inner(Scan(P), brought(0)), P)
    assert verdict(found) is DiagnosisCode.READY


TOTAL = Aggregation(RowAggregate.SUM, (col(C, "age"),), None, HUGEINT)
PER_PERSON = group(1000, Scan(C), (C,), (), TOTAL)


def test_a_per_person_total_is_measured():
    """sum over people of least(what they add up to, the bound): the shape of every per-person question."""
    value = Column(1000, "a0", HUGEINT)
    aggregate = (AggregateName.SUM, Argument(value, None, WHOLE, 0, 4))
    joined = Filter(inner(Scan(P), PER_PERSON, same(P, 1000)), eq(col(P, "age"), whole(1)))
    found = plan(joined, P, aggregate)
    assert verdict(found) is DiagnosisCode.READY
    for seed in range(4):
        with loaded(random_world(random.Random(seed))) as connection:
            ours = execute(found.measurement, connection).moments
            theirs = connection.execute(
                "SELECT coalesce(sum(least(total, 4)), 0) FROM persons JOIN"
                " (SELECT _ky_unit, sum(age) AS total FROM claims GROUP BY _ky_unit) USING (_ky_unit)"
                " WHERE age = 1 AND total IS NOT NULL"
            ).fetchall()
        assert ours == ((int(theirs[0][0]),),)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (
            RowForm(row_aggregates.sum_type, lambda *_: "sum(e0)::BIGINT"),
            DiagnosisCode.TYPE_DIFFERS,
        ),
        (
            RowForm(row_aggregates.sum_type, lambda *_: "sum(e0::HUGEINT << 120)"),
            DiagnosisCode.RAISES,
        ),
        (RowForm(row_aggregates.sum_type, lambda *_: "sum(no_such)"), DiagnosisCode.DOES_NOT_BIND),
    ],
)
def test_a_careless_aggregate_is_seen(form, code, monkeypatch):
    forms = {**row_aggregates.ROW_AGGREGATES, RowAggregate.SUM: form}
    monkeypatch.setattr(row_aggregates, "ROW_AGGREGATES", forms)
    aggregate = (AggregateName.SUM, Argument(Column(1000, "a0", HUGEINT), None, WHOLE, 0, 4))
    assert verdict(plan(PER_PERSON, 1000, aggregate)) is code


def test_another_type_of_a_derived_column_is_refused():
    wrong = Column(1000, "a0", BIGINT)
    aggregate = (AggregateName.SUM, Argument(wrong, None, WHOLE, 0, 4))
    assert verdict(plan(PER_PERSON, 1000, aggregate)) is DiagnosisCode.PLAN_NOT_ACCEPTED
