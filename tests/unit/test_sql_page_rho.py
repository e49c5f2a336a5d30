"""The examples of docs/SQL.md that need rho and delta, asked of the same domain without lists of hospitals and codes."""

import re
from dataclasses import replace

import pytest

from policies.access.model import AccessPolicy
from policies.catalogue import Catalogue
from policies.refusals import Refused
from policies.terms import NANO, Accountant, ColumnUse, PrivacyLoss
from sandbox.client import Planned, Question, plan
from tests.unit.test_sql_page import ASKER, CATALOGUE, PAGE, POLICY

ZCDP = Accountant.APPROX_ZCDP
EXAMPLES = [
    statement.strip()
    for block in re.findall(r"```sql rho\n(.*?)```", PAGE, re.DOTALL)
    for statement in block.split(";")
]


def catalogue() -> Catalogue:
    family = replace(CATALOGUE.dataset.family, accountant=ZCDP, delta_total=10**11)
    return replace(CATALOGUE, dataset=replace(CATALOGUE.dataset, family=family))


def policy(private_keys: bool) -> AccessPolicy:
    tables = tuple(
        replace(
            table,
            columns=tuple(
                replace(c, domain=None) if c.name in ("hospital", "icd") else c
                for c in table.columns
            ),
        )
        for table in POLICY.tables
    )
    amount = [c for t in tables if t.name == "claims" for c in t.columns if c.name == "amount"]
    grouped = replace(amount[0], uses=(*amount[0].uses, ColumnUse.GROUP))
    tables = tuple(
        replace(t, columns=tuple(grouped if c == amount[0] else c for c in t.columns))
        for t in tables
    )
    budget = replace(POLICY.budget, accountant=ZCDP, delta_total=10**11, delta_per_query=10**10)
    query = replace(POLICY.query, private_keys=private_keys)
    return replace(POLICY, tables=tables, budget=budget, query=query)


def asked(sql: str, private_keys: bool = True) -> Planned:
    loss = PrivacyLoss(ZCDP, NANO // 2, 0)
    return plan(Question(sql, policy(private_keys), catalogue(), ASKER, loss))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("sql", EXAMPLES)
def test_an_example_has_private_groups(sql: str) -> None:
    assert asked(sql).plan.measurement.selection is not None
    with pytest.raises(Refused) as caught:
        asked(sql, private_keys=False)
    assert caught.value.code == "private_keys_not_granted"
