"""Spreads and pairs: DuckDB's values where nothing is cut, claims that hold for neighbours, and no bent claim accepted."""

from collections.abc import Callable
from dataclasses import replace
from math import isclose

import pytest

from policies.terms import AggregateName
from sandbox.algebra import AggregateRef
from sandbox.boundary import Moment, NoisyAggregate, Plan
from sandbox.privacy.aggregates import Argument
from sandbox.privacy.aggregates.centred import centred_moment, reach, square_moment
from sandbox.privacy.aggregates.pairs import PAIRED, Pair
from sandbox.privacy.aggregates.sum import SUM, derived_moments, worth_deriving
from sandbox.privacy.contribution import bound_partials, sensitivity
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process
from tests.unit.test_worker_accept import accepted
from tests.unit.test_worker_neighbours import holds
from tests.unit.worker_world import (
    CENTS,
    COST,
    COUNT_ROWS,
    INCOME,
    SIXTEENTHS,
    UNITS,
    WHOLE,
    Row,
    Shape,
    plan_of,
    snapshot,
    some_rows,
)

OF_INCOME = Argument(INCOME, None, SIXTEENTHS, 0, 100 * 16)
OF_COST = Argument(COST, None, CENTS, -1_000, 9_000)
OF_UNITS = Argument(UNITS, None, WHOLE, -10, 31)
OF_PAIR = Pair(COST, None, CENTS, -1_000, 9_000, other=OF_UNITS)
SPREADS = (
    AggregateName.VAR_POP,
    AggregateName.VAR_SAMP,
    AggregateName.STDDEV_POP,
    AggregateName.STDDEV_SAMP,
)
EVERY = (
    *((name, argument) for name in SPREADS for argument in (OF_COST, OF_UNITS)),
    *((name, OF_PAIR) for name in PAIRED),
)
SHAPE = Shape(keys=(), rows_per_group_max=10_000, groups_per_unit_max=1)
PLAIN = ", ".join(
    [f"{name}({column})" for name in SPREADS for column in ("cost", "units")]
    + [f"{name}(cost, units)" for name in PAIRED]
)
LIMITS = EngineLimits(memory_bytes=1 << 28, threads=1)
MIRRORED = (AggregateName.REGR_AVGX, AggregateName.REGR_SXX)  # of the second value


def answered(plan: Plan, rows: list[Row]) -> list[object]:
    """Return the aggregates of a plan without noise."""
    with snapshot(rows) as connection, open_empty(LIMITS) as empty:
        exact = execute(plan.measurement, connection)
        found = post_process(plan, NoisyAggregates(exact.keys, exact.moments), empty)
    return [cell.value for cell in found.rows[0]]


def one_by_one(rows: list[Row]) -> list[object]:
    """Return every aggregate without noise, each from a plan of its own."""
    return [answered(plan_of(replace(SHAPE, aggregates=(each,))), rows)[0] for each in EVERY]


def within_bounds(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row[5] is None or -10 <= row[5] <= 31]


@pytest.mark.parametrize("seed", range(3))
def test_without_noise_the_values_are_plain_duckdbs(seed):
    rows = within_bounds(some_rows(seed, 60))
    found = one_by_one(rows)
    with snapshot(rows) as connection:
        plain = connection.execute(f"SELECT {PLAIN} FROM visits").fetchall()[0]
    for (name, _), value, expected in zip(EVERY, found, plain, strict=True):
        if name in MIRRORED:
            continue  # the compiler puts the second value first; `plan_of` does not
        assert isinstance(value, int | float)
        assert isclose(value, expected, rel_tol=1e-5, abs_tol=1e-6), name


def test_with_too_few_rows_there_is_no_value():
    nobody = one_by_one([])
    one = one_by_one([("a", None, None, None, "1.00", 3)])
    for (name, _), none, single in zip(EVERY, nobody, one, strict=True):
        assert none is None or name is AggregateName.REGR_COUNT
        if name.value.endswith("_samp"):
            assert single is None
        if name in SPREADS and name.value.endswith("_pop"):
            assert single == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_no_unit_moves_a_moment_further_than_claimed(seed):
    shape = Shape(aggregates=EVERY[:4] + EVERY[8:11], rows_per_group_max=1 + seed)
    assert holds(plan_of(shape).measurement, some_rows(300 + seed, 8))


def widest_rows() -> list[Row]:
    """Return a unit at each end of the interval and one in the middle, where squares are smallest."""
    return [
        (unit, "east", 1, income, "0.00", 0)
        for unit, income in (("a", 0.0), ("b", 100.0), ("c", 50.0))
        for _ in range(3)
    ]


def test_half_the_interval_is_what_one_row_weighs():
    shape = Shape(aggregates=((AggregateName.VAR_POP, OF_INCOME),), keys=(), groups_per_unit_max=1)
    measurement = plan_of(shape).measurement
    total, _, squares = measurement.moments
    assert (total.row_lower, total.row_upper) == (-800, 800)
    assert total.sensitivity_l1 == 2 * 800  # two rows per group
    assert (
        squares.row_upper - squares.row_lower <= 2**32
        and -squares.row_lower <= squares.row_upper + 1
    )
    assert holds(measurement, widest_rows())
    # the twin: claims of a quarter of the interval do not hold
    narrow = tuple(
        replace(
            m,
            sensitivity_l1=m.sensitivity_l1 // 2,
            sensitivity_l2_squared=m.sensitivity_l2_squared // 4,
        )
        for m in measurement.moments
    )
    assert not holds(replace(measurement, moments=narrow), widest_rows())


