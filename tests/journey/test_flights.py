"""A real year of flights, the whole way: fetched, ingested by a confined worker, asked over HTTP, held against the raw files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom, chi2

from examples.flights import questions
from examples.flights.exact import Exact, Owner
from examples.flights.fetch import FetchFailed, fetch
from examples.flights.node import opened
from gateway.isolation import choose_isolation
from keyong.answer import Answer

# Kept beside the project, so that the archive is fetched once.
FOLDER = Path(__file__).parents[2] / ".keyong" / "flights"
FALSE_ALARM = 1e-9
CARRIERS = 16


@dataclass(frozen=True, slots=True)
class Year:
    """One answer, the holder's report, and what the owner knows: exact flights and delays after the declared clipping."""

    answer: Answer
    report: dict[str, Any]
    exact: Exact


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    lack = choose_isolation("namespace", insecure=False, synthetic_only=False).lack()
    if lack:
        pytest.skip(f"workers cannot be isolated here: {lack}")
    try:
        sources = fetch(FOLDER)
    except FetchFailed as failed:
        pytest.skip(f"the flights cannot be fetched here: {failed}")
    with opened(tmp_path_factory.mktemp("flights") / "node", sources) as node:
        answer = questions.CARRIERS.ask(node.analyst)
        report = json.loads(node.report.read_text(encoding="utf-8"))["tables"]
    _, clipped = Owner(sources).carriers()
    yield Year(answer, report, clipped)


def errors_in_deviations(year: Year, shift: float) -> list[float]:
    """Return how far each carrier's count is from `shift` times its deviation beyond the exact one."""
    pairs = zip(year.answer.rows, year.answer.deviations, strict=True)
    return [
        (float(row[1]) - year.exact[(row[0],)][0]) / float(deviations[1]) - shift  # type: ignore[arg-type]
        for row, deviations in pairs
    ]


def plausible(errors: list[float]) -> bool:
    """Tell whether errors can be a normal law's: neither too many beyond 95 %, nor too large together.

    False alarm at most 10**-9: half for each of the two tests. An aeroplane that changed its carrier counts for one of
    them, by a choice that only the node knows; 17 did, which moves no carrier by a fifth of a deviation.
    """
    beyond = sum(abs(error) > 1.96 + 0.2 for error in errors)
    together = sum(max(0.0, abs(error) - 0.2) ** 2 for error in errors)
    return bool(
        binom.sf(beyond - 1, len(errors), 0.05) > FALSE_ALARM / 2
        and chi2.sf(together, len(errors)) > FALSE_ALARM / 2
    )


pytestmark = [pytest.mark.long, pytest.mark.isolation]


def test_rows_without_an_aeroplane_are_dropped_and_counted(year: Year) -> None:
    assert year.report["flights"]["dropped"] == {"unit_missing": 2512}
    assert year.report["cancellations"]["dropped"] == {"unit_missing": 2512}
    assert year.report["flights"]["rows_kept"] == 336_776 - 2512
    assert year.report["flights"]["unresolved"]["tailnum -> planes"] == 50_094


@pytest.mark.statistical
def test_the_exact_answer_lies_where_the_intervals_say(year: Year) -> None:
    """Sample size 16 carriers; false-alarm probability 10**-9, see `plausible`."""
    errors = errors_in_deviations(year, 0.0)
    assert len(errors) == CARRIERS
    assert plausible(errors)


@pytest.mark.statistical
def test_answers_around_another_truth_are_seen(year: Year) -> None:
    """The twin: the same answers around counts that are four deviations off. Misses with probability below 10**-9."""
    assert not plausible(errors_in_deviations(year, 4.0))


def test_every_carrier_is_there_and_the_delays_are_in_their_bounds(year: Year) -> None:
    """The largest five carriers' delays have deviations of about a minute: ten minutes off is no chance."""
    assert {row[0] for row in year.answer.rows} == {key[0] for key in year.exact}
    delays = [float(row[2]) for row in year.answer.rows if row[2] is not None]  # type: ignore[arg-type]
    assert all(-20 <= delay <= 120 for delay in delays)
    largest = year.answer.rows[:5]
    assert all(abs(float(row[2]) - year.exact[(row[0],)][1]) < 10 for row in largest)  # type: ignore[arg-type]
