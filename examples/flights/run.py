"""A year of flights out of New York, asked ten questions with differential privacy; exact answers beside them.

Run it   make flights, or python -m examples.flights.run [folder]
"""

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import hypot, log, sqrt
from pathlib import Path

from examples.flights import questions, stories
from examples.flights.exact import Exact, Owner
from examples.flights.fetch import FetchFailed, fetch
from examples.flights.node import AT_ONCE, Opened, opened
from examples.flights.same_sql import SameSql
from examples.flights.tell import beside, heading, held
from keyong.answer import Answer, Interval
from keyong.table import grid

FOLDER = Path(".keyong/flights")
DELTA = 1e-6
_USEFUL_MINUTES = 10.0
_AIRPORTS = ("EWR", "JFK", "LGA")


def main(folder: Path) -> int:
    """Tell the whole story."""
    began = time.monotonic()
    try:
        sources = fetch(folder)
    except FetchFailed as failed:
        print(f"the flights cannot be fetched here: {failed}", file=sys.stderr)
        return 1
    home = folder / "node"
    # Each run is a new node with a new budget: what a demonstration may do and a holder may not.
    shutil.rmtree(home, ignore_errors=True)
    owner = Owner(sources)
    with opened(home, sources) as node:
        print(f"node served after {time.monotonic() - began:.0f} s")
        _tell_report(node, owner)
        answers = _asked(node)
        _tell_carriers(answers["carriers"], owner)
        _tell_cancelled(answers["cancelled"], answers["scheduled"], owner)
        _tell_weather(answers["wet"], answers["dry"], owner)
        same = SameSql(sources)
        for story in stories.PAID:
            _tell_story(story, answers[story.question.name], same)
        _tell_free(node, same)
        _tell_budget(node)
    print(f"\ndone after {time.monotonic() - began:.0f} s")
    return 0


def _asked(node: Opened) -> Mapping[str, Answer]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda question: question.ask(node.analyst), questions.ALL)
        return dict(zip((q.name for q in questions.ALL), found, strict=True))


def _tell_report(node: Opened, owner: Owner) -> None:
    report = json.loads(node.report.read_text(encoding="utf-8"))
    flights = report["tables"]["flights"]
    print(f"the holder's report, for the holder alone: {report['units']:,} aeroplanes; of ", end="")
    print(
        f"{flights['rows_read']:,} flights {flights['dropped']['unit_missing']:,} name no ", end=""
    )
    print(
        f"aeroplane and were dropped; {flights['unresolved']['tailnum -> planes']:,} name one ",
        end="",
    )
    print("that is not in `planes` and stay")
    _, missing, cancelled = owner.without_aeroplane()
    print(
        f"the owner looks: {cancelled:,} of those {missing:,} were cancelled before one was assigned"
    )


def _tell_carriers(answer: Answer, owner: Owner) -> None:
    _tell("1. Flights and mean departure delay by carrier", questions.CARRIERS)
    every, clipped = owner.carriers()
    rows, inside = [], 0
    for record, bars in zip(answer.rows, answer.intervals, strict=True):
        key = (record[0],)
        inside += _holds(bars[1], clipped[key][0]) + _holds(bars[2], clipped[key][1])
        rows.append(
            [
                str(record[0]),
                _with_error(record[1], bars[1], 0),
                f"{clipped[key][0]:,.0f}",
                f"{every[key][0]:,.0f}",
                _with_error(record[2], bars[2], 1),
                f"{clipped[key][1]:.1f}",
                f"{every[key][1]:.1f}",
            ]
        )
    head = ["carrier", "flights", "clipped", "exact", "delay, min", "clipped", "exact"]
    print(grid(head, rows, [False] + [True] * 6))
    print(
        f"{inside} of {2 * len(rows)} clipped values lie in their 95 % interval; – is no use to anybody:"
    )
    print("a carrier of few flights drowns in the noise that hides one aeroplane of up to 350")


