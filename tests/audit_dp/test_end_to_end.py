"""The audit through everything an answer goes through: compiled, accepted, measured, drawn, finished, and over the wire.

One run gives thousands of independent answers: in each of many groups stands one person of the largest weight or nobody, and
a person is in one group only. So an occupied group is a draw from the database with that person, an empty one a draw from the
database without, and the two are neighbours in that group. A sample of runs goes through the confined worker itself.

False alarms: as in test_tight.py; 24 000 answers on each side in this process and 8 000 through the confined worker keep the
bounds more than four standard errors from the true loss.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from math import log
from typing import Any
from unittest.mock import patch

import pytest
from scipy import stats

from policies.terms import NANO, Accountant, ContributionBound, PrivacyLoss, SqlType, TypeKind
from sandbox.boundary import Answered, Plan, Release
from sandbox.client import Failed, run
from sandbox.privacy import measurements
from sandbox.runtimes.base import Unavailable
from sandbox.runtimes.list import RUNTIMES
from sandbox.worker import query as worker
from tests.audit_dp.attack import ALPHA
from tests.fuzz.rows import write
from tests.fuzz.world import LOSS, PURPOSE, Field, Sheet, World
from tests.lab.bench import RUN_LIMITS, SOURCE, Bench, bench, scratch

GROUPS = 4_000
RUNS_HERE = 12
RUNS_CONFINED = 4
WEIGHT = 1_000
QUESTIONS = {
    "count": "SELECT slot, count(*) AS n FROM persons GROUP BY slot",
    "sum": "SELECT slot, sum(income) AS n FROM persons GROUP BY slot",
}
STEPS = {"count": 1.0, "sum": float(WEIGHT)}
Answers = tuple[tuple[float, ...], tuple[float, ...]]

pytestmark = pytest.mark.statistical


def slots() -> World:
    """Return people who stand in one slot each; income at its upper bound is the most one of them can weigh."""
    whole = SqlType(TypeKind.INTEGER)
    persons = Sheet(
        "persons",
        (
            Field("person_id", SqlType(TypeKind.BIGINT)),
            Field("slot", whole, bounds=(Decimal(0), Decimal(GROUPS - 1))),
            Field("income", whole, bounds=(Decimal(0), Decimal(WEIGHT))),
        ),
        key=("person_id",),
        unit="person_id",
        contribution=ContributionBound(1, 1, 1),
    )
    return World((persons,), ())


@pytest.fixture(scope="module")
def where() -> Iterator[Bench]:
    """Every even slot holds one person, every odd one nobody."""
    world = slots()
    rows = tuple((str(i), str(i), str(WEIGHT)) for i in range(0, GROUPS, 2))
    with scratch() as folder:
        write(world, {"persons": rows}, folder / SOURCE)
        with bench(world.dataset(), world.policy(), folder) as opened:
            yield opened


def planned(where: Bench, question: str) -> Plan:
    made = where.plan(QUESTIONS[question], PURPOSE, LOSS).plan
    claim = made.measurement.moments[0]
    assert claim.sensitivity_l1 == STEPS[question]  # the case is tight
    return made


def here(where: Bench, plan: Plan) -> Release:
    answer = worker.run(plan, where.connection, where.empty)
    assert isinstance(answer, Answered)
    return answer.release


def confined(where: Bench, plan: Plan) -> Release:
    runtime = RUNTIMES["namespace"]()
    if isinstance(runtime.probe(), Unavailable):
        pytest.skip("this machine cannot isolate a worker")
    answer = run(plan, where.snapshot, runtime, RUN_LIMITS)
    assert not isinstance(answer, Failed)
    return answer.release


def collected(ask: Callable[[], Release], runs: int) -> Answers:
    """Return the answers of occupied and of empty groups."""
    occupied: list[float] = []
    empty: list[float] = []
    for _ in range(runs):
        for slot, noisy in ask().rows:
            side = empty if int(str(slot.value)) % 2 else occupied
            side.append(float(str(noisy.value)))
    assert len(occupied) == len(empty) == runs * GROUPS // 2
    return tuple(occupied), tuple(empty)


def epsilon_between(answers: Answers, threshold: float) -> tuple[float, float]:
    """Return the loss that the answers show at least, and the best estimate of it."""
    occupied, empty = answers
    hits = sum(answer >= threshold for answer in occupied)
    alarms = sum(answer >= threshold for answer in empty)
    low = float(stats.beta.ppf(ALPHA, hits, len(occupied) - hits + 1))
    high = float(stats.beta.ppf(1 - ALPHA, alarms + 1, len(empty) - alarms))
    return log(low / high), log((hits / len(occupied)) / (alarms / len(empty)))


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_whole_worker_loses_the_declared_epsilon_and_no_more(
    where: Bench, question: str
) -> None:
    answers = collected(partial(here, where, planned(where, question)), RUNS_HERE)
    surely, _ = epsilon_between(answers, STEPS[question])
    assert 0.7 <= surely <= 1.0


@pytest.mark.isolation
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_confined_worker_loses_the_declared_epsilon_and_no_more(
    where: Bench, question: str
) -> None:
    answers = collected(partial(confined, where, planned(where, question)), RUNS_CONFINED)
    surely, _ = epsilon_between(answers, STEPS[question])
    assert 0.7 <= surely <= 1.0


@pytest.mark.parametrize("question", QUESTIONS)
def test_half_the_noise_is_found_out(where: Bench, question: str) -> None:
    """The twin: the same plan and the same attack, but the dice are drawn at half the proven scale."""
    made = planned(where, question)
    honest = measurements.draw

    def halved(accountant: Accountant, scale: str, totals: tuple[int, ...]) -> tuple[int, ...]:
        return honest(accountant, (float.fromhex(scale) / 2).hex(), totals)

    with patch.object(measurements, "draw", halved):
        answers = collected(partial(here, where, made), RUNS_HERE)
    surely, _ = epsilon_between(answers, STEPS[question])
    assert surely > 1.0


def test_half_the_loss_tells_half_as_much(where: Bench) -> None:
    """The loss that is charged is the loss that is had: at epsilon 0.5 the same attack finds at most 0.5."""
    loss = PrivacyLoss(Accountant.PURE_EPS, NANO // 2, 0)
    made: Any = where.plan(QUESTIONS["count"], PURPOSE, loss).plan
    surely, about = epsilon_between(collected(partial(here, where, made), RUNS_HERE), 1.0)
    assert surely <= 0.5 and 0.35 <= about
