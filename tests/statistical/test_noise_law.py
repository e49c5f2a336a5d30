"""The noise that is drawn is the noise that is claimed.

Statistic   Pearson's chi-square over about 40 cells of expected size 25 or more, against probabilities computed here, not
            by OpenDP and not by `sandbox/privacy/accuracy.py`. n = 60 000 draws through `add_noise`.
Threshold   P(chi-square at least this large) < 1e-9 fails: this is each test's own false-alarm probability.
Power       The same statistic must reject at 1e-9 noise of half the scale, and noise a fifth of a scale off centre.
"""

import math
from collections import Counter
from dataclasses import replace

import pytest
from scipy import stats

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import Moment
from sandbox.privacy import measurements
from sandbox.worker.add_noise import add_noise
from sandbox.worker.execute import ExactAggregates
from tests.unit.worker_world import COUNT_ROWS, Shape, plan_of

pytestmark = pytest.mark.statistical

DRAWS = 60_000
FALSE_ALARM = 1e-9
CELLS = 40
SMALLEST = 25


def claim(accountant: Accountant, scale: float) -> Moment:
    """Return a claim whose noise has about the scale: the loss is chosen for it, then the scale follows."""
    rho = 1 / scale if accountant is Accountant.PURE_EPS else 1 / (2 * scale**2)
    loss = PrivacyLoss(accountant, round(rho * NANO), 0)
    shape = Shape(aggregates=(COUNT_ROWS,), rows_per_group_max=1, groups_per_unit_max=1, loss=loss)
    return plan_of(shape).measurement.moments[0]


def drawn(moment: Moment, exact: int) -> list[int]:
    """Return the noise of DRAWS groups whose exact total is known."""
    shape = Shape(aggregates=(COUNT_ROWS,), loss=moment.loss)
    measurement = replace(plan_of(shape).measurement, moments=(moment,))
    keys = tuple((i,) for i in range(DRAWS))
    noisy = add_noise(measurement, ExactAggregates(keys, ((exact,) * DRAWS,)))
    return [total - exact for total in noisy.moments[0]]


def probabilities(accountant: Accountant, scale: float) -> dict[int, float]:
    """Sum the law as written in the papers: e**(-|k|/s), and e**(-k*k/(2*s*s))."""
    reach = math.ceil(40 * scale) + 2
    if accountant is Accountant.PURE_EPS:
        weights = {k: math.exp(-abs(k) / scale) for k in range(-reach, reach + 1)}
    else:
        weights = {k: math.exp(-((k / scale) ** 2) / 2) for k in range(-reach, reach + 1)}
    mass = math.fsum(weights.values())
    return {k: weight / mass for k, weight in weights.items()}


def p_value(noise: list[int], law: dict[int, float]) -> float:
    """Return the probability of a chi-square at least as large as that of the noise under the law."""
    counts = Counter(noise)
    observed, expected = [], []
    seen = wanted = 0.0
    # as many cells as numbers where there are few, else CELLS of equal size
    common = sum(p * len(noise) >= SMALLEST for p in law.values())
    least = SMALLEST if common <= CELLS else len(noise) / CELLS
    for k in sorted(law):
        seen += counts.pop(k, 0)
        wanted += law[k] * len(noise)
        if wanted >= least:
            observed.append(seen)
            expected.append(wanted)
            seen = wanted = 0.0
    observed[-1] += seen + sum(counts.values())  # what lies beyond the window, too
    expected[-1] += wanted
    square = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    return float(stats.chi2.sf(square, len(observed) - 1))


@pytest.mark.parametrize("accountant", Accountant)
@pytest.mark.parametrize("scale", [0.6, 3.0, 41.0])
def test_the_noise_has_the_claimed_law(accountant, scale):
    """False alarm 1e-9 for each of the six; the same draws reject half the scale, twice it, and a fifth of it as a shift."""
    moment = claim(accountant, scale)
    exact_scale = float.fromhex(moment.scale)
    noise = drawn(moment, 1_000)
    assert p_value(noise, probabilities(accountant, exact_scale)) > FALSE_ALARM
    assert p_value(noise, probabilities(accountant, exact_scale / 2)) < FALSE_ALARM
    assert p_value(noise, probabilities(accountant, exact_scale * 2)) < FALSE_ALARM
    shifted = [k + max(1, round(scale / 5)) for k in noise]
    assert p_value(shifted, probabilities(accountant, exact_scale)) < FALSE_ALARM


@pytest.mark.parametrize("accountant", Accountant)
def test_half_the_scale_fails(accountant):
    """The negative twin: a mechanism that draws half the noise it claims is rejected."""
    moment = claim(accountant, 12.0)
    half = (float.fromhex(moment.scale) / 2).hex()
    noise = list(measurements.draw(accountant, half, (0,) * DRAWS))
    law = probabilities(accountant, float.fromhex(moment.scale))
    assert p_value(noise, law) < FALSE_ALARM
    assert (
        p_value(list(measurements.draw(accountant, moment.scale, (0,) * DRAWS)), law) > FALSE_ALARM
    )


@pytest.mark.parametrize("accountant", Accountant)
def test_large_scales_have_the_law_too(accountant):
    """Kolmogorov and Smirnov against the continuous law; at scale 2**40 the steps are invisible. False alarm 1e-9."""
    scale = 2.0**40
    noise = list(measurements.draw(accountant, scale.hex(), (0,) * DRAWS))
    law = stats.laplace if accountant is Accountant.PURE_EPS else stats.norm
    assert stats.kstest([k / scale for k in noise], law.cdf).pvalue > FALSE_ALARM
    assert stats.kstest([2 * k / scale for k in noise], law.cdf).pvalue < FALSE_ALARM


def correlation(a: list[int], b: list[int]) -> float:
    """Return Spearman's p-value."""
    return float(stats.spearmanr(a, b).pvalue)


@pytest.mark.parametrize("accountant", Accountant)
def test_noises_of_two_groups_and_of_two_moments_are_unrelated(accountant):
    """Spearman's rank correlation, false alarm 1e-9 each; a shared draw is seen at once."""
    moment = claim(accountant, 9.0)
    first, second = drawn(moment, 0), drawn(moment, 0)
    assert correlation(first, second) > FALSE_ALARM
    assert correlation(first[:-1], first[1:]) > FALSE_ALARM
    assert correlation(first[::2], first[1::2]) > FALSE_ALARM
    mixed = [a + b for a, b in zip(first, second, strict=True)]
    assert correlation(first, mixed) < FALSE_ALARM


def test_the_noise_does_not_know_the_total():
    """Large, negative and zero totals receive the same law. Two-sample chi-square, false alarm 1e-9."""
    moment = claim(Accountant.PURE_EPS, 5.0)
    law = probabilities(Accountant.PURE_EPS, float.fromhex(moment.scale))
    for exact in (0, -17, 2**61):
        assert p_value(drawn(moment, exact), law) > FALSE_ALARM
