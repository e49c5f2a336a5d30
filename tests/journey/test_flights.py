"""A real year of flights, the whole way: fetched, ingested by a confined worker, asked over HTTP, held against the raw files."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom, chi2

from examples.flights import questions
from examples.flights.exact import Exact, Owner
from examples.flights.fetch import FetchFailed, fetch
from examples.flights.node import AT_ONCE, opened
from examples.flights.questions import Question
from examples.flights.same_sql import Beside, SameSql
from gateway.isolation import choose_isolation
from keyong.answer import Answer

# Kept beside the project, so that the archive is fetched once.
FOLDER = Path(__file__).parents[2] / ".keyong" / "flights"
FALSE_ALARM = 1e-9
CARRIERS = 16
# Of the paid questions those whose bounds lose nothing: the noise is then centred on what plain DuckDB says. The others
# are asked by `make flights`. Three at a time wait for the same instant, so six take two rounds.
ASKED = (
    questions.CARRIERS,
    questions.SCHEDULED,
    questions.USUAL,
    questions.REPEATED,
    questions.THANKSGIVING,
    questions.NEVER,
)
# A count of aeroplanes has this deviation or less at the loss it is asked with.
COUNTED = (questions.REPEATED, questions.THANKSGIVING, questions.NEVER)


@dataclass(frozen=True, slots=True)
class Year:
    """All answers, the holder's report, and what the owner knows: exact flights and delays after the declared clipping.

    `beside` is the same SQL by plain DuckDB; `again` are the free questions, asked after those they follow from.
    """

    answers: Mapping[str, Answer]
    again: Mapping[str, Answer]
    report: dict[str, Any]
    exact: Exact
    beside: Mapping[str, Beside]

    @property
    def answer(self) -> Answer:
        """Return flights and delay by carrier."""
        return self.answers[questions.CARRIERS.name]


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
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda question: question.ask(node.analyst), ASKED))
        again = {free.name: free.ask(node.analyst) for free, _ in questions.FREE}
        report = json.loads(node.report.read_text(encoding="utf-8"))["tables"]
    _, clipped = Owner(sources).carriers()
    same = SameSql(sources)
    yield Year(
        {question.name: answer for question, answer in zip(ASKED, found, strict=True)},
        again,
        report,
        clipped,
        {question.name: same.answers(question) for question in (*COUNTED, questions.USUAL)},
    )


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


def counts(year: Year, question: Question, shift: float) -> list[float]:
    """Return how many deviations each count of aeroplanes is off the owner's, were that `shift` deviations larger."""
    at = next(i for i, c in enumerate(year.answers[question.name].columns) if c.type == "BIGINT" and c.noisy)  # fmt: skip
    answer, exact = year.answers[question.name], year.beside[question.name].declared
    truth = {row[:at]: row[at] for row in exact}
    return [
        (float(row[at]) - float(truth[row[:at]])) / float(deviations[at]) - shift  # type: ignore[arg-type]
        for row, deviations in zip(answer.rows, answer.deviations, strict=True)
    ]


@pytest.mark.statistical
@pytest.mark.parametrize("question", COUNTED, ids=lambda question: question.name)
def test_counts_of_aeroplanes_are_those_of_the_same_sql(year: Year, question: Question) -> None:
    """An aeroplane is one row here, so no bound cuts. False alarm 10**-9 at 6.2 deviations, for each count."""
    errors = counts(year, question, 0.0)
    assert errors and all(abs(error) < 6.2 for error in errors)


@pytest.mark.statistical
@pytest.mark.parametrize("question", COUNTED, ids=lambda question: question.name)
def test_another_count_would_be_seen(year: Year, question: Question) -> None:
    """The twin: counts 13 deviations off are missed with probability below 10**-9."""
    assert not any(abs(error) < 6.2 for error in counts(year, question, 13.0))


def test_the_usual_delay_of_the_largest_fleets_is_found(year: Year) -> None:
    """Fleets of hundreds: the middle ten minutes off would be a hundred ranks, and the noise is some ten."""
    noisy = {row[0]: float(row[1]) for row in year.answers[questions.USUAL.name].rows if row[1] is not None}  # type: ignore[arg-type]  # fmt: skip
    exact = {row[0]: float(row[1]) for row in year.beside[questions.USUAL.name].declared}  # type: ignore[arg-type]
    assert all(abs(noisy[name] - exact[name]) < 10 for name in ("UA", "EV", "DL", "B6"))


def test_what_was_measured_is_had_again_for_nothing(year: Year) -> None:
    assert all(answer.reused and answer.loss == 0 for answer in year.again.values())
    paid = {row[0]: row[1] for row in year.answer.rows}
    top = year.again[questions.TOP.name].rows
    assert len(top) == 5 and all(paid[row[0]] == row[2] for row in top)
    assert [row[1] for row in top] == sorted(row[1] for row in top)  # type: ignore[type-var]
    months = [0] * 12
    for _, month, flights in year.answers[questions.SCHEDULED.name].rows:
        months[int(month) - 1] += int(flights)  # type: ignore[arg-type]
    growth = year.again[questions.GROWTH.name].rows
    assert [row[1] for row in growth] == months
    assert [row[2] for row in growth] == [sum(months[max(0, i - 2) : i + 1]) for i in range(12)]
