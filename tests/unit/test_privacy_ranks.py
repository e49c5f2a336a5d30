"""Scores of bins: what one row moves, where the least of them lies, and the law of the choice."""

import math
from collections import Counter
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest
from scipy import stats

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import Rank, RankSide
from sandbox.privacy import contribution, measurements, ranks
from sandbox.privacy.composition import shares

FRACTIONS = [(0, 1), (1, 10), (1, 3), (1, 2), (9, 10), (99, 100), (1, 1)]
PURE, ZCDP = Accountant.PURE_EPS, Accountant.APPROX_ZCDP


def rank(numerator: int, denominator: int) -> Rank:
    return Rank(numerator, denominator, RankSide.POINT, 1)


@pytest.mark.parametrize(("numerator", "denominator"), FRACTIONS)
def test_one_row_moves_no_score_further_than_claimed_and_some_as_far(
    numerator: int, denominator: int
) -> None:
    wanted, furthest = rank(numerator, denominator), 0
    for counts in product(range(3), repeat=4):
        for place, shifted in product(range(4), (-2, 0, 3)):
            more = [count + (index == place) for index, count in enumerate(counts)]
            pairs = zip(
                ranks.scores(counts, wanted, shifted),
                ranks.scores(more, wanted, shifted),
                strict=True,
            )
            furthest = max(furthest, *(abs(a - b) for a, b in pairs))
    assert furthest == contribution.rank_sensitivity(wanted, 1, 1).l1


def test_a_unit_moves_scores_by_its_rows_in_each_of_its_groups() -> None:
    found = contribution.rank_sensitivity(rank(9, 10), 7, 3)
    assert (found.l1, found.l2_squared) == (3 * 63, 3 * 63 * 63)
    for wrong in (rank(11, 10), rank(-1, 10), rank(1, 0)):
        with pytest.raises(ValueError, match="fraction"):
            contribution.rank_sensitivity(wrong, 1, 1)


@pytest.mark.parametrize(("numerator", "denominator"), FRACTIONS)
def test_the_score_is_0_exactly_where_the_rank_lies(numerator: int, denominator: int) -> None:
    dice = Random(numerator * 1000 + denominator)
    for _ in range(200):
        counts = [dice.choice((0, 0, 1, 2, 9)) for _ in range(12)]
        scores = ranks.scores(counts, rank(numerator, denominator), 0)
        place = Fraction(numerator, denominator) * sum(counts)
        for index, score in enumerate(scores):
            below, upto = sum(counts[:index]), sum(counts[: index + 1])
            away = max(Fraction(0), below - place, place - upto)
            assert score == away * denominator


def test_bins_have_a_width_and_a_bounded_number() -> None:
    assert ranks.bins_of(Rank(1, 2, RankSide.POINT, 10), 0, 99) == 10
    assert ranks.bins_of(Rank(1, 2, RankSide.POINT, 10), -5, 95) == 11
    for bad in (Rank(1, 2, RankSide.POINT, 0), Rank(1, 2, RankSide.POINT, 1)):
        with pytest.raises(ValueError, match="bin"):
            ranks.bins_of(bad, 0, ranks.BINS_MAX)


@pytest.mark.parametrize("accountant", [PURE, ZCDP])
def test_the_scale_is_the_closed_form_and_every_group_is_paid_for(accountant: Accountant) -> None:
    loss = PrivacyLoss(accountant, NANO // 2, 0)
    reach, groups = 9, 4
    scale = float.fromhex(measurements.calibrate_choice(accountant, reach, groups, loss))
    closed = 2 * groups * reach / 0.5 if accountant is PURE else reach * math.sqrt(groups / 2 / 0.5)
    assert scale == pytest.approx(closed, rel=1e-8) and scale >= closed
    measurements.prove_choice(accountant, reach, groups, scale.hex(), loss)
    for too_much in ((reach + 1, groups), (reach, groups + 1)):
        with pytest.raises(measurements.NotProved):
            measurements.prove_choice(accountant, *too_much, scale.hex(), loss)


def test_a_choice_refuses_what_the_library_would_misread() -> None:
    bad: tuple[tuple[Any, ...], ...] = ((), (-1, 0), (0, 2**62 + 1), (0.5, 1))
    for scores in bad:
        with pytest.raises(measurements.NotProved):
            measurements.choose(PURE, (1.0).hex(), scores)
    for scale in (0.0, math.inf, math.nan, -1.0):
        with pytest.raises(measurements.NotProved):
            measurements.choose(PURE, scale.hex(), (0, 1))


def law(accountant: Accountant, scores: tuple[int, ...], scale: float) -> list[float]:
    """Return the chance of each candidate: permute-and-flip (summed over all orders), or the exponential mechanism."""
    kept = [math.exp(-(score - min(scores)) / scale) for score in scores]
    if accountant is ZCDP:
        return [weight / sum(kept) for weight in kept]
    found = []
    for chosen, weight in enumerate(kept):
        others = [w for index, w in enumerate(kept) if index != chosen]
        # a candidate at time t of its order survives the others before it: the integral over t of the product (1 - w·t)
        inside = [1.0]
        for other in others:
            inside = [a - other * b for a, b in zip([*inside, 0.0], [0.0, *inside], strict=True)]
        found.append(weight * sum(c / (power + 1) for power, c in enumerate(inside)))
    return found


@pytest.mark.statistical
@pytest.mark.parametrize("accountant", [PURE, ZCDP])
def test_choices_follow_the_law_and_half_the_scale_does_not(accountant: Accountant) -> None:
    """Chi-square over five candidates; each assertion has a false alarm of 1e-9."""
    scores, scale, draws = (0, 1, 3, 3, 6), 3.0, 4_000
    expected = [draws * share for share in law(accountant, scores, scale)]
    assert sum(expected) == pytest.approx(draws)

    def p_value(drawn_scale: float) -> float:
        seen = Counter(
            measurements.choose(accountant, drawn_scale.hex(), scores) for _ in range(draws)
        )
        return float(stats.chisquare([seen[i] for i in range(len(scores))], expected).pvalue)

    assert p_value(scale) > 1e-9
    assert p_value(scale / 2) < 1e-9


def test_weights_share_a_loss_out_and_never_more() -> None:
    loss = PrivacyLoss(PURE, 1_000_000_007, 0)
    found = shares(loss, (3, 1, 1, 1))
    assert [each.primary for each in found] == [500_000_003, *(166_666_667,) * 3]
    assert sum(each.primary for each in found) <= loss.primary
    for weights in ((), (0, 1), (-1, 2)):
        with pytest.raises(ValueError, match="part"):
            shares(loss, weights)
    with pytest.raises(ValueError, match="small"):
        shares(PrivacyLoss(PURE, 3, 0), (3, 1))
