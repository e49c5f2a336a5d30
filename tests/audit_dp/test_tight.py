"""On tight cases the attack finds nearly the whole declared loss and never more; with half the noise it finds more.

False alarms: each assertion rests on two Clopper–Pearson bounds that fail with probability 0.0005 each, so a correct
mechanism fails one `<=` with probability 0.001 at most if bounds were attained; at these sizes the gap to the true value is
over four standard errors, and the rate is below 1e-4 for the whole file.
"""

from math import sqrt
from pathlib import Path

import pytest

from policies.terms import NANO, Accountant, PrivacyLoss
from tests.audit_dp.attack import (
    answers,
    as_gaussian,
    epsilon_at_least,
    exact_pair,
    shift_at_least,
    with_scale_halved,
)

RUNS = 20_000
PURE = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
QUESTIONS = ("SELECT count(*) FROM persons", "SELECT sum(income) FROM persons")

pytestmark = pytest.mark.statistical


@pytest.mark.parametrize("sql", QUESTIONS)
def test_the_attack_finds_the_declared_epsilon_and_no_more(tmp_path: Path, sql: str) -> None:
    measurement, high, low = exact_pair(tmp_path, sql, PURE)
    assert high - low == measurement.moments[0].sensitivity_l1  # the case is tight
    found = epsilon_at_least(
        answers(measurement, high, RUNS), answers(measurement, low, RUNS), high
    )
    assert 0.7 <= found <= 1.0


@pytest.mark.parametrize("sql", QUESTIONS)
def test_the_attack_finds_more_where_the_noise_is_halved(tmp_path: Path, sql: str) -> None:
    """The twin: were the attack blind, it would pass the test above with any noise."""
    measurement, high, low = exact_pair(tmp_path, sql, PURE)
    halved = with_scale_halved(measurement)
    assert epsilon_at_least(answers(halved, high, RUNS), answers(halved, low, RUNS), high) > 1.0


def test_answering_twice_from_two_draws_would_cost_twice(tmp_path: Path) -> None:
    """Why equal questions share one stored answer: two fresh draws tell more than one loss allows."""
    measurement, high, low = exact_pair(tmp_path, QUESTIONS[0], PURE)

    def twice(total: int) -> tuple[int, ...]:
        first, second = (answers(measurement, total, RUNS) for _ in range(2))
        return tuple(min(pair) for pair in zip(first, second, strict=True))

    assert epsilon_at_least(twice(high), twice(low), high) > 1.0


def test_a_gaussian_answer_moves_by_no_more_than_rho_allows(tmp_path: Path) -> None:
    """Under zCDP with rho, the answers shift by sqrt(2·rho) standard deviations (Bun and Steinke 2016, Prop. 1.6).

    Asked of a sum, whose noise is of millions of steps: at a scale of one step the discrete law is no Gaussian, and the shift
    that its error rates look like may be larger while its Rényi divergence, which rho bounds, is not.
    """
    measurement, high, low = exact_pair(tmp_path, QUESTIONS[1], PURE)
    gaussian = as_gaussian(measurement, NANO // 2)
    middle = (high + low) / 2
    found = shift_at_least(answers(gaussian, high, RUNS), answers(gaussian, low, RUNS), middle)
    assert 0.7 * sqrt(2 * 0.5) <= found <= sqrt(2 * 0.5)
    halved = with_scale_halved(gaussian)
    wide = shift_at_least(answers(halved, high, RUNS), answers(halved, low, RUNS), middle)
    assert wide > sqrt(2 * 0.5)


def test_every_answer_is_drawn_anew(tmp_path: Path) -> None:
    """A generator that repeats itself would let an attacker subtract the noise."""
    measurement, high, _ = exact_pair(tmp_path, QUESTIONS[1], PURE)
    drawn = {answers(measurement, high, 8) for _ in range(50)}
    assert len(drawn) == 50
