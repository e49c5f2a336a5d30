"""The attack on a group of one person: it shows as often as delta says and no more; with a threshold one lower, more.

One run gives thousands of independent trials: each person stands in a group of their own, and the database without the person
has no such group, so that every group shown is the event that delta allows.

False alarms: each bound is Clopper and Pearson's at 0.0005; with 60 000 trials at a rate of nearly 1 % the true rate is over
four standard errors from each line that a correct threshold must not cross.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal
from math import sqrt
from typing import Any
from unittest.mock import patch

import pytest
from scipy import stats

from policies import check_dataset
from policies.terms import (
    DELTA_UNIT,
    NANO,
    Accountant,
    ContributionBound,
    PrivacyLoss,
    SqlType,
    TypeKind,
)
from sandbox.boundary import Answered, Plan
from sandbox.privacy import partition_selection
from sandbox.privacy.measurements import calibrate
from sandbox.worker import query as worker
from sandbox.worker.present_keys import Present
from sandbox.worker.select_keys import select_keys
from tests.audit_dp.attack import ALPHA
from tests.fuzz.rows import write
from tests.fuzz.world import PURPOSE, Field, Sheet, World
from tests.lab.bench import SOURCE, Bench, bench, scratch
from tests.unit.selection_world import selection_of

PEOPLE = 5_000
RUNS = 12
ZCDP = Accountant.APPROX_ZCDP
DISTANCE = 8  # what the noise has to add to one person
QUESTION = "SELECT diary, count(*) FROM persons GROUP BY diary"

pytestmark = pytest.mark.statistical


def delta() -> int:
    """Return the delta for which the threshold is exactly DISTANCE above one person: nothing of it is left unspent."""
    scale = calibrate(ZCDP, 1, 1, PrivacyLoss(ZCDP, NANO // 20, 0))
    return partition_selection.delta_of(scale, 1, DISTANCE)


DELTA = delta()  # before any mutant is let in


@pytest.fixture(scope="module")
def where() -> Iterator[Bench]:
    """Everybody is in a group of their own; and a family may spend a delta that can be measured, which none may outside."""
    fields = (
        Field("person_id", SqlType(TypeKind.BIGINT)),
        Field("diary", SqlType(TypeKind.VARCHAR)),
    )
    bound = ContributionBound(1, 1, 1)
    world = World((Sheet("persons", fields, ("person_id",), "person_id", None, bound),), (), ZCDP)
    family = replace(world.dataset().family, units_declared_max=2 * PEOPLE, delta_total=DELTA_UNIT)
    policy = world.policy()
    policy = replace(
        policy,
        query=replace(policy.query, private_keys=True),
        budget=replace(policy.budget, delta_total=DELTA_UNIT),
    )
    rows = tuple((str(i), f"the diary of person {i}") for i in range(PEOPLE))
    with scratch() as folder:
        write(world, {"persons": rows}, folder / SOURCE)
        with (
            patch.object(check_dataset, "_DELTA_MARGIN", 0),
            bench(replace(world.dataset(), family=family), policy, folder) as opened,
        ):
            yield opened


def planned(where: Bench) -> Plan:
    return where.plan(QUESTION, PURPOSE, PrivacyLoss(ZCDP, NANO // 10, DELTA)).plan


def shown(where: Bench, plan: Plan) -> int:
    """Return how many groups of one person the whole worker shows in all runs."""
    found = 0
    for _ in range(RUNS):
        answer = worker.run(plan, where.connection, where.empty)
        assert isinstance(answer, Answered)
        found += len(answer.release.rows)
    return found


def rate_at_least(hits: int, trials: int) -> float:
    return float(stats.beta.ppf(ALPHA, hits, trials - hits + 1))


def test_a_person_alone_shows_with_probability_delta_and_no_more(where: Bench) -> None:
    plan = planned(where)
    chosen = plan.measurement.selection
    assert chosen is not None
    assert (chosen.units_least, chosen.threshold) == (1, 1 + DISTANCE)  # the case is tight
    surely = rate_at_least(shown(where, plan), RUNS * PEOPLE)
    assert 0.7 * DELTA <= surely * DELTA_UNIT <= DELTA


@contextmanager
def without_the_mass_at_the_threshold() -> Iterator[None]:
    """Compiler and worker agree on a bound of P(noise > distance): the defect of OpenDP 0.16's threshold measurements."""
    tail = partition_selection.tail

    def short(scale_hex: str, distance: int) -> Decimal:
        return Decimal(tail(scale_hex, distance + 1))

    partition_selection.threshold.cache_clear()
    with patch.object(partition_selection, "tail", short):
        yield
    partition_selection.threshold.cache_clear()


@contextmanager
def with_the_delta_of_one_group_for_all() -> Iterator[None]:
    """Compiler and worker forget that a unit may be alone in several groups."""
    original = partition_selection.delta_of

    def forgetful(scale_hex: str, groups_max: int, distance: int) -> int:
        return int(original(scale_hex, 1, distance))

    partition_selection.threshold.cache_clear()
    with patch.object(partition_selection, "delta_of", forgetful):
        yield
    partition_selection.threshold.cache_clear()


def test_a_threshold_without_the_mass_at_itself_is_caught(where: Bench) -> None:
    """The twin: were the attack blind, it would pass the test above with any threshold."""
    with without_the_mass_at_the_threshold():
        plan = planned(where)
        surely = rate_at_least(shown(where, plan), RUNS * PEOPLE)
    assert surely * DELTA_UNIT > DELTA


@pytest.mark.parametrize(
    ("mutant", "caught"), [(nullcontext, False), (with_the_delta_of_one_group_for_all, True)]
)
def test_a_unit_alone_in_several_groups_shows_in_any_of_them_with_probability_delta(
    mutant: Callable[[], AbstractContextManager[Any]], caught: bool
) -> None:
    groups, trials, claimed = 4, 20_000, DELTA_UNIT // 50
    with mutant():
        chosen = selection_of(claimed, NANO // 100, groups, 1)
    alone = Present((1,) * (groups * trials), ("",) * (groups * trials))
    with patch(
        "sandbox.worker.select_keys.delta_of", lambda *_: 0
    ):  # the worker's last check would see the mutant
        places = select_keys(replace(chosen, keys_max=groups * trials), groups, alone)
    hit = len({place // groups for place in places})
    surely = rate_at_least(hit, trials)
    assert (surely * DELTA_UNIT > claimed) is caught


def test_a_group_near_the_threshold_tells_no_more_than_rho_allows() -> None:
    """Shown or not, of groups that differ in one person: a shift by sqrt(2·rho) deviations (Bun and Steinke 2016, Prop. 1.6)."""
    rho, trials = NANO // 200, 60_000
    chosen = replace(selection_of(10**9, rho, 1, 1), keys_max=trials)
    rates = []
    for units in (chosen.threshold, chosen.threshold - 1):
        hits = len(select_keys(chosen, 1, Present((units,) * trials, ("",) * trials)))
        rates.append(hits)
    low = rate_at_least(rates[0], trials)
    high = float(stats.beta.ppf(1 - ALPHA, rates[1] + 1, trials - rates[1]))
    surely = float(stats.norm.ppf(low) - stats.norm.ppf(high))
    likely = float(stats.norm.ppf(rates[0] / trials) - stats.norm.ppf(rates[1] / trials))
    assert surely <= sqrt(2 * rho / NANO) <= 1.5 * likely
