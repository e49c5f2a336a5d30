"""From an accuracy to the smallest loss: what is promised is foretold, and a step less would not be enough."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.accuracy import expected
from gateway.find_loss import Found, _grid, _steps_to, find_loss, reaches
from gateway.wanted import read_wanted
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.client import Draft, Question, draft
from sandbox.compiler.check import Asker
from sandbox.privacy.measurements import draw
from tests.unit.compiler_world import NOW, catalogue, policy

SQL = (
    "SELECT region, count(*) AS n, sum(income) AS s, avg(income) AS m FROM persons GROUP BY region"
)
RANKS = "SELECT median(CAST(income AS INTEGER) // 100) AS q FROM persons"
COUNTS = "SELECT region, count(*) AS n FROM persons GROUP BY region"
BOTH = list(Accountant)
DRAWS = 4_000


def drafted(sql: str, accountant: Accountant) -> Draft:
    asker = Asker("operator", "research", NOW, suspended=False)
    nothing = PrivacyLoss(accountant, 1, 0)
    return draft(Question(sql, policy(accountant), catalogue(accountant), asker, nothing))


def found(sql: str, accountant: Accountant, accuracy: Any, guesses: Any = None) -> Found:
    wanted = read_wanted(accuracy, guesses)
    assert wanted is not None
    return find_loss(drafted(sql, accountant), PrivacyLoss(accountant, NANO, 0), wanted)


def test_the_grid_has_every_loss_of_four_digits_in_order() -> None:
    losses = [_grid(step) for step in range(80_000)]
    assert losses == sorted(set(losses))
    assert losses[:3] == [1, 2, 3] and {999, 1000, 9999, 10_000, 10_010} <= set(losses)
    assert 10_001 not in losses
    for primary in (1, 999, 1000, 123_456, NANO, NANO + 1):
        step = _steps_to(primary)
        assert _grid(step) >= primary and (step == 0 or _grid(step - 1) < primary)


WANTED: list[tuple[Any, Any]] = [
    ("±100 at 95%", None),
    ({"n": "±12.5 at 95%"}, None),
    ({"n": "±5% of 1000 at 95%", "s": "±10000000 at 95%"}, None),
    ({"N": "+-5% at 95 %"}, {"n": 4000}),
    ({"m": "±500 over 100000 rows at 95%"}, None),
    ({"q": "±60 rows at 95%"}, None),
]


@pytest.mark.parametrize("accountant", BOTH)
@pytest.mark.parametrize(("accuracy", "guesses"), WANTED)
def test_the_loss_found_is_enough_and_a_step_less_is_not(
    accountant: Accountant, accuracy: Any, guesses: Any
) -> None:
    sql = COUNTS if isinstance(accuracy, str) else RANKS if "q" in accuracy else SQL
    made = found(sql, accountant, accuracy, guesses)
    primary = made.planned.plan.loss.primary
    assert reaches(made.planned.plan, made.targets)
    assert 1 < primary < NANO
    less = _grid(_steps_to(primary) - 1)
    assert less < primary <= less * 1.002
    poorer = drafted(sql, accountant).at(PrivacyLoss(accountant, less, 0)).plan
    assert not reaches(poorer, made.targets)


@pytest.mark.parametrize("accountant", BOTH)
def test_the_noise_drawn_keeps_the_promise(accountant: Accountant) -> None:
    made = found(COUNTS, accountant, "±60 at 95%")
    moment = made.planned.plan.measurement.moments[0]
    noise = draw(accountant, moment.scale, (0,) * DRAWS)
    # 95 % falls below 92.9 % with probability under 1e-9; half the width would hold 78 % at most
    assert sum(abs(value) <= 60 for value in noise) / DRAWS >= 0.929
    assert sum(abs(value) <= 30 for value in noise) / DRAWS < 0.929


def test_half_the_error_costs_twice_epsilon_and_four_times_rho() -> None:
    for accountant, factor in zip(BOTH, (2, 4), strict=True):
        wide, narrow = (
            found(COUNTS, accountant, f"±{size} at 95%").planned.plan.loss.primary
            for size in (2000, 1000)
        )
        assert narrow / wide == pytest.approx(factor, rel=0.01)


REFUSED: list[tuple[str, Any, Any, str]] = [
    (SQL, {"m": "±100 at 95%"}, None, "accuracy_needs_rows"),
    (COUNTS, "±5% at 95%", None, "accuracy_needs_expectation"),
    (RANKS, {"q": "±5 at 95%"}, None, "accuracy_in_rows"),
    (COUNTS, "±5 rows at 95%", None, "accuracy_in_rows"),
    (COUNTS, "±5% rows at 95%", None, "accuracy_invalid"),
    (RANKS, {"q": "±1 row at 95%"}, None, "accuracy_out_of_reach"),
    (COUNTS, {"n": "±5% at 95%"}, {"m": 5}, "accuracy_column_unknown"),
    (COUNTS, {"region": "±5 at 95%"}, None, "accuracy_column_unknown"),
    (COUNTS, {"x": "±5 at 95%"}, None, "accuracy_column_unknown"),
    (COUNTS, "±0.5 at 95%", None, "accuracy_out_of_reach"),
    (SQL, {"s": "±1 at 95%"}, None, "accuracy_out_of_reach"),
    (COUNTS, "±100 at 99%", None, "accuracy_invalid"),
    (COUNTS, "100 at 95%", None, "accuracy_invalid"),
    (COUNTS, "±100", None, "accuracy_invalid"),
    (COUNTS, "±0 at 95%", None, "accuracy_invalid"),
    (COUNTS, "±-1 at 95%", None, "accuracy_invalid"),
    (COUNTS, "±5 of 100 at 95%", None, "accuracy_invalid"),
    (COUNTS, "±5% of 0 at 95%", None, "accuracy_invalid"),
    (COUNTS, {}, None, "accuracy_invalid"),
    (COUNTS, ["±1 at 95%"], None, "accuracy_invalid"),
    (COUNTS, 5, None, "accuracy_invalid"),
    (COUNTS, "±" + "9" * 300 + " at 95%", None, "accuracy_invalid"),
    (COUNTS, "±5% at 95%", {"n": 0}, "request_invalid"),
    (COUNTS, "±5% at 95%", {"n": True}, "request_invalid"),
    (COUNTS, "±5% at 95%", [5], "request_invalid"),
    (COUNTS, None, {"n": 5}, "request_invalid"),
]


@pytest.mark.parametrize(("sql", "accuracy", "guesses", "code"), REFUSED)
def test_what_cannot_be_promised_is_refused(
    sql: str, accuracy: Any, guesses: Any, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        found(sql, Accountant.PURE_EPS, accuracy, guesses)
    assert refused.value.code == code
    assert refused.value.message("zh") != refused.value.message("en")


def test_out_of_reach_says_what_is_in_reach() -> None:
    with pytest.raises(Refused) as refused:
        found(SQL, Accountant.PURE_EPS, {"s": "±1 at 95%"})
    reached = refused.value.params["reached"]
    again = found(SQL, Accountant.PURE_EPS, {"s": f"±{Decimal(reached) * 2:f} at 95%"})
    assert again.planned.plan.loss.primary < NANO
    best = expected(drafted(SQL, Accountant.PURE_EPS).at(PrivacyLoss(BOTH[0], NANO, 0)).plan)[2]
    assert best is not None and best.half_width == pytest.approx(float(reached), rel=1e-3)
