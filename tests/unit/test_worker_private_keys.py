"""Groups that nobody declared: their spelling, who counts in which, what a neighbour changes, and what a plan may claim."""

import math
import random
import struct
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from unittest.mock import patch

import pytest

from policies.terms import DELTA_UNIT, NANO, Accountant, PrivacyLoss, Scalar, SqlType, TypeKind
from sandbox import wire
from sandbox.boundary import DiagnosisCode, Failure, GroupKey, Plan, PrivateKey, Release
from sandbox.privacy import measurements
from sandbox.worker.accept import accept
from sandbox.worker.canonical_sql import canonical_sql, settled_key
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import ExactAggregates, _choose_groups, execute
from sandbox.worker.keys import canonical
from sandbox.worker.query import read_columns, read_meta, run
from sandbox.worker.sql_types import listed, name_of
from sandbox.worker.twin import diagnose
from tests.unit.selection_world import DELTA, RHO, private_plan
from tests.unit.worker_world import (
    BY_REGION,
    CODE,
    COUNT_ROWS,
    COUNT_UNITS,
    EVERYTHING,
    INCOME,
    REGION,
    SUM_COST,
    VARCHAR,
    Row,
    Shape,
    meta_of,
    snapshot,
    some_rows,
)

LIMITS = EngineLimits(memory_bytes=256 * 1024 * 1024, threads=1)
LOSS = PrivacyLoss(Accountant.APPROX_ZCDP, 2 * RHO, DELTA)
COUNTED = Shape(aggregates=(COUNT_ROWS, COUNT_UNITS))


def doubles() -> list[Scalar]:
    dice = random.Random(7)
    drawn: list[Scalar] = [struct.unpack(">d", dice.randbytes(8))[0] for _ in range(2_000)]
    edges = (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 2.0**-1022, 0.1, -1.0)
    return [*drawn, *edges, 1.7976931348623157e308, None]


VALUES: dict[SqlType, list[Scalar]] = {
    SqlType(TypeKind.DOUBLE): doubles(),
    SqlType(TypeKind.BOOLEAN): [None, True, False],
    SqlType(TypeKind.INTEGER): [None, 0, -1, 2**31 - 1, -(2**31)],
    SqlType(TypeKind.BIGINT): [None, 0, 2**63 - 1, -(2**63)],
    SqlType(TypeKind.HUGEINT): [None, 0, 2**127 - 1, -(2**127)],
    SqlType(TypeKind.DECIMAL, 38, 38): [
        None,
        Decimal(0),
        Decimal("-0.5"),
        Decimal("0." + "9" * 38),
    ],
    SqlType(TypeKind.DECIMAL, 12, 2): [
        None,
        Decimal(0),
        Decimal("-0.50"),
        Decimal("1234567890.12"),
    ],
    SqlType(TypeKind.DECIMAL, 5, 0): [Decimal(0), Decimal(-5)],
    VARCHAR: [
        None,
        "",
        "a",
        "长\U0001f600",
        "e\u0301",
        "\u00e9",
        "\u1e9b\u0323",
        "x" * 70_000,
        "\0b",
    ],
    SqlType(TypeKind.DATE): [None, date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)],
    SqlType(TypeKind.TIMESTAMP): [
        None,
        datetime(1, 1, 1),
        datetime(9999, 12, 31, 23, 59, 59, 999_999),
        datetime(2024, 2, 29, 1, 2, 3, 45),
    ],
}


@pytest.mark.parametrize("type_", VALUES, ids=str)
def test_a_key_has_one_spelling_inside_the_engine_and_outside(type_: SqlType) -> None:
    with open_empty(LIMITS) as connection:
        connection.execute(
            f"CREATE TEMP TABLE t AS SELECT unnest(CAST($v AS {name_of(type_)}[])) AS v",
            {"v": listed(VALUES[type_], type_)},
        )
        found = connection.execute(
            f"SELECT v, {canonical_sql('v', type_)} FROM (SELECT {settled_key('v', type_)} AS v FROM t)"
        ).fetchall()
    assert len(found) == len(VALUES[type_])
    for value, spelled in found:
        assert canonical(value) == spelled
    # equal bytes exactly for equal values: -0 met 0, NaN met NULL, two spellings of one letter met
    kinds = {repr(value) for value, _ in found}
    assert len({spelled for _, spelled in found}) == len(kinds)


