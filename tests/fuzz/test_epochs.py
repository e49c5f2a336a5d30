"""A question is charged to every epoch whose rows it can count: no condition narrows the charge below what it lets through."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import duckdb
import pytest

from policies.catalogue import Catalogue
from policies.dataset import Dataset, Epoch, Grain
from policies.epochs import epoch_of
from policies.refusals import Refused
from sandbox.client import Question, plan
from sandbox.compiler import epochs
from sandbox.compiler.check import Asker
from tests.fuzz.expressions import Maker
from tests.fuzz.spellings import Named
from tests.fuzz.world import LOSS, PURPOSE
from tests.fuzz.worlds import people

WORLD = people()
DECLARED = {
    Grain.YEAR: ("2023", "2025"),
    Grain.QUARTER: ("2023-Q1", "2025-Q4"),
    Grain.MONTH: ("2023-01", "2025-12"),
}
DAYS = [date(2023, 1, 1) + timedelta(days=n) for n in range(0, 1096, 5)]
_FORMS = (
    "day >= DATE '{a}'",
    "day < DATE '{a}'",
    "DATE '{a}' <= day",
    "DATE '{a}' > day",
    "day = DATE '{a}'",
    "day BETWEEN DATE '{a}' AND DATE '{b}'",
    "day NOT BETWEEN DATE '{a}' AND DATE '{b}'",
    "day IN (DATE '{a}', DATE '{b}')",
    "day >= '{a}'",
    "CAST(day AS TIMESTAMP) < TIMESTAMP '{a} 12:00:00'",
    "TIMESTAMP '{a} 12:00:00' <= day",
    "day + 40 < DATE '{a}'",
    "year(day) = 2024",
    "date_trunc('quarter', day) >= DATE '{a}'",
    "NOT (day >= DATE '{a}')",
    "(day < DATE '{a}' OR day >= DATE '{b}')",
    "(day >= DATE '{a}') IS NOT TRUE",
    "day <> DATE '{a}'",
    "day IS DISTINCT FROM DATE '{a}'",
)


def dataset(grain: Grain) -> Dataset:
    made = WORLD.dataset()
    first, last = DECLARED[grain]
    tables = tuple(
        replace(table, epoch=Epoch("day", grain, first, last)) if table.name == "claims" else table
        for table in made.tables
    )
    return replace(made, tables=tables)


def condition(rng: Random) -> str:
    """Return a random condition on the day, as WHERE has it."""
    parts = []
    for _ in range(rng.randint(1, 3)):
        a, b = sorted(rng.sample(DAYS, 2))
        parts.append(rng.choice(_FORMS).format(a=a, b=b))
    if rng.random() < 0.3:
        named = Named("day", WORLD.sheet("claims").field("day"))
        parts.append(Maker(rng, (named,)).make("flag", 2).text)
    return " AND ".join(parts) if rng.random() < 0.8 else "(" + ") OR (".join(parts) + ")"


def charged(where: str, grain: Grain) -> frozenset[str] | None:
    """Return the epochs a question with this condition is charged to, or None if it is refused."""
    policy = WORLD.policy()
    catalogue = Catalogue(1, dataset(grain), "00" * 32, {}, ())
    asker = Asker(policy.operator.id, PURPOSE, policy.effective.start, suspended=False)
    sql = f"SELECT count(*) FROM claims WHERE {where}"
    try:
        return frozenset(plan(Question(sql, policy, catalogue, asker, LOSS)).epochs)
    except Refused:
        return None


def let_through(where: str, grain: Grain) -> frozenset[str]:
    """Return the epochs of the days for which plain DuckDB finds the condition true."""
    with duckdb.connect() as connection:
        days = ", ".join(f"(DATE '{day}')" for day in DAYS)
        try:
            found = connection.execute(
                f"SELECT day FROM (VALUES {days}) t(day) WHERE {where}"
            ).fetchall()
        except duckdb.Error:
            return frozenset()
    return frozenset(epoch_of(grain, day) for (day,) in found)


def undercharged(grain: Grain, questions: int) -> list[str]:
    rng, wrong = Random(11), []
    for _ in range(questions):
        where = condition(rng)
        found = charged(where, grain)
        if found is not None and not let_through(where, grain) <= found:
            wrong.append(where)
    return wrong


@pytest.mark.parametrize("grain", Grain)
def test_every_epoch_that_is_counted_is_charged(grain: Grain) -> None:
    assert undercharged(grain, 120) == []


@pytest.mark.parametrize("grain", Grain)
def test_a_condition_does_narrow_the_charge(grain: Grain) -> None:
    """Charging every epoch always would pass the test above, and cost an operator everything."""
    first = charged("day < DATE '2023-02-01'", grain)
    both = charged("day >= DATE '2023-01-01' AND day < DATE '2024-01-01'", grain)
    assert first is not None and both is not None
    assert 1 <= len(first) <= 2 and len(first) <= len(both) < len(charged("true", grain) or ())


def test_a_mirror_that_is_blind_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: a constant on the left is read as if it stood on the right."""
    monkeypatch.setattr(epochs, "_MIRROR", {})
    assert undercharged(Grain.MONTH, 120) != []
