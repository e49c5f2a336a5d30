"""One file, three uses: the text is compared, the plan is run on neighbours, and the page is read by people."""

import duckdb
import pytest

from policies.refusals import Refused
from sandbox.boundary import UNIT_COLUMN, Measurement
from sandbox.worker.engine import open_empty
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.twin_tables import empty_twin, fill_twin
from tests.golden.cases import Case, golden_files, read_cases, write_cases
from tests.golden.follow import LIMITS, followed, plan_of
from tests.neighbours.pairs import moves_of

CASES = {
    f"{file.stem}-{index}": case
    for file in golden_files()
    for index, case in enumerate(read_cases(file))
}
UNITS = (0, 1, 5)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_question_still_becomes_the_same_plan(case: Case) -> None:
    assert case.sections == followed(case).sections, "run `make golden` and read the diff"


def test_the_files_hold_enough_and_are_written_in_one_form(tmp_path) -> None:
    assert len(CASES) >= 12
    for file in golden_files():
        written = tmp_path / file.name
        write_cases(written, read_cases(file))
        assert written.read_text(encoding="utf-8") == file.read_text(encoding="utf-8")


def totals(measurement: Measurement, without: int | None) -> ExactAggregates:
    """Run the plan over tables of extremes, with or without one unit."""
    with open_empty(LIMITS) as connection:
        empty_twin(measurement, connection)
        fill_twin(measurement, connection)
        if without is not None:
            leave(measurement, connection, without)
        return execute(measurement, connection)


def aligned(full: ExactAggregates, less: ExactAggregates) -> tuple[tuple[int, ...], ...]:
    """Return the vectors of `less` over the groups of `full`. Groups that rows decide are found by their keys."""
    if full.present is None or less.present is None:
        return less.moments
    places = {key: place for place, key in enumerate(less.keys)}
    gone = set(full.keys) - places.keys()
    # who leaves takes groups along that nobody else is in, and brings none about
    assert set(less.keys) <= set(full.keys)
    assert all(full.present.units[full.keys.index(key)] == 1 for key in gone)
    return tuple(
        tuple(vector[places[key]] if key in places else 0 for key in full.keys)
        for vector in less.moments
    )


def leave(measurement: Measurement, connection: duckdb.DuckDBPyConnection, unit: int) -> None:
    for table in {scan.table for scan in measurement.scans if scan.private}:
        connection.execute(f'DELETE FROM "{table}" WHERE {UNIT_COLUMN} = {unit}')


def largest_moves(measurement: Measurement) -> list[tuple[int, int]]:
    """Return the largest L1 and squared L2 move of each moment over the units that leave."""
    full = totals(measurement, None)
    found = [(0, 0)] * len(full.moments)
    for unit in UNITS:
        less = aligned(full, totals(measurement, unit))
        for index, (a, b) in enumerate(zip(full.moments, less, strict=True)):
            steps = list(map(abs, moves_of(measurement.moments[index], a, b)))
            l1, l2 = found[index]
            found[index] = max(l1, sum(steps)), max(l2, sum(step * step for step in steps))
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_printed_sensitivity_holds_on_neighbours(case: Case) -> None:
    try:
        measurement = plan_of(case).measurement
    except Refused:
        assert case.sections[1][0].startswith("refused ")
        return
    claims = [(m.sensitivity_l1, m.sensitivity_l2_squared) for m in measurement.moments]
    for (l1, l2), (claimed_l1, claimed_l2) in zip(largest_moves(measurement), claims, strict=True):
        assert (l1, l2) <= (claimed_l1, claimed_l2)
        assert l2 <= claimed_l2


def test_some_unit_really_moves_some_moment() -> None:
    """The twin of the test above: were nobody in the tables, it could not fail."""
    moved = 0
    for case in CASES.values():
        if case.sections[1][0] == "plan":
            moved += any(l1 for l1, _ in largest_moves(plan_of(case).measurement))
    assert moved >= 6
