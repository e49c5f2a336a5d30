"""Two neighbouring databases, brought in from scratch, asked the same question; and the best test between their answers.

Source   Distinguishing two Laplace (or Gaussian) laws that differ by a shift: the likelihood ratio is monotone, so a threshold
         is the most powerful test (Neyman and Pearson). Bounds on its two error rates: Clopper and Pearson 1934, exact.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import log
from pathlib import Path

import duckdb
from scipy import stats

from policies.documents import load_access_policy
from policies.terms import Accountant, PrivacyLoss
from sandbox.boundary import Measurement
from sandbox.privacy.measurements import calibrate
from sandbox.worker.add_noise import add_noise
from sandbox.worker.execute import ExactAggregates
from tests.corpus.world import drafted_policy
from tests.lab.bench import SOURCE, Bench, bench
from tests.lab.declared import declare

# Each of the two bounds fails with this probability, so a claim of both holds with 99.9 %.
ALPHA = 0.0005
PEOPLE = 40
_PERSONS = (
    "CREATE TABLE persons (person_id BIGINT PRIMARY KEY, name VARCHAR, id_card VARCHAR, region VARCHAR, birth DATE, "
    "sex VARCHAR, income DOUBLE)",
    "CREATE TABLE claims (claim_id BIGINT, person_id BIGINT, hospital VARCHAR, icd VARCHAR, amount DECIMAL(12,2), "
    "day DATE)",
    "CREATE TABLE weather (region VARCHAR, day DATE, rain_mm DOUBLE)",
)


def make_database(path: Path, people: int) -> None:
    """Make a database whose last person weighs as much as the declarations allow."""
    with duckdb.connect(str(path)) as connection:
        for statement in _PERSONS:
            connection.execute(statement)
        connection.execute(
            f"INSERT INTO persons SELECT i, 'n' || i, NULL, 'north', DATE '1980-01-01', 'F', 200000 "
            f"FROM range({people}) r(i)"
        )


@contextmanager
def opened(folder: Path, people: int) -> Iterator[Bench]:
    """Bring a database in and open its snapshot."""
    folder.mkdir()
    sources = folder / "source"
    sources.mkdir()
    make_database(sources / SOURCE, people)
    policy = load_access_policy(drafted_policy(sources / SOURCE), "drafted")
    with bench(declare(sources / SOURCE, policy), policy, sources) as found:
        yield found


def exact_pair(folder: Path, sql: str, loss: PrivacyLoss) -> tuple[Measurement, int, int]:
    """Return the measurement and its exact total with and without the last person."""
    totals = []
    for name, people in (("with", PEOPLE), ("without", PEOPLE - 1)):
        with opened(folder / name, people) as found:
            plan = found.plan(sql, "research", loss).plan
            totals.append(found.bounded(plan).moments[0][0])
    return plan.measurement, totals[0], totals[1]


def answers(measurement: Measurement, total: int, count: int) -> tuple[int, ...]:
    """Return many independent answers: the worker's own noise on the same exact total."""
    exact = ExactAggregates(((),) * count, ((total,) * count,))
    return add_noise(measurement, exact).moments[0]


def with_scale_halved(measurement: Measurement) -> Measurement:
    """Return the measurement with half the noise, claimed at the loss that half the noise really costs."""
    (moment,) = measurement.moments
    scale = (float.fromhex(moment.scale) / 2).hex()
    loss = replace(moment.loss, primary=moment.loss.primary * 4)
    return replace(measurement, moments=(replace(moment, scale=scale, loss=loss),))


def as_gaussian(measurement: Measurement, rho: int) -> Measurement:
    """Return the same measurement under zCDP, at a rho in nano."""
    (moment,) = measurement.moments
    loss = PrivacyLoss(Accountant.APPROX_ZCDP, rho, 0)
    scale = calibrate(loss.accountant, moment.sensitivity_l1, moment.sensitivity_l2_squared, loss)
    return replace(measurement, moments=(replace(moment, loss=loss, scale=scale),))


def rates(
    with_person: tuple[int, ...], without: tuple[int, ...], threshold: float
) -> tuple[float, float]:
    """Return a lower bound on the true-positive rate of `answer >= threshold` and an upper one on the false-positive rate."""
    hits = sum(answer >= threshold for answer in with_person)
    alarms = sum(answer >= threshold for answer in without)
    low = stats.beta.ppf(ALPHA, hits, len(with_person) - hits + 1)
    high = stats.beta.ppf(1 - ALPHA, alarms + 1, len(without) - alarms)
    return float(low), float(high)


def epsilon_at_least(
    with_person: tuple[int, ...], without: tuple[int, ...], threshold: float
) -> float:
    """Return an epsilon that the mechanism exceeds with confidence 1 - 2·ALPHA."""
    low, high = rates(with_person, without, threshold)
    return log(low / high)


def shift_at_least(
    with_person: tuple[int, ...], without: tuple[int, ...], threshold: float
) -> float:
    """Return a shift, in standard deviations of Gaussian noise, that the answers exceed with that confidence."""
    low, high = rates(with_person, without, threshold)
    return float(stats.norm.ppf(low) - stats.norm.ppf(high))