def by_hand(rows: list[Row], column: int) -> dict[Scalar, int]:
    """Return how many units have each value, as plain Python sees it."""
    pairs = {(row[0], None if _is_nan(row[column]) else row[column]) for row in rows}
    return Counter(value for _, value in pairs)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


@pytest.mark.parametrize(("key", "column"), [(REGION, 1), (CODE, 2), (INCOME, 3)], ids=str)
def test_inert_bounds_give_the_groups_of_plain_sql(key, column: int) -> None:
    rows = some_rows(3)
    shape = replace(COUNTED, groups_per_unit_max=60, rows_per_group_max=100)
    with snapshot(rows) as connection:
        exact = execute(private_plan(shape, key).measurement, connection)
    assert exact.present is not None
    assert dict(zip((k for (k,) in exact.keys), exact.present.units, strict=True)) == by_hand(
        rows, column
    )
    assert exact.moments[1] == exact.present.units  # count(DISTINCT unit) is the presence
    assert sum(exact.moments[0]) == len(rows)
    shown = [k for (k,) in exact.keys if k is not None]
    assert shown == sorted(shown)
    assert [k for (k,) in exact.keys].index(None) == len(shown)  # NULL is a group, the last


def test_an_expression_in_two_spellings_is_one_group() -> None:
    rows: list[Row] = [("a", "e\u0301", 1, 1.0, "1", 1), ("b", "\u00e9", 1, 1.0, "1", 1)]
    with snapshot(rows) as connection:
        exact = execute(private_plan(COUNTED, REGION).measurement, connection)
    assert exact.keys == (("\u00e9",),)


def test_declared_keys_say_which_values_count() -> None:
    rows = some_rows(5)
    shape = replace(COUNTED, groups_per_unit_max=60, rows_per_group_max=100)
    with snapshot(rows) as connection:
        exact = execute(private_plan(shape, BY_REGION, CODE).measurement, connection)
    assert exact.present is not None
    assert {region for region, _ in exact.keys} == {"east", "north", "south", "west", None}
    pairs = {(row[0], row[1], row[2]) for row in rows if row[1] != "nowhere"}
    assert sum(exact.present.units) == len(pairs)


def test_a_unit_is_in_few_groups_and_keeps_them_whoever_else_is_there() -> None:
    rows = some_rows(11)
    plan = private_plan(replace(COUNTED, groups_per_unit_max=2), CODE)
    heavy = [row for row in rows if row[0] == "unit 003"]
    kept = []
    for others in ([], rows[:5], rows):
        with snapshot([*heavy, *(row for row in others if row[0] != "unit 003")]) as connection:
            execute(plan.measurement, connection)
            found = connection.execute(
                "SELECT x0 FROM _ky_chosen JOIN _ky_units ON code = u JOIN _ky_groups USING (g)"
                " WHERE unit_key = encode('unit 003')"
            ).fetchall()
            kept.append({key for (key,) in found})
    assert len(kept[0]) == 2
    assert kept[0] == kept[1] == kept[2]


def without(rows: list[Row], unit: str) -> list[Row]:
    return [row for row in rows if row[0] != unit]


def by_key(exact: ExactAggregates) -> dict[tuple[Scalar, ...], tuple[int, ...]]:
    assert exact.present is not None
    vectors = (exact.present.units, *exact.moments)
    return {key: tuple(v[i] for v in vectors) for i, key in enumerate(exact.keys)}


