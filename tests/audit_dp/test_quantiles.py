"""An attack on a released rank, from raw rows to the chosen bin: it finds nearly the whole loss and never more.

The tight case: two people in a bin a tenth of the way up, and one at the very top who is there or is not. With that person the
median lies higher, so bins below the two lose and bins above gain, together by the whole loss; the fewer bins lie below, the
closer the odds of `a bin below` come to it.

False alarms: as in test_tight.py; at these sizes the bounds are more than four standard errors from the true loss.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from policies.documents import load_access_policy
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import Measurement
from sandbox.privacy import measurements
from sandbox.worker.add_noise import add_noise
from sandbox.worker.execute import ExactAggregates
from tests.audit_dp.attack import epsilon_at_least, make_database
from tests.corpus.world import drafted_policy
from tests.lab.bench import SOURCE, Bench, bench
from tests.lab.declared import declare

RUNS = 24_000
BINS = 40
PURE = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
LOSS = PrivacyLoss(Accountant.PURE_EPS, 2 * NANO, 0)  # of the choice alone

pytestmark = [pytest.mark.statistical, pytest.mark.long]


@contextmanager
def opened(folder: Path, person: bool) -> Iterator[Bench]:
    folder.mkdir()
    make_database(folder / SOURCE, 3 if person else 2)
    with duckdb.connect(str(folder / SOURCE)) as connection:
        connection.execute("UPDATE persons SET income = 20000 WHERE person_id < 2")
    policy = load_access_policy(drafted_policy(folder / SOURCE), "drafted")
    with bench(declare(folder / SOURCE, policy), policy, folder) as found:
        yield found


def coarse(measurement: Measurement) -> Measurement:
    """Return the answer alone, at a loss that few runs can tell, over few bins: 65 536 of them would take hours."""
    moment = measurement.moments[0]
    assert moment.rank is not None
    width = -(-(moment.row_upper - moment.row_lower + 1) // BINS)
    scale = measurements.calibrate_choice(LOSS.accountant, moment.sensitivity_l1, 1, LOSS)
    rank = replace(moment.rank, bin_steps=width)
    narrowed = replace(moment, rank=rank, loss=LOSS, scale=scale)
    return replace(measurement, moments=(narrowed,))


def exact_pair(folder: Path) -> tuple[Measurement, tuple[int, ...], tuple[int, ...]]:
    """Return the measurement and its rows per bin with and without the person."""
    found = []
    for name, person in (("with", True), ("without", False)):
        with opened(folder / name, person) as here:
            plan = here.plan("SELECT median(income) FROM persons", "research", PURE).plan
            measurement = coarse(plan.measurement)
            width = measurement.moments[0].rank.bin_steps  # type: ignore[union-attr]
            fine = plan.measurement.moments[0].rank.bin_steps  # type: ignore[union-attr]
            counts = [0] * BINS
            for index, rows in enumerate(here.bounded(plan).moments[0]):
                counts[index * fine // width] += rows
            found.append(tuple(counts))
    return measurement, found[0], found[1]


def answers(measurement: Measurement, counts: tuple[int, ...]) -> tuple[int, ...]:
    keys = tuple((i,) for i in range(RUNS))
    return tuple(
        -b for b in add_noise(measurement, ExactAggregates(keys, (counts * RUNS,))).moments[0]
    )


def found_epsilon(measurement: Measurement, pair: tuple[tuple[int, ...], ...]) -> float:
    with_person, without = (answers(measurement, counts) for counts in pair)
    (place,) = [index for index, rows in enumerate(pair[1]) if rows]
    return epsilon_at_least(without, with_person, -(place - 1))


def test_the_attack_finds_the_loss_of_the_choice_and_no_more(tmp_path: Path) -> None:
    measurement, *pair = exact_pair(tmp_path)
    assert [sum(counts) for counts in pair] == [3, 2]
    (moment,) = measurement.moments
    loss = moment.loss.primary / NANO
    assert 0.7 * loss <= found_epsilon(measurement, tuple(pair)) <= loss


def test_the_attack_finds_more_where_the_noise_is_halved(tmp_path: Path) -> None:
    """The twin: were the attack blind, it would pass the test above with any noise."""
    measurement, *pair = exact_pair(tmp_path)
    (moment,) = measurement.moments
    scale = (float.fromhex(moment.scale) / 2).hex()
    dearer = replace(moment.loss, primary=moment.loss.primary * 2)
    halved = replace(measurement, moments=(replace(moment, scale=scale, loss=dearer),))
    measurements.prove_choice(Accountant.PURE_EPS, moment.sensitivity_l1, 1, scale, dearer)
    assert found_epsilon(halved, tuple(pair)) > moment.loss.primary / NANO
