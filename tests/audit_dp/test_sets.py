"""A person in several groups of one total: the attack finds nearly the whole loss of that total, and never more.

The total is made of all groups that the person keeps, so its answers shift by all of them. False alarms as in `test_tight.py`.
"""

from dataclasses import replace
from math import sqrt
from unittest.mock import patch

import pytest

from policies.terms import NANO
from sandbox.boundary import Plan
from sandbox.privacy import measurements
from sandbox.privacy.contribution import Reach
from sandbox.worker.execute import execute
from tests.audit_dp.attack import shift_at_least
from tests.unit.set_world import SHAPE, set_plan
from tests.unit.worker_world import REGIONS, SUM_UNITS, ZCDP, Row, snapshot

pytestmark = pytest.mark.statistical

RUNS = 20_000
SETS = ((0, 1, 2), ())


def rows(with_person: bool) -> list[Row]:
    """Return light people, and perhaps one in four groups with the largest sums."""
    found: list[Row] = [(unit, "east", 0, 1.0, "1.00", 1) for unit in "abxy"]
    if with_person:
        found += [("m", region, 1, 1.0, "1.00", 10**6) for region in REGIONS for _ in range(2)]
    return found


def plan() -> Plan:
    return set_plan(replace(SHAPE, aggregates=(SUM_UNITS,), loss=ZCDP), SETS)


def shift(measured: Plan, place: int) -> float:
    """Return the shift of one cell of a moment, in standard deviations, that the answers exceed."""
    totals = []
    for with_person in (True, False):
        with snapshot(rows(with_person)) as connection:
            totals.append(sum(execute(measured.measurement, connection).moments[place]))
    moment = measured.measurement.moments[place]
    high, low = (
        measurements.draw(moment.loss.accountant, moment.scale, (total,) * RUNS) for total in totals
    )
    return shift_at_least(high, low, sum(totals) / 2)


def allowed(measured: Plan, place: int) -> float:
    """Return the shift that the moment's rho allows (Bun and Steinke 2016, Proposition 1.6)."""
    return sqrt(2 * measured.measurement.moments[place].loss.primary / NANO)


def test_the_attack_on_a_total_finds_its_loss_and_no_more() -> None:
    measured = plan()
    found = shift(measured, 1)
    assert 0.7 * allowed(measured, 1) <= found <= allowed(measured, 1)


def test_noise_for_the_reach_of_the_finest_groups_is_too_little() -> None:
    """The twin: a claim that forgets that four groups fall together is attacked at twice its shift."""

    def forgetful(_keys: object, most: int, _chosen: object) -> Reach:
        return Reach(most, 1, most)

    with patch("tests.unit.set_world.reach_of", forgetful):
        measured = plan()
    assert shift(measured, 1) > 1.5 * allowed(measured, 1)
