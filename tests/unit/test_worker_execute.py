"""With bounds that cut nothing the exact totals are plain DuckDB's; with bounds they are what the definitions say."""

import hashlib
import hmac
import random
from dataclasses import replace

import pytest

from policies.terms import AggregateName
from sandbox.algebra import Call, Filter, Join, JoinType, Literal, Op, Scan
from sandbox.boundary import (
    STEPS_MAX,
)
from sandbox.privacy.aggregates import Argument
from sandbox.worker.execute import execute
from sandbox.worker.keys import canonical
from tests.unit.worker_world import (
    BIGINT,
    BOOLEAN,
    CENTS,
    CODE,
    COST,
    COUNT_ROWS,
    COUNT_UNITS,
    INCOME,
    REGIONS,
    SECRET,
    SUM_UNITS,
    UNIT,
    UNITS,
    VISIT_SCAN,
    WHOLE,
    Row,
    Shape,
    plan_of,
    run,
    snapshot,
    some_rows,
)

# Wide enough for the generated rows: nothing is cut.
INERT = Shape(
    aggregates=(
        COUNT_ROWS,
        COUNT_UNITS,
        (AggregateName.COUNT, Argument(INCOME, None, WHOLE, 0, 1)),
        (AggregateName.SUM, Argument(COST, None, CENTS, -(10**6), 10**6)),
        (AggregateName.SUM, Argument(UNITS, None, WHOLE, -(10**4), 10**4)),
        (
            AggregateName.SUM,
            Argument(
                COST, Call(Op.GT, (UNITS, Literal(BIGINT, 0)), BOOLEAN), CENTS, -(10**6), 10**6
            ),
        ),
    ),
    rows_per_group_max=1000,
    groups_per_unit_max=100,
)


@pytest.mark.parametrize("seed", range(4))
def test_without_bounds_the_totals_are_plain_duckdbs(seed):
    rows = some_rows(seed)
    found = run(INERT, rows)
    with snapshot(rows) as connection:
        plain = connection.execute(
            "SELECT region, count(*), count(DISTINCT _ky_unit), count(income),"
            " coalesce(sum(cost), 0) * 100, coalesce(sum(units), 0),"
            " coalesce(sum(cost) FILTER (units > 0), 0) * 100 FROM visits GROUP BY region"
        ).fetchall()
    by_region = {region: tuple(map(int, totals)) for region, *totals in plain}
    assert [region for (region,) in found.keys] == [*REGIONS, None]
    for place, (region,) in enumerate(found.keys):
        totals = tuple(vector[place] for vector in found.moments)
        assert totals == by_region.get(region, (0,) * 6)


def test_neither_threads_nor_the_order_of_rows_matter():
    """60 000 rows, so that DuckDB splits them over its threads."""
    rows = some_rows(5, 400) * 60
    shape = Shape(rows_per_group_max=40)
    first = run(shape, rows)
    random.Random(6).shuffle(rows)
    assert run(shape, rows, threads=4) == first
    assert any(any(vector) for vector in first.moments)


def test_a_query_without_keys_has_one_group():
    rows = some_rows(7)
    found = run(replace(INERT, keys=(), groups_per_unit_max=1), rows)
    assert found.keys == ((),) and found.moments[0] == (len(rows),)
    assert run(replace(INERT, keys=(), groups_per_unit_max=1), []).moments[0] == (0,)


def test_an_empty_table_gives_every_declared_key_and_zeros():
    found = run(Shape(), [])
    assert len(found.keys) == 5 and all(vector == (0,) * 5 for vector in found.moments)


def test_joins_and_filters_are_those_of_sql():
    rows = some_rows(8)
    same = Call(Op.EQ, (UNIT, replace(UNIT, scan=1)), BOOLEAN)
    near = Call(Op.LT, (CODE, replace(CODE, scan=1)), BOOLEAN)
    known = Call(Op.NOT, (Call(Op.IS_NULL, (INCOME,), BOOLEAN),), BOOLEAN)
    relation = Join(
        JoinType.INNER, Filter(Scan(0), known), Scan(1), Call(Op.AND, (same, near), BOOLEAN)
    )
    shape = replace(
        INERT, scans=(VISIT_SCAN, VISIT_SCAN), relation=relation, rows_per_group_max=10**4
    )
    found = run(shape, rows)
    with snapshot(rows) as connection:
        counts = dict(
            connection.execute(
                "SELECT a.region, count(*) FROM visits a JOIN visits b ON a._ky_unit = b._ky_unit"
                " AND a.code < b.code WHERE a.income IS NOT NULL GROUP BY a.region"
            ).fetchall()
        )
    assert found.moments[0] == tuple(counts.get(region, 0) for (region,) in found.keys)


def test_partials_are_clipped_for_each_unit_and_group():
    rows: list[Row] = [("a", "east", 1, 1.0, "5.00", 100)] * 7
    rows += [("b", "east", 1, 1.0, "-9.99", -50)] * 7
    found = run(Shape(), rows)
    place = found.keys.index(("east",))
    # two rows' worth: rows and units; costs in [-5, 20] and units in [-3, 9] a row
    assert [vector[place] for vector in found.moments[:4]] == [4, 2, 3500 - 1000, 18 - 6]


def test_kept_groups_are_the_smallest_hmacs_of_unit_key_and_group():
    """RFC 2104 by Python's own hmac; the choice is the same for every moment."""
    rows: list[Row] = [
        (f"u{i}", region, 1, 1.0, "1.00", 1) for i in range(20) for region in REGIONS
    ]
    found = run(Shape(groups_per_unit_max=2, rows_per_group_max=1), rows)
    expected: dict[object, int] = dict.fromkeys([*REGIONS, None], 0)
    for i in range(20):
        tags = {
            region: hmac.new(
                bytes.fromhex(SECRET),
                b"keyong kept groups v1\0" + f"u{i}".encode() + canonical(region),
                hashlib.sha256,
            ).hexdigest()
            for region in REGIONS
        }
        for region in sorted(REGIONS, key=tags.__getitem__)[:2]:
            expected[region] += 1
    assert found.moments[0] == tuple(expected[region] for (region,) in found.keys)
    assert sum(found.moments[0]) == 40 and found.moments[0] == found.moments[1]


def test_a_group_to_which_a_unit_adds_nothing_takes_no_place():
    """Otherwise a FILTER would waste the few groups a unit may keep."""
    rows: list[Row] = [("a", region, 1, 1.0, None, int(region == "west")) for region in REGIONS]
    only = Call(Op.GT, (UNITS, Literal(BIGINT, 0)), BOOLEAN)
    count = (AggregateName.COUNT, Argument(None, only, WHOLE, 0, 1))
    assert sum(run(Shape(aggregates=(count,), groups_per_unit_max=1), rows).moments[0]) == 1


def test_totals_are_clamped_before_the_noise():
    (moment,) = plan_of(Shape(aggregates=(SUM_UNITS,))).measurement.moments
    moment = replace(moment, row_upper=STEPS_MAX, partial_upper=2**62)
    rows: list[Row] = [(f"u{i}", "east", 1, 1.0, None, 2**62) for i in range(3)]
    with snapshot(rows) as connection:
        measurement = replace(plan_of(Shape()).measurement, moments=(moment,))
        assert max(execute(measurement, connection).moments[0]) == 3 * STEPS_MAX
        wide = replace(moment, row_upper=2**62)
        measurement = replace(measurement, moments=(wide,))
        assert max(execute(measurement, connection).moments[0]) == 2**62
