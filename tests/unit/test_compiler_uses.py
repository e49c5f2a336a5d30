"""What decides inside a value filters, however deep it stands: a grant to add a column up is none to ask who has how much."""

import pytest

from policies.refusals import Refused
from policies.terms import ColumnUse
from sandbox.compiler import uses
from tests.unit.compiler_world import compiled, policy

RICH = "CASE WHEN income > 50000 THEN 1 ELSE 0 END"
ASKS_WHO = [
    f"SELECT sum({RICH}) FROM persons",
    f"SELECT sum(x) FROM (SELECT person_id, {RICH} AS x FROM persons)",
    f"SELECT sum(x) FROM (SELECT person_id, sum({RICH}) AS x FROM persons GROUP BY person_id)",
    f"SELECT sum(x) FROM (SELECT person_id, max({RICH}) AS x FROM persons GROUP BY person_id)",
    f"SELECT sum(x) FROM (SELECT sum({RICH}) OVER (PARTITION BY person_id) AS x FROM persons)",
    f"SELECT sum(x) FROM (SELECT person_id, {RICH} AS x FROM persons"
    " UNION ALL SELECT person_id, 0 FROM persons)",
    f"SELECT sum((SELECT max({RICH}) FROM persons q WHERE q.person_id = p.person_id))"
    " FROM persons p",
    "SELECT sum(x::INTEGER) FROM (SELECT person_id, bool_or(income > 50000) AS x"
    " FROM persons GROUP BY person_id)",
    "SELECT count(DISTINCT CASE WHEN income > 50000 THEN person_id END) FROM persons",
    "SELECT sum(coalesce(nullif(income, 7), -1)) FROM persons",
    "SELECT sum(x) FROM (SELECT person_id, arg_max(person_id % 2, income) AS x"
    " FROM persons GROUP BY person_id)",
]
ADDS_UP = [
    "SELECT sum(income) FROM persons",
    "SELECT sum(x) FROM (SELECT person_id, sum(income) AS x FROM persons GROUP BY person_id)",
    "SELECT avg(x) FROM (SELECT person_id, avg(income) OVER (PARTITION BY person_id) AS x"
    " FROM persons)",
    "SELECT sum(CASE WHEN insured THEN income END) FROM persons",
]
NO_FILTER = policy(withdrawn=("persons.income", ColumnUse.FILTER))


def uses_refused(sql: str) -> set[object]:
    """Return the uses that a question lacks when incomes may not be filtered by."""
    try:
        compiled(sql, granted=NO_FILTER)
    except Refused as refused:
        return {(g.column, g.use) for g in refused.needed_grants}
    return set()


@pytest.mark.parametrize("sql", ASKS_WHO)
def test_a_condition_filters_at_any_depth(sql: str) -> None:
    assert compiled(sql)
    assert uses_refused(sql) == {("income", "filter")}


@pytest.mark.parametrize("sql", ADDS_UP)
def test_adding_up_is_no_filter(sql: str) -> None:
    assert uses_refused(sql) == set()


def test_conditions_that_count_as_values_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: conditions are read as part of the value, and the questions about single people pass."""
    monkeypatch.setattr(uses, "_OF_VALUES", frozenset())
    assert [sql for sql in ASKS_WHO if not uses_refused(sql)]
