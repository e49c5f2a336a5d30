"""The two noise laws in numbers, against sums and integrals made here."""

import math
from itertools import accumulate

import pytest
from scipy import stats

from sandbox.boundary import Mechanism
from sandbox.privacy import accuracy

LAPLACE, GAUSSIAN = Mechanism.DISCRETE_LAPLACE, Mechanism.DISCRETE_GAUSSIAN
SCALES = (0.02, 0.3, 1.0, 4.7, 33.0, 63.9, 64.1, 200.0)


def law(mechanism: Mechanism, scale: float) -> tuple[int, list[float]]:
    """Return the first whole number of a wide window and the probabilities from there on, by plain summation."""
    reach = math.ceil(45 * scale) + 3
    weight = (
        (lambda k: math.exp(-abs(k) / scale))
        if mechanism is LAPLACE
        else (lambda k: math.exp(-0.5 * (k / scale) ** 2))
    )
    weights = [weight(k) for k in range(-reach, reach + 1)]
    mass = math.fsum(weights)
    return -reach, [w / mass for w in weights]


@pytest.mark.parametrize("mechanism", Mechanism)
@pytest.mark.parametrize("scale", SCALES)
def test_deviation_and_half_width_are_those_of_the_law(mechanism, scale):
    first, masses = law(mechanism, scale)
    square = math.fsum(p * (first + i) ** 2 for i, p in enumerate(masses))
    found = accuracy.deviation(mechanism, scale.hex())
    assert found == pytest.approx(math.sqrt(square), rel=1e-9, abs=1e-15)
    for alpha in (0.05, 0.3, 0.001):
        half = accuracy.half_width(mechanism, scale.hex(), alpha)
        inside = math.fsum(masses[i] for i in range(len(masses)) if abs(first + i) <= half)
        narrower = math.fsum(masses[i] for i in range(len(masses)) if abs(first + i) < half)
        assert inside >= 1 - alpha - 1e-5
        assert half == 0 or narrower < 1 - alpha + 1e-5


@pytest.mark.parametrize("mechanism", Mechanism)
@pytest.mark.parametrize("scale", SCALES)
def test_a_quantile_is_the_first_number_that_reaches_p(mechanism, scale):
    first, masses = law(mechanism, scale)
    cumulative = list(accumulate(masses))
    for p in (1e-6, 0.01, 0.025, 0.3, 0.5, 0.7, 0.975, 0.999999):
        found = accuracy.quantile(mechanism, scale.hex(), p)
        index = found - first
        assert cumulative[index] >= p - 1e-5
        assert cumulative[index - 1] < p + 1e-5


@pytest.mark.parametrize("scale", [1e3, 2.0**40])
def test_large_scales_meet_the_continuous_laws(scale):
    for p in (0.0005, 0.4, 0.5, 0.9, 0.9995):
        close = accuracy.quantile(GAUSSIAN, scale.hex(), p)
        assert close == pytest.approx(stats.norm.ppf(p) * scale, abs=1 + 1e-9 * scale)
        close = accuracy.quantile(LAPLACE, scale.hex(), p)
        assert close == pytest.approx(stats.laplace.ppf(p) * scale, abs=2 + 1e-9 * scale)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, math.nan])
def test_a_quantile_of_no_probability_is_refused(p):
    with pytest.raises(ValueError):
        accuracy.quantile(LAPLACE, float(3).hex(), p)
    with pytest.raises(ValueError):
        accuracy.half_width(LAPLACE, float(3).hex(), p)
