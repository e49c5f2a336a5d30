"""Gate 1 for order statistics: without noise they are DuckDB's, within one bin of the grid over their bounds."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from policies.access.model import AccessPolicy, ColumnGrant
from policies.documents import load_access_policy
from policies.terms import ColumnUse, ValueBound
from sandbox.boundary import StepBase
from tests.corpus import world
from tests.lab.answers import loss_of
from tests.lab.bench import SOURCE, Bench, bench, uncapped
from tests.lab.declared import declare

QUESTIONS = (
    "SELECT median(income) FROM persons",
    "SELECT region, quantile_cont(income, 0.9) FROM persons GROUP BY region",
    "SELECT region, sex, quantile_disc(income, 0.1) FROM persons WHERE income > 100 GROUP BY ALL",
    "SELECT min(income), max(income) FROM persons",
    "SELECT icd, median(amount), max(amount) FROM claims GROUP BY icd",
    "SELECT quantile_cont(amount, 0.123) FILTER (WHERE icd = 'C50') FROM claims",
    "SELECT percentile_cont(0.75) WITHIN GROUP (ORDER BY amount DESC) FROM claims",
    "SELECT min(day), max(day), median(day), quantile_disc(day, 0.9) FROM claims",
    "SELECT icd, max(CAST(day AS TIMESTAMP)), median(day + 7) FROM claims GROUP BY icd",
    "SELECT min(month(day)), max(month(day)), median(month(day)), quantile_disc(year(day), 0.5) FROM claims",
    "SELECT median(first) FROM (SELECT person_id, min(day) AS first FROM claims GROUP BY person_id)",
    "SELECT median(CAST(income AS INTEGER)), quantile_disc(CAST(income AS INTEGER), 0.3) FROM persons",
    "SELECT max(amount) - min(amount) FROM claims",
    "SELECT median(income) FROM persons WHERE income < 0",
)


@pytest.fixture(scope="module")
def sound() -> Iterator[tuple[Bench, Path]]:
    with tempfile.TemporaryDirectory(prefix="orders-") as name:
        raw = Path(name) / SOURCE
        world.sound_database(raw)
        policy = with_days(load_access_policy(world.drafted_policy(raw), "drafted"))
        with bench(uncapped(declare(raw, policy)), policy, raw.parent) as found:
            yield found, raw


def with_days(policy: AccessPolicy) -> AccessPolicy:
    """Return the policy with days that may be aggregated, too."""
    days = ValueBound(date(2024, 1, 1), date(2024, 12, 31))

    def wider(grant: ColumnGrant) -> ColumnGrant:
        if grant.name != "day":
            return grant
        return replace(grant, uses=(*grant.uses, ColumnUse.AGGREGATE), bounds=days)

    tables = tuple(
        table
        if table.name != "claims"
        else replace(table, columns=tuple(wider(column) for column in table.columns))
        for table in policy.tables
    )
    return replace(policy, tables=tables)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_without_noise_it_is_duckdbs_within_one_bin(sound: tuple[Bench, Path], sql: str) -> None:
    here, raw = sound
    plan = here.plan(sql, here.policy.purposes[0].code, loss_of(here, {})).plan
    here.rehearse(plan)
    room = max(
        m.rank.bin_steps * (10.0 if m.step_base is StepBase.TEN else 2.0) ** -m.step_exponent
        for m in plan.measurement.moments
        if m.rank is not None
    )
    ours = {row[: len(plan.measurement.keys)]: row for row in values(here, plan)}
    with duckdb.connect(str(raw), read_only=True) as connection:
        theirs = connection.execute(sql).fetchall()
    assert theirs
    for row in theirs:
        for mine, other in zip(ours[row[: len(plan.measurement.keys)]], row, strict=True):
            assert near(mine, other, 2 * room), (mine, other, room)


def values(here: Bench, plan) -> list[tuple]:
    return [tuple(cell.value for cell in row) for row in here.exact(plan).rows]


def near(mine: object, other: object, room: float) -> bool:
    if isinstance(mine, (int, float, Decimal)) and isinstance(other, (int, float, Decimal)):
        return type(mine) is type(other) and abs(float(mine) - float(other)) <= room
    if isinstance(mine, date) and isinstance(other, date):
        seconds = (as_instant(mine) - as_instant(other)).total_seconds()
        return type(mine) is type(other) and abs(seconds) <= room * 86_400
    return mine == other


def as_instant(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)
