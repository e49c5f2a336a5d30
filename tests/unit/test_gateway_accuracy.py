"""What `check` foretells is what the noise does.

Statistical: 4,000 draws of OpenDP's own noise. A true coverage of 95 % falls below 92.9 % with probability under 1e-9
(six deviations of 0.345 %); at half the foretold width it is at most 78 %.
"""

import pytest

from gateway.accuracy import Expected, expected, step
from policies.terms import Accountant
from sandbox.privacy.measurements import draw
from tests.unit.compiler_world import compiled

DRAWS = 4_000
COVERED_LEAST = 0.929
SQL = "SELECT region, count(*) AS n, sum(income) AS total, avg(income) AS mean FROM persons GROUP BY region"


def covered(half_width: float, noise: tuple[int, ...], unit: float) -> float:
    return sum(abs(value) * unit <= half_width for value in noise) / len(noise)


def errors(accountant: Accountant) -> tuple[Expected | None, ...]:
    return expected(compiled(SQL, accountant).plan)


@pytest.mark.statistical
@pytest.mark.parametrize("accountant", list(Accountant))
def test_the_foretold_interval_covers_the_noise(accountant: Accountant) -> None:
    plan = compiled(SQL, accountant).plan
    assert (
        len(plan.aggregates[1].moments) == 2
    )  # the sum is the average's, and gives its middle back
    for error, aggregate in zip(errors(accountant)[1:3], plan.aggregates, strict=False):
        assert error is not None and error.half_width is not None
        first, *rest = (plan.measurement.moments[index] for index in aggregate.moments)
        noise = draw(accountant, first.scale, (0,) * DRAWS)
        for moment in rest:
            more = draw(accountant, moment.scale, (0,) * DRAWS)
            noise = tuple(a + aggregate.offsets[0] * b for a, b in zip(noise, more, strict=True))
        assert covered(error.half_width, noise, step(first)) >= COVERED_LEAST
        # Half as wide, the promise would be false, and this test would see it.
        assert covered(error.half_width / 2, noise, step(first)) < COVERED_LEAST


@pytest.mark.statistical
@pytest.mark.parametrize("accountant", list(Accountant))
def test_an_average_is_no_worse_than_foretold_over_so_many_rows(accountant: Accountant) -> None:
    plan = compiled(SQL, accountant).plan
    mean = errors(accountant)[3]
    assert mean is not None and mean.half_width is None
    total, count = (plan.measurement.moments[i] for i in plan.aggregates[2].moments)
    worst = 200_000.0  # every person has the largest declared income
    middle = plan.aggregates[2].offsets[0] * step(total)
    for at in mean.at_rows[1:]:
        sums = draw(accountant, total.scale, (0,) * DRAWS)
        counts = draw(accountant, count.scale, (0,) * DRAWS)
        seen = [
            ((worst - middle) * at.rows + s * step(total)) / (at.rows + c) + middle - worst
            for s, c in zip(sums, counts, strict=True)
        ]
        within = sum(abs(error) <= at.half_width for error in seen) / DRAWS
        assert within >= COVERED_LEAST


def test_keys_carry_no_error_and_expressions_say_that_theirs_comes_later() -> None:
    sql = "SELECT region, count(*) * 2 AS twice, 1 AS one FROM persons GROUP BY region"
    key, twice, one = expected(compiled(sql).plan)
    assert key is None and one is None
    assert twice is not None and twice.half_width is None and len(twice.scales) == 1


def test_the_largest_error_of_an_average_is_its_interval() -> None:
    mean = errors(Accountant.PURE_EPS)[3]
    assert mean is not None
    widths = [at.half_width for at in mean.at_rows]
    assert widths == sorted(widths, reverse=True) and max(widths) <= 200_000