@pytest.mark.parametrize("seed", range(6))
def test_one_unit_moves_few_groups_and_alone_brings_about_only_groups_of_itself(seed: int) -> None:
    rows = some_rows(seed)
    plan = private_plan(
        replace(COUNTED, aggregates=EVERYTHING, groups_per_unit_max=2), REGION, CODE
    )
    measurement = plan.measurement
    with snapshot(rows) as full:
        here = by_key(execute(measurement, full))
    for unit in ("unit 003", "unit 000", rows[-1][0]):
        with snapshot(without(rows, unit)) as less:
            there = by_key(execute(measurement, less))
        nothing = (0,) * (1 + len(measurement.moments))
        moves = {
            key: [
                a - b for a, b in zip(here.get(key, nothing), there.get(key, nothing), strict=True)
            ]
            for key in here.keys() | there.keys()
        }
        assert sum(any(move) for move in moves.values()) <= 2
        assert there.keys() <= here.keys()
        for key in here.keys() - there.keys():
            assert here[key][0] == 1
        for index, moment in enumerate(measurement.moments):
            l2 = sum(move[index + 1] ** 2 for move in moves.values())
            assert l2 <= moment.sensitivity_l2_squared


def test_groups_of_too_few_units_get_no_noise_and_no_name() -> None:
    rows: list[Row] = [(f"u{i}", "many", 1, 1.0, "1", 1) for i in range(5)]
    rows.append(("u9", "few", 1, 1.0, "1", 1))
    with snapshot(rows) as connection:
        assert execute(private_plan(COUNTED, REGION, least=2).measurement, connection).keys == (
            ("many",),
        )


def many(units: int) -> list[Row]:
    rows: list[Row] = [(f"u{i}", "many", i % 3, 1.0, "1.00", 1) for i in range(units)]
    return [*rows, ("alone", "nobody else", 7, 1.0, "1.00", 1)]


def released(plan: Plan, rows: list[Row]) -> Release | Failure:
    with snapshot(rows, meta=meta_of(LOSS)) as connection, open_empty(LIMITS) as empty:
        done = run(plan, connection, empty)
        return done if isinstance(done, Failure) else done.release


def test_a_large_group_shows_and_that_of_one_unit_does_not() -> None:
    plan = private_plan(COUNTED, REGION)
    done = released(plan, many(400))
    assert isinstance(done, Release)
    assert [row[0].value for row in done.rows] == ["many"]
    assert done.selection == plan.measurement.selection
    assert wire.decode_plan(wire.encode(plan)) == plan


