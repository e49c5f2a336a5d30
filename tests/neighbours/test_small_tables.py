"""Gate 2 on tables small enough to read: hypothesis makes them, and shrinks what it finds to the rows that matter."""

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.rows import Row, Rows, units_of, without
from tests.fuzz.world import LOSS, PURPOSE
from tests.fuzz.worlds import people
from tests.mutants.clipping import partial_clipped_one_step_late
from tests.neighbours.pairs import opened, seen, violations

WORLD = people(groups=2, with_items=False)
EXAMPLES = 18
QUESTIONS = (
    "SELECT sum(amount) FROM claims",
    "SELECT icd, count(*), sum(amount) FROM claims GROUP BY icd",
    "SELECT count(DISTINCT person_id), avg(-amount) FROM claims WHERE icd <> 'E11'",
    "SELECT month(day), hospital, count(*) FROM claims GROUP BY ALL HAVING count(*) > 0",
    "SELECT p.region, sum(c.amount) FROM persons p JOIN claims c ON p.person_id = c.person_id GROUP BY p.region",
    "SELECT max(n), sum(s) / sum(n) FROM (SELECT icd, count(*) AS n, sum(amount) AS s FROM claims GROUP BY 1) WHERE n > 0",
    "SELECT icd, rank() OVER (ORDER BY count(*) DESC), count(*) / sum(count(*)) OVER () FROM claims GROUP BY icd",
)
_UNITS = st.sampled_from(("-1", "0", "1", "2", "17", None))


def _claims() -> st.SearchStrategy[tuple[Row, ...]]:
    claim = st.tuples(
        st.sampled_from(("1", "1", "1", "2", "-1", None)),  # one of them has more than the others
        st.sampled_from(("h1", "h2", None)),
        st.sampled_from(("C50", "C61", "E11", "E11", "Z99")),
        st.sampled_from(("10.00", "-49.99", "99999.00", "99999.00", None)),
        st.sampled_from(("2024-01-31", "2024-02-01", "2024-03-01", "2023-12-31", None)),
    )
    return st.lists(claim, min_size=4, max_size=24).map(
        lambda rows: tuple((str(n), *row, None) for n, row in enumerate(rows))
    )


def _persons() -> st.SearchStrategy[tuple[Row, ...]]:
    person = st.tuples(_UNITS, st.sampled_from(("north", "south", None)))
    return st.lists(person, max_size=6, unique_by=lambda row: row[0]).map(
        lambda rows: tuple(
            (unit, "n", region, "F", None, "1.5", "1", "true") for unit, region in rows
        )
    )


def _tables() -> st.SearchStrategy[Rows]:
    weather: tuple[Row, ...] = (("north", "2024-02-01", "3"),)
    return st.builds(
        lambda persons, claims: {"persons": persons, "claims": claims, "weather": weather},
        _persons(),
        _claims(),
    )


def told_apart(rows: Rows, data: Any) -> list[str]:
    units = units_of(WORLD, rows)
    if not units:
        return []
    unit = data.draw(st.sampled_from(units))
    with opened(WORLD, rows) as full, opened(WORLD, without(WORLD, rows, unit)) as less:
        found = []
        for sql in QUESTIONS:
            plan = full.plan(sql, PURPOSE, LOSS).plan
            found += [f"{p}: {sql}" for p in violations(plan, seen(full, plan, None), less)]
    return found


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(rows=_tables(), data=st.data())
def test_no_small_table_tells_its_neighbour_apart(rows: Rows, data: Any) -> None:
    assert told_apart(rows, data) == []


def _seeded_bug_is_found(mutant: Any) -> bool:
    # the first example that shows the bug is enough here: no shrinking
    @settings(max_examples=60, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(rows=_tables(), data=st.data())
    def search(rows: Rows, data: Any) -> None:
        if told_apart(rows, data):
            raise LookupError

    with mutant():
        try:
            search()
        except LookupError:
            return True
    return False


def test_hypothesis_finds_a_clip_that_is_one_step_late() -> None:
    assert _seeded_bug_is_found(partial_clipped_one_step_late)
