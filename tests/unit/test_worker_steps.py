"""A row's value in whole steps: nearest, within its bounds, for every type and at its ends."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.algebra import Column
from sandbox.boundary import (
    STEPS_MAX,
    MomentKind,
    StepBase,
)
from sandbox.privacy.aggregates import MomentSpec
from sandbox.worker.scalars import scalars
from sandbox.worker.sql_types import NotRenderable, listed
from sandbox.worker.steps import row_steps
from tests.unit.worker_world import (
    BIGINT,
    DOUBLE,
    HUGEINT,
    INCOME,
    INTEGER,
    PURE,
    REGION,
    SUM_COST,
    Shape,
    moment_of,
    plan_of,
)


def nearest(value: Fraction) -> int:
    return int(value + Fraction(1, 2)) if value >= 0 else -int(-value + Fraction(1, 2))


def reference(value: Scalar, exponent: int, base: int, lower: int, upper: int) -> int | None:
    if value is None or value != value:
        return None
    assert isinstance(value, (int, float, Decimal))
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return upper if value > 0 else lower
    return max(lower, min(upper, nearest(Fraction(value) * Fraction(base) ** exponent)))


WIDE, FINE, ROUGH = (SqlType(TypeKind.DECIMAL, p, s) for p, s in ((38, 10), (38, 38), (38, 0)))
SMALL, MONEY = SqlType(TypeKind.DECIMAL, 4, 1), SqlType(TypeKind.DECIMAL, 12, 2)
NUMBERS: dict[SqlType, list[Scalar]] = {
    INTEGER: [0, 1, -1, 7, 2**31 - 1, -(2**31)],
    BIGINT: [0, 15, -25, 2**63 - 1, -(2**63), 149, 150],
    HUGEINT: [0, 2**127 - 1, -(2**127), 5],
    SMALL: [Decimal(x) for x in ("0", "0.1", "-999.9", "999.9", "15.0", "-4.5", "14.9")],
    MONEY: [Decimal(x) for x in ("0", "0.01", "9999999999.99", "-9999999999.99", "0.05", "-0.05")],
    WIDE: [Decimal("9" * 28 + "." + "9" * 10), Decimal("-" + "9" * 28), Decimal("0.0000000005")],
    FINE: [
        Decimal("0." + "9" * 38),
        Decimal("-0." + "9" * 38),
        Decimal("0." + "4" * 38),
        Decimal(0),
    ],
    ROUGH: [Decimal("9" * 38), Decimal("-" + "9" * 38), Decimal(25), Decimal(14), Decimal(-15)],
    DOUBLE: [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1e308,
        -1e308,
        5e-324,
        float("inf"),
        float("-inf"),
        float("nan"),
        0.03125,
        2.5,
        1e12,
    ],
}
BOUNDS = [(0, 1), (-1, 0), (-STEPS_MAX, STEPS_MAX), (-7, 100), (3, 9), (-90, -20), (0, 0)]


@pytest.mark.parametrize("type_", NUMBERS, ids=str)
def test_steps_are_the_nearest_whole_number_within_the_bounds(type_):
    """All types, steps from 10**-18 to 10**18 and 2**-60 to 2**60, values at the ends of each type."""
    connection = duckdb.connect()
    values = [*NUMBERS[type_], None]
    base = StepBase.TWO if type_ == DOUBLE else StepBase.TEN
    exponents = (-60, -3, 0, 4, 30, 60) if type_ == DOUBLE else (-18, -3, -1, 0, 1, 2, 9, 18)
    compared = 0
    for exponent in exponents:
        for lower, upper in BOUNDS:
            spec = MomentSpec(
                MomentKind.SUM, Column(0, "x", type_), base, exponent, lower, upper, 0
            )
            moment = moment_of(spec, Shape(), PURE)
            rendering = scalars(lambda _: "x", {})
            text = row_steps("x", moment, rendering)
            found = connection.execute(
                f"SELECT {text}, typeof({text}) FROM (SELECT unnest(CAST($values AS {type_}[])) AS x)",
                {**rendering.parameters, "values": listed(values, type_)},
            ).fetchall()
            for value, (steps, name) in zip(values, found, strict=True):
                expected = reference(value, exponent, 2 if type_ == DOUBLE else 10, lower, upper)
                assert (steps, name) == (expected, "BIGINT"), (value, exponent, lower, upper)
                compared += 1
    assert compared > 200


def test_steps_of_another_kind_of_value_are_refused():
    moment = plan_of(Shape(aggregates=(SUM_COST,))).measurement.moments[0]
    for wrong in (
        replace(moment, value=REGION),
        replace(moment, step_base=StepBase.TWO),
        replace(moment, step_exponent=19),
        replace(moment, value=INCOME),
    ):
        with pytest.raises(NotRenderable):
            row_steps("x", wrong, scalars(lambda _: "x", {}))