def test_all_that_leaves_follows_from_the_noisy_counts() -> None:
    """With the dice of both databases loaded alike, the answer about a group of one unit is the answer without it."""
    plan = private_plan(replace(COUNTED, aggregates=(COUNT_ROWS, SUM_COST)), REGION)

    def loaded(_: Accountant, __: str, totals: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(400 if total > 300 else min(total, 5) for total in totals)

    with patch.object(measurements, "draw", loaded):
        full, less = (released(plan, rows) for rows in (many(400), many(400)[:-1]))
    assert full == less
    assert isinstance(full, Release)
    assert len(full.rows) == 1


@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_the_threshold_itself_is_enough_and_one_below_is_not(distance: int) -> None:
    plan = private_plan(COUNTED, REGION)
    chosen = plan.measurement.selection
    assert chosen is not None

    def loaded(_: Accountant, __: str, totals: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(chosen.threshold + distance for _ in totals)

    with patch.object(measurements, "draw", loaded):
        done = released(plan, many(10))
    assert isinstance(done, Release)
    assert bool(done.rows) is (distance >= 0)


def claims(plan: Plan) -> list[Plan]:
    """Return plans that each claim one thing more favourable than follows."""
    measurement = plan.measurement
    chosen = measurement.selection
    assert chosen is not None
    wrong = [
        replace(chosen, threshold=chosen.threshold - 1),
        replace(chosen, threshold=chosen.threshold + 1),
        replace(chosen, units_least=0, threshold=chosen.threshold - 1),
        replace(chosen, units_least=2),
        replace(chosen, keys_max=0),
        replace(chosen, keys_max=20_001),
        replace(chosen, scale=(float.fromhex(chosen.scale) * 0.999).hex()),
        replace(chosen, scale="0x0.0p+0"),
        replace(chosen, loss=replace(chosen.loss, delta=1)),
        replace(chosen, loss=replace(chosen.loss, delta=0)),
        replace(chosen, loss=replace(chosen.loss, delta=DELTA_UNIT)),
        replace(chosen, loss=replace(chosen.loss, primary=1)),
        replace(chosen, loss=PrivacyLoss(Accountant.PURE_EPS, NANO, 0)),
        None,
    ]
    plans = [replace(plan, measurement=replace(measurement, selection=each)) for each in wrong]
    plans += [
        replace(plan, loss=replace(plan.loss, delta=DELTA - 1)),
        replace(plan, loss=replace(plan.loss, primary=2 * RHO - 10)),
        replace(plan, measurement=replace(measurement, groups_per_unit_max=1)),
        replace(plan, measurement=replace(measurement, groups_per_unit_max=3)),
        replace(plan, measurement=replace(measurement, keys=(BY_REGION,))),
        replace(plan, measurement=replace(measurement, keys=())),
        replace(plan, post=replace(plan.post, sets=(0,))),
        replace(plan, post=replace(plan.post, sets=(0, 0))),
    ]
    return plans


def test_a_worker_accepts_exactly_what_follows() -> None:
    plan = private_plan(COUNTED, REGION)
    with snapshot(some_rows(1), meta=meta_of(LOSS)) as connection:
        meta, columns = read_meta(connection), read_columns(connection)
        assert accept(plan, meta, columns) is None
        for wrong in claims(plan):
            assert accept(wrong, meta, columns) is Failure.PLAN_NOT_ACCEPTED
        dearer = meta | {"delta_per_query_max": str(DELTA - 1)}
        assert accept(plan, dearer, columns) is Failure.PLAN_NOT_ACCEPTED


def test_undeclared_groups_never_leave_without_a_choice() -> None:
    plan = private_plan(COUNTED, REGION)
    bare = replace(plan, measurement=replace(plan.measurement, selection=None))
    assert released(bare, many(9)) is Failure.PLAN_NOT_ACCEPTED
    from sandbox.worker.add_noise import add_noise

    with snapshot(many(9), meta=meta_of(LOSS)) as connection:
        exact = execute(plan.measurement, connection)
    for measurement, found in (
        (bare.measurement, exact),
        (plan.measurement, replace(exact, present=None)),
    ):
        with pytest.raises(measurements.NotProved):
            add_noise(measurement, found)


@pytest.mark.parametrize("keys", [(REGION,), (INCOME, CODE), (BY_REGION, CODE)], ids=str)
def test_the_twin_rehearses_groups_and_tells_how_many_may_show(keys: tuple) -> None:
    plan = private_plan(replace(COUNTED, aggregates=EVERYTHING), *keys)
    with open_empty(LIMITS) as rows, open_empty(LIMITS) as empty:
        found = diagnose(plan, rows, empty)
    assert (found.code, found.keys) == (DiagnosisCode.READY, 20_000)
    assert any(isinstance(key, PrivateKey | GroupKey) for key in plan.measurement.keys)


@pytest.mark.long
def test_a_unit_in_more_than_a_million_groups_has_its_choice_too() -> None:
    most, groups = 1_000_000, 1_000_001
    plan = private_plan(replace(COUNTED, groups_per_unit_max=most), CODE)
    with snapshot(many(1)) as connection:
        connection.execute(
            f"CREATE TEMP TABLE _ky_partials AS SELECT 0 AS u, g FROM range({groups}) AS found(g)"
        )
        connection.execute(
            "CREATE TEMP TABLE _ky_groups AS SELECT g, encode(g::VARCHAR) AS canon FROM _ky_partials"
        )
        _choose_groups(plan.measurement, connection)
        ((kept, different),) = connection.execute(
            "SELECT count(*), count(DISTINCT g) FROM _ky_chosen"
        ).fetchall()
    assert (kept, different) == (most, most)