def _tell_cancelled(cancelled: Answer, scheduled: Answer, owner: Owner) -> None:
    _tell(
        "2. Share of cancelled flights by airport and month",
        questions.CANCELLED,
        questions.SCHEDULED,
    )
    every = _shares(owner.cancelled()[0], owner.scheduled()[0])
    clipped = _shares(owner.cancelled()[1], owner.scheduled()[1])
    cells, inside = {}, 0
    for part, whole, bar, bars in zip(
        cancelled.rows, scheduled.rows, cancelled.intervals, scheduled.intervals, strict=True
    ):
        key = (part[0], part[1])
        share, error = _ratio((part[2], bar[2]), (whole[2], bars[2]))
        inside += abs(share - clipped[key]) <= error
        cells[key] = f"{share:.1f} ±{error:.1f}  {clipped[key]:.1f}  {every[key]:.1f}"
    body = [[str(month), *(cells[(name, month)] for name in _AIRPORTS)] for month in range(1, 13)]
    head = ["month", *(f"{name}, %  clipped  exact" for name in _AIRPORTS)]
    print(grid(head, body, [True] * 4))
    print(
        f"{inside} of {len(cells)} clipped shares lie in their 95 % interval (noise of both parts, first order);"
    )
    print("the exact shares are higher: they count the cancelled flights that had no aeroplane yet")


def _tell_weather(wet: Answer, dry: Answer, owner: Owner) -> None:
    _tell("3. Mean departure delay by weather at the airport", questions.WET, questions.DRY)
    every, clipped = owner.weather()
    named = [
        (str(row[0]), row[1:], bars[1:]) for row, bars in zip(wet.rows, wet.intervals, strict=True)
    ]
    named.append(("dry", dry.rows[0], dry.intervals[0]))
    rows = [
        [
            weather,
            _with_error(values[0], bars[0], 0),
            f"{every[(weather,)][0]:,.0f}",
            _with_error(values[1], bars[1], 1),
            f"{clipped[(weather,)][1]:.1f}",
            f"{every[(weather,)][1]:.1f}",
        ]
        for weather, values, bars in named
    ]
    head = ["weather", "flights", "exact", "delay, min", "clipped", "exact"]
    print(grid(head, rows, [False] + [True] * 5))


def _tell_story(story: stories.Story, answer: Answer, same: SameSql) -> None:
    exact = same.answers(story.question)
    inside, intervals = held(answer, exact)
    print(heading(story.title, story.question))
    print(beside(answer, exact, story.drowned_above))
    print(f"{inside} of {intervals} declared values lie in their 95 % interval; {story.shows}")


def _tell_free(node: Opened, same: SameSql) -> None:
    print("\nAsked again, of what was measured above:")
    for story in stories.FREE:
        answer = story.question.ask(node.analyst)
        _tell_story(story, answer, same)
        print(f"charged: rho {answer.loss}")


def _tell_budget(node: Opened) -> None:
    for account in node.analyst.budgets():
        if account["account"] == "family/nyc_plane/lifetime":
            spent = float(account["spent"].split()[-1])
            print(f"\nspent of every aeroplane's lifetime: {account['spent']} of {account['cap']}")
            # Bun and Steinke 2016, proposition 1.3: a simple upper bound, the exact one is a little lower.
            epsilon = spent + 2 * sqrt(spent * log(1 / DELTA))
            print(
                f"for people: epsilon at most {epsilon:.1f} at delta {DELTA:g}, for all {len(questions.ALL)} queries together"
            )


def _tell(title: str, *asked: questions.Question) -> None:
    print(heading(title, *asked))


def _shares(parts: Exact, wholes: Exact) -> dict[tuple[object, ...], float]:
    return {key: 100 * parts[key][0] / wholes[key][0] for key in wholes}


def _ratio(
    part: tuple[object, Interval | None], whole: tuple[object, Interval | None]
) -> tuple[float, float]:
    """Return the share in percent and its 95 % error, to the first order of both errors."""
    (top, top_bar), (bottom, bottom_bar) = part, whole
    share = float(top) / float(bottom)  # type: ignore[arg-type]
    if top_bar is None or bottom_bar is None:
        raise ValueError("a count has an interval")
    relative = hypot(top_bar.half_width, share * bottom_bar.half_width) / float(bottom)  # type: ignore[arg-type]
    return 100 * share, 100 * relative


def _with_error(value: object, bar: Interval | None, places: int) -> str:
    if value is None or bar is None or (places and bar.half_width > _USEFUL_MINUTES):
        return "–"
    return f"{float(value):,.{places}f} ±{bar.half_width:,.{places}f}"  # type: ignore[arg-type]


def _holds(bar: Interval | None, value: float) -> bool:
    # Without an interval the answer says nothing, and that is true.
    return bar is None or float(bar.lower) <= value <= float(bar.upper)  # type: ignore[arg-type]


def _folder(arguments: Sequence[str]) -> Path:
    return Path(arguments[0]) if arguments else FOLDER


if __name__ == "__main__":
    sys.exit(main(_folder(sys.argv[1:])))