@pytest.mark.parametrize(
    ("lower", "upper"), [(0, 100), (-5, 100), (10, 20), (-100, -1), (-7, 8), (0, 1), (5, 5)]
)
def test_a_sum_is_derived_only_where_it_is_no_less_exact(lower, upper):
    argument = Argument(UNITS, None, WHOLE, lower, upper)

    def move(spec) -> int:
        partials = bound_partials(spec.kind, spec.row_lower, spec.row_upper, 3)
        return sensitivity(*partials, 2).l1

    centred, count = derived_moments(argument)
    own = move(SUM.moments(argument)[0])
    both = move(centred) ** 2 + (centred.offset * move(count)) ** 2
    assert worth_deriving(argument) == (centred.offset != 0 and both <= own**2)


def test_squares_are_around_the_middle_of_the_sum():
    for argument in (OF_INCOME, OF_COST, OF_UNITS):
        total, squares = centred_moment(argument), square_moment(argument)
        most = max(abs(total.row_lower), abs(total.row_upper))
        step = 2.0**-squares.step_exponent
        base = 16.0 if argument is OF_INCOME else 10.0**argument.steps.exponent
        assert float(reach(argument)) == most / base
        assert abs((squares.row_upper + squares.offset) * step - (most / base) ** 2) <= step


# ---- every claim, bent by one, is refused

SHARED = plan_of(
    Shape(
        aggregates=(
            (AggregateName.VAR_SAMP, OF_INCOME),
            (AggregateName.COVAR_POP, OF_PAIR),
            COUNT_ROWS,
        )
    )
)


def with_moment(place: int, **changes: object) -> Plan:
    moments = list(SHARED.measurement.moments)
    moments[place] = replace(moments[place], **changes)  # type: ignore[arg-type]
    return replace(SHARED, measurement=replace(SHARED.measurement, moments=tuple(moments)))


def with_aggregate(place: int, **changes: object) -> Plan:
    found: list[NoisyAggregate] = list(SHARED.aggregates)
    found[place] = replace(found[place], **changes)  # type: ignore[arg-type]
    return replace(SHARED, aggregates=tuple(found))


NUMBERS = (
    "row_lower",
    "row_upper",
    "partial_lower",
    "partial_upper",
    "sensitivity_l1",
    "sensitivity_l2_squared",
)


def test_the_untouched_plan_is_accepted():
    assert accepted(SHARED) is None


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("place", [0, 2, 6], ids=["centred", "squares", "products"])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_bent_moment_is_refused(place, name, by):
    moment: Moment = SHARED.measurement.moments[place]
    bent = with_moment(place, **{name: getattr(moment, name) + by})
    assert accepted(bent) is not None


VAR, COVAR, COUNT = SHARED.aggregates
BENT: dict[str, Callable[[], Plan]] = {
    "a variance without squares": lambda: with_aggregate(
        0, moments=VAR.moments[:2], offsets=VAR.offsets[:2]
    ),
    "an offset too few": lambda: with_aggregate(0, offsets=VAR.offsets[:2]),
    "an offset too many": lambda: with_aggregate(0, offsets=(*VAR.offsets, 0)),
    "an offset out of range": lambda: with_aggregate(0, offsets=(2**40 + 1, *VAR.offsets[1:])),
    "a count that lost something": lambda: with_aggregate(
        0, offsets=(VAR.offsets[0], 1, VAR.offsets[2])
    ),
    "a bare count that lost something": lambda: with_aggregate(2, offsets=(1,)),
    "a count of money": lambda: with_aggregate(
        0, moments=(VAR.moments[1], VAR.moments[0], VAR.moments[2])
    ),
    "a covariance of three": lambda: with_aggregate(
        1, moments=COVAR.moments[:3], offsets=COVAR.offsets[:3]
    ),
    "a correlation of four": lambda: with_aggregate(1, name=AggregateName.CORR),
    "another type": lambda: with_aggregate(1, type=COUNT.type),
    "another name": lambda: with_aggregate(1, name=AggregateName.REGR_COUNT),
    "a moment that is not there": lambda: with_aggregate(1, moments=(*COVAR.moments[:3], 99)),
    "a truth of sums": lambda: with_aggregate(2, name=AggregateName.BOOL_OR),
}


@pytest.mark.parametrize("claim", BENT)
def test_a_bent_aggregate_is_refused(claim):
    assert accepted(BENT[claim]()) is not None


def test_truth_is_above_its_own_half_width():
    shape = Shape(
        aggregates=tuple(
            (name, Argument(None, None, WHOLE, 0, 1))
            for name in (AggregateName.BOOL_OR, AggregateName.BOOL_AND)
        ),
        keys=(),
    )
    plan = plan_of(shape)
    few: list[Row] = [("a", None, 1, None, None, None)]
    many: list[Row] = [(f"u{n}", None, 1, None, None, None) for n in range(60)]
    assert answered(plan, []) == [False, True]
    assert answered(plan, few) == [False, True]  # one person is not seen
    assert answered(plan, many) == [True, False]
    assert isinstance(plan.post.outputs[0].expr, AggregateRef)
