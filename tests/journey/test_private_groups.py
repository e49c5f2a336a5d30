"""Groups that nobody declared, the whole way: policy, delta in the ledger, the confined worker, the receipt, an empty account."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.background import served
from keyong import Client, Refused
from keyong.demo import domain as demo
from tests.journey import world as worlds
from tests.journey.world import AUDITOR, DATASET, FREE, OPERATOR, Guests, Pace

pytestmark = pytest.mark.isolation

BY_CODE = "SELECT icd, count(*) AS n, avg(amount) AS paid FROM claims GROUP BY icd"
BY_SEX = "SELECT sex, count(*) AS n FROM persons GROUP BY sex"
DELTA = "family/hn_person/delta"
RHO = "family/hn_person/lifetime"
CODES = {"A09", "E11", "I10", "I25", "I63", "J18", "J44", "K29", "M54", "N18"}


def declaration() -> str:
    """Return the demo's dataset, counted in rho and delta."""
    text = demo.document("dataset.yaml")
    return text.replace(
        "accountant: pure_eps", 'accountant: approx_zcdp\n  delta_total: "0.0000002"'
    )


def policy() -> str:
    """Return the demo's policy under rho, with codes and hospitals that nobody declared."""
    text = worlds.policy_text()
    text = re.sub(r"\n +domain: \[(H01|A09)[^]]*\]", "", text)
    text = re.sub(r"\bepsilon\b", "rho", text)
    text = text.replace("max_groups: 6000", "private_keys: true, max_groups: 300")
    deltas = "accountant: approx_zcdp\n  delta_total: 0.0000002\n  delta_per_query: 0.00000006"
    return text.replace("accountant: pure_eps", deltas)


@pytest.fixture(scope="module")
def guests(isolated: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    built = worlds.build(tmp_path_factory.mktemp("private"), declaration(), (policy(),))
    # Nothing here is about time: a busy machine gets some.
    pace = Pace(6.0, worlds.SETTLE_S, workers_max=4, waiting_max=8)
    made = worlds.copied(built, tmp_path_factory.mktemp("unhurried"), pace)
    with served(made.folder, made.start) as url, made.guests(url) as found:
        yield found


def accounts(client: Client) -> dict[str, str]:
    return {found["account"]: found["spent"] for found in client.budgets()}


def refusal(client: Client, sql: str, rho: str, delta: str | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        client.query(DATASET, sql, purpose=FREE, rho=rho, delta=delta)
    return caught.value


def test_a_check_tells_how_many_people_keep_a_group_from_being_hidden(guests: Guests) -> None:
    asker = guests[OPERATOR]
    before = accounts(asker)
    found = asker.check(DATASET, BY_CODE, purpose=FREE, rho="0.3", delta="0.00000001")
    assert accounts(asker) == before
    assert found.groups == 300
    chances = [at["probability"] for at in found.hidden]
    units = [at["units"] for at in found.hidden]
    assert chances == sorted(chances, reverse=True)
    assert units == sorted(units)
    bounds = found.body["privacy"]["bounds"]["selection"]
    assert bounds["units_least"] < bounds["threshold"]
    assert bounds["loss"]["delta"] == "0.00000001"
    charged = {each["account"]: each["asked"] for each in found.body["budget"]}
    assert charged[DELTA] == "delta 0.00000001"
    smaller = asker.check(DATASET, BY_CODE, purpose=FREE, rho="0.3", delta="0.000000001")
    assert smaller.hidden[0]["units"] > found.hidden[0]["units"]
    assert asker.check(DATASET, BY_SEX, purpose=FREE, rho="0.3").hidden == ()


def test_the_delta_is_spent_like_rho_until_there_is_none(guests: Guests) -> None:
    asker = guests[OPERATOR]
    first = asker.query(DATASET, BY_CODE, purpose=FREE, rho="0.5")  # the policy's own delta
    assert {row[0] for row in first.rows} == CODES
    assert first.privacy["charged"] == {
        "accountant": "approx_zcdp",
        "rho": "0.5",
        "delta": "0.00000006",
    }
    assert accounts(asker)[DELTA] == "delta 0.00000006"
    content = json.loads(asker.receipt(first.operation)["content"])
    assert content["selection"]["loss"]["delta"] == 6 * 10**10
    assert content["selection"]["threshold"] > content["selection"]["units_least"]
    again = asker.query(DATASET, BY_CODE, purpose=FREE, rho="0.5")
    assert again.reused
    assert again.rows == first.rows
    asker.query(DATASET, BY_SEX, purpose=FREE, rho="0.1", delta="0.00000006")
    assert accounts(asker)[DELTA] == "delta 0.00000006"  # neither costs one
    for rho in ("0.6", "0.7"):
        asker.query(DATASET, BY_CODE, purpose=FREE, rho=rho, delta="0.00000006")
    assert accounts(asker)[DELTA] == "delta 0.00000018"
    before = accounts(asker)
    short = refusal(asker, BY_CODE, "0.8", "0.00000003")
    assert short.code == "budget_exhausted"
    assert "family/hn_person/delta" in str(short)
    assert accounts(asker) == before  # not even rho was set aside
    last = asker.query(DATASET, BY_CODE, purpose=FREE, rho="0.8", delta="0.00000002")
    assert last.privacy["charged"]["delta"] == "0.00000002"
    assert refusal(asker, BY_CODE, "0.9", "0.000000000000000001").code == "budget_exhausted"
    assert asker.query(DATASET, BY_SEX, purpose=FREE, rho="0.2")  # declared groups need none


def test_what_a_question_may_not_spend_is_refused_by_name(guests: Guests) -> None:
    asker = guests[OPERATOR]
    assert refusal(asker, BY_CODE, "0.1", "0.00000007").code == "loss_per_query_exceeded"
    assert refusal(asker, BY_CODE, "0.1", "0").code == "loss_not_positive"
    assert refusal(asker, BY_CODE, "0.1", "0.0000000000000000001").code == "loss_not_positive"
    rollup = "SELECT icd, hospital, count(*) FROM claims GROUP BY ROLLUP (icd, hospital)"
    assert refusal(asker, rollup, "0.1").code == "sql_feature_refused"


def test_the_books_hold_and_an_outsider_can_check_them(guests: Guests, tmp_path: Path) -> None:
    worlds.check_export(guests[AUDITOR], tmp_path)
