"""What is measured once: aggregates of the same thing share their moments, and of nothing else."""

import pytest

from policies.terms import Accountant
from sandbox.boundary import Plan
from tests.unit.compiler_world import compiled


def plan(sql: str) -> Plan:
    return compiled(sql, Accountant.PURE_EPS).plan


@pytest.mark.parametrize(
    ("asked", "moments"),
    [
        ("count(*), count(person_id)", 1),  # the unit's key is never NULL
        ("count(*), count(amount)", 2),  # an amount may be
        ("count(amount), sum(amount), avg(amount)", 2),
        ("sum(amount), count(*)", 2),
        ("count(amount), sum(amount), avg(amount), var_pop(amount), stddev_samp(amount)", 3),
        ("avg(amount), avg(amount) FILTER (WHERE icd = 'A09')", 4),
        ("avg(amount), sum(amount) FILTER (WHERE icd = 'A09')", 3),
        (
            "corr(amount, amount + 1), covar_pop(amount, amount + 1), regr_count(amount + 1, amount)",
            6,
        ),
        ("count(DISTINCT icd), approx_count_distinct(icd)", 1),
        ("bool_or(amount > 5), bool_or(amount > 5) FILTER (WHERE icd = 'A09')", 2),
    ],
)
def test_moments_are_measured_once(asked, moments):
    assert len(plan(f"SELECT {asked} FROM claims").measurement.moments) == moments


def test_a_double_may_be_nan_which_is_counted_but_not_averaged():
    found = plan("SELECT count(income), avg(income), sum(income) FROM persons")
    assert len(found.measurement.moments) == 3


def noise_of_sum(found: Plan, place: int) -> float:
    """Return the variance of a sum's noise in steps, up to the factor of the law."""
    aggregate = found.aggregates[place]
    first, *rest = (found.measurement.moments[index] for index in aggregate.moments)
    own = float.fromhex(first.scale) ** 2
    return own + sum((aggregate.offsets[0] * float.fromhex(m.scale)) ** 2 for m in rest)


def test_a_sum_beside_an_average_is_no_less_exact():
    beside = plan("SELECT sum(amount), avg(amount) FROM claims")
    apart = plan("SELECT sum(amount), count(*) FROM claims")
    assert beside.aggregates[0].moments == beside.aggregates[1].moments
    assert len(apart.aggregates[0].moments) == 1
    assert noise_of_sum(beside, 0) <= noise_of_sum(apart, 0) * (1 + 1e-6)


def test_a_share_is_measured_around_one_half():
    (share, _) = plan(
        "SELECT avg(CASE WHEN amount > 5 THEN 1 ELSE 0 END) FROM claims"
    ).measurement.moments
    assert (share.row_lower, share.row_upper, share.step_exponent) == (-5, 5, 1)


def test_a_share_that_is_also_summed_keeps_whole_steps():
    found = plan("SELECT avg(year(day) % 2), sum(year(day) % 2) FROM claims")
    assert found.measurement.moments[0].step_exponent == 0
