"""Gate 1 for modes: without noise they are DuckDB's up to ties, and what may not be a key is no choice."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from policies.access.model import ColumnGrant
from policies.refusals import Refused
from policies.terms import NANO, Accountant, AggregateName, ColumnUse, PrivacyLoss
from sandbox.boundary import RankSide
from tests.lab.bench import Bench
from tests.unit.test_quantiles_plain import sound, values

assert sound  # a fixture
LOSS = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
# the source of the rows, the key or none, the value, and which rows count
QUESTIONS = (
    ("persons", None, "sex", "true"),
    ("persons", "region", "sex", "income > 60000"),
    ("persons", "sex", "region", "true"),
    ("persons", "region", "year(birth)", "true"),
    ("persons", "region", "income > 30000", "true"),
    ("claims", None, "icd", "amount > 150"),
    ("claims", "hospital", "icd", "true"),
    ("claims", "icd", "day", "amount > 100"),
    ("claims", "icd", "month(day)", "true"),
    (
        "claims",
        None,
        "CASE WHEN amount > 200 THEN 'dear' WHEN amount > 100 THEN 'fair' END",
        "true",
    ),
    (
        "(SELECT person_id, mode(icd) AS often FROM claims GROUP BY person_id)",
        None,
        "often",
        "true",
    ),
)


@pytest.mark.parametrize(("source", "key", "value", "where"), QUESTIONS)
def test_without_noise_no_value_is_commoner(
    sound: tuple[Bench, Path], source: str, key: str | None, value: str, where: str
) -> None:
    here, raw = sound
    shown, grouped = (f"{key}, ", f" GROUP BY {key}") if key else ("", "")
    filtered = "" if where == "true" else f" FILTER (WHERE {where})"
    sql = f"SELECT {shown}mode({value}){filtered} FROM {source}{grouped}"
    plan = here.plan(sql, here.policy.purposes[0].code, LOSS).plan
    here.rehearse(plan)
    ours = {row[:-1]: row[-1] for row in values(here, plan)}
    with duckdb.connect(str(raw), read_only=True) as connection:
        counted = connection.execute(
            f"SELECT {shown}{value} AS v, count(*) FROM {source} WHERE {where} AND {value} IS NOT NULL"
            f" GROUP BY ALL"
        ).fetchall()
    assert counted
    groups: dict[tuple[object, ...], dict[object, int]] = {}
    for *of, found, rows in counted:
        groups.setdefault(tuple(of), {})[found] = rows
    for group, seen in groups.items():
        assert ours[group] == min(v for v in seen if seen[v] == max(seen.values()))  # type: ignore[type-var]
        assert type(ours[group]) is type(next(iter(seen)))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT mode(name) FROM persons",
        "SELECT mode(upper(sex)) FROM persons",
        "SELECT mode(birth) FROM persons",
        "SELECT mode(DISTINCT sex) FROM persons",
        "SELECT mode() WITHIN GROUP (ORDER BY sex) FROM persons",
        "SELECT sex, mode(region) FROM persons GROUP BY ROLLUP (sex)",
        "SELECT day, mode(day) FROM claims GROUP BY day, icd",
    ],
)
def test_what_is_no_choice_is_refused(sound: tuple[Bench, Path], sql: str) -> None:
    here, _ = sound
    with pytest.raises(Refused) as caught:
        here.plan(sql, here.policy.purposes[0].code, LOSS)
    wanted = (
        "sql_argument_refused",
        "sql_feature_refused",
        "too_few_bins",
        "column_use_not_granted",
    )
    assert caught.value.code in wanted


def test_a_mode_asks_for_the_use_of_a_key_and_for_its_name(sound: tuple[Bench, Path]) -> None:
    here, _ = sound
    plan = here.plan("SELECT mode(sex) FROM persons", here.policy.purposes[0].code, LOSS).plan
    assert [each.name for each in plan.aggregates] == [AggregateName.MODE]
    rank = plan.measurement.moments[0].rank
    assert rank is not None and rank.side is RankSide.MOST and rank.choices == ("F", "M")
    tables = tuple(
        replace(table, columns=tuple(map(without_group, table.columns)))
        for table in here.policy.tables
    )
    others = tuple(name for name in AggregateName if name is not AggregateName.MODE)
    query = replace(here.policy.query, aggregates=others)
    for policy, code in (
        (replace(here.policy, tables=tables), "column_use_not_granted"),
        (replace(here.policy, query=query), "aggregate_not_granted"),
    ):
        with pytest.raises(Refused) as caught:
            replace(here, policy=policy).plan(
                "SELECT mode(sex) FROM persons", policy.purposes[0].code, LOSS
            )
        assert caught.value.code == code


def without_group(grant: ColumnGrant) -> ColumnGrant:
    return replace(grant, uses=tuple(use for use in grant.uses if use is not ColumnUse.GROUP))
