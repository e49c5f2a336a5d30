"""The whole way of a question, over HTTP, through the real worker, to a receipt an outsider verifies."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from audit.verify import verify_release
from gateway.background import served
from keyong import Client, Refused, table
from keyong.commands.audit import unpack
from tests.journey import world as worlds
from tests.journey.world import (
    AUDITOR,
    COUNT,
    DATASET,
    FINANCE,
    FREE,
    OPERATOR,
    PAID,
    RIVAL,
    Guests,
    World,
)

pytestmark = pytest.mark.isolation
JOINED = """SELECT p.region, date_trunc('quarter', c.day) AS quarter, count(*) AS claims,
  sum(least(c.amount, 3000)) AS cost, avg(w.rain_mm) AS rain
FROM claims c JOIN persons p ON p.person_id = c.person_id
JOIN weather w ON w.region = p.region AND w.day = c.day
GROUP BY p.region, date_trunc('quarter', c.day) ORDER BY cost DESC LIMIT 5"""


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


@pytest.fixture(scope="module")
def operator(guests: Guests) -> Client:
    return guests[OPERATOR]


@pytest.fixture(scope="module")
def rival(guests: Guests) -> Client:
    return guests[RIVAL]


def test_an_answer_carries_its_error_bars_its_price_and_its_receipt(operator: Client) -> None:
    before = worlds.spent(operator)
    verdict = operator.check(DATASET, JOINED, purpose=PAID, epsilon="0.5")
    assert worlds.spent(operator) == before
    answer = operator.query(DATASET, JOINED, purpose=PAID, epsilon="0.5")
    assert [c.name for c in answer.columns] == ["region", "quarter", "claims", "cost", "rain"]
    assert [c.noisy for c in answer.columns] == [False, False, True, True, True]
    assert len(answer) == 5 and verdict.groups == 56
    # What `check` foretold is what came: loss, price, and the ± of the exact noise law.
    assert (answer.loss, answer.price) == (verdict.loss, verdict.price)
    foretold = dict(verdict.half_widths)
    for row in answer.intervals:
        claims, cost = row[2], row[3]
        assert claims is not None and cost is not None
        assert claims.half_width == pytest.approx(foretold["claims"])
        assert cost.half_width == pytest.approx(foretold["cost"])
    assert answer.loss == Decimal("0.5") and answer.price.due_uy > 0
    assert "±" in table(answer)
    moved = {a for a, s in worlds.spent(operator).items() if before.get(a) != s}
    assert {"family/hn_person/lifetime", "family/hn_person/epoch/2024"} <= moved


def test_a_retry_is_equal_to_the_byte_and_runs_nothing(guests: Guests) -> None:
    operator = guests[OPERATOR]
    first = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.11", key="retry-1")
    before = worlds.spent(operator)
    again = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.11", key="retry-1")
    assert json.dumps(first.body) == json.dumps(again.body)
    assert operator.answer(first.operation).body == first.body
    assert worlds.spent(operator) == before


def test_a_key_is_for_one_question(operator: Client) -> None:
    operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.12", key="one-question")
    with pytest.raises(Refused) as refused:
        operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.13", key="one-question")
    assert refused.value.code == "idempotency_conflict"


def test_a_second_operator_gets_the_same_noise_under_its_own_names(
    operator: Client, rival: Client
) -> None:
    first = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.14")
    before = worlds.spent(rival)
    renamed = "select people.region as place, count(*) as heads from persons people group by 1"
    second = rival.query(DATASET, renamed, purpose=PAID, epsilon="0.14")
    assert second.reused and second.loss == 0 and second.rows == first.rows
    assert [c.name for c in second.columns] == ["place", "heads"]
    after = worlds.spent(rival)
    assert {a for a in after if after[a] != before.get(a)} == {"credit/op-kejia"}
    # The store knows values, not names: nothing of the first asker's spelling reaches the second.
    assert "region" not in json.dumps(second.body["columns"])


def test_another_epsilon_is_another_draw(operator: Client) -> None:
    first = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.15")
    second = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.16")
    assert not second.reused and first.rows != second.rows


def test_an_outsider_verifies_receipt_release_and_log(
    guests: Guests, operator: Client, tmp_path: Path
) -> None:
    answer = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.17")
    receipt = operator.receipt(answer.operation)
    salt, content = bytes.fromhex(receipt["salt"]), receipt["content"].encode()
    assert verify_release(receipt["proof"], receipt["log_key"], salt, content).ok
    assert not verify_release(receipt["proof"], receipt["log_key"], salt, content + b" ").ok
    worlds.check_export(guests[AUDITOR], tmp_path)


def test_finance_splits_to_the_fen(guests: Guests, operator: Client) -> None:
    operator.query(DATASET, COUNT, purpose=PAID, epsilon="0.18")
    preview = guests[FINANCE].send("POST", "/v1/settlements:preview", {"index_from": 0})
    assert int(preview["total_fen"]) > 0
    for line in preview["lines"]:
        shares = sum(int(share["amount_fen"]) for share in line["shares"])
        assert shares == int(line["amount_fen"])
    due = sum(int(record["quote"]["due_uy"]) for record in guests[FINANCE].usage())
    assert abs(int(preview["total_fen"]) * 10_000 - due) < 10_000 * len(preview["lines"])


def test_free_use_is_shown_at_its_price_and_waived(operator: Client) -> None:
    answer = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.19")
    assert answer.price.due_uy == 0 and answer.price.waived_uy == answer.price.gross_uy > 0


def test_use_that_is_only_free_needs_no_price(guests: Guests) -> None:
    """A policy without price plan and agreement gets papers that say so, and its use is metered like any other."""
    text = worlds.policy_text(rival=True).replace("hn-health-op-kejia", "hn-health-research")
    text = text.replace(FREE, "research").replace("class: governance", "class: public_good")
    text = re.sub(r"(price|revenue): \{.*\}\n", "", text)
    text = re.sub(r".*insurance_pricing.*\n", "", text)
    text = text[: text.index("tests:")]
    worlds.publish(guests[worlds.AUTHOR], guests[worlds.APPROVER], text)
    answer = guests[RIVAL].query(DATASET, COUNT, purpose="research", epsilon="0.23")
    assert answer.price.gross_uy == answer.price.due_uy == 0
    assert answer.body["policy"]["id"] == "hn-health-research"
    records = [r for r in guests[FINANCE].usage() if r["operation"] == answer.operation]
    assert records[0]["usage"]["epsilon_nano"] == "230000000"
    assert guests[FINANCE].send("POST", "/v1/settlements:preview", {"index_from": 0})["lines"]


def test_the_switch_stops_questions_at_once_and_lets_them_in_again(
    guests: Guests, operator: Client
) -> None:
    holder = guests[worlds.AUTHOR]
    holder.send("POST", "/v1/holds:suspend", {"dataset": DATASET})
    try:
        for ask in (operator.check, operator.query):
            with pytest.raises(Refused) as refused:
                ask(DATASET, COUNT, purpose=FREE, epsilon="0.2")
            assert refused.value.code == "policy_suspended"
    finally:
        holder.send("POST", "/v1/holds:resume", {"dataset": DATASET})
    assert operator.check(DATASET, COUNT, purpose=FREE, epsilon="0.2").allowed


def test_every_role_sees_its_own_and_no_more(guests: Guests, operator: Client) -> None:
    mine = operator.query(DATASET, COUNT, purpose=FREE, epsilon="0.21")
    rival = guests[RIVAL]
    absent = _refusal(rival, "GET", "/v1/queries/q_0123456789ab0123456789abcdef01234567")
    others = _refusal(rival, "GET", f"/v1/queries/{mine.operation}")
    assert absent.problem == others.problem and others.code == "not_found"
    assert {r["buyer"] for r in rival.usage()} <= {"op-kejia"}
    for name, path in (
        (OPERATOR, "/v1/audit/log/entries"),
        (OPERATOR, "/v1/policies/hn-health-op-xinyi"),
        (AUDITOR, "/v1/usage"),
        (FINANCE, "/v1/audit/log/export"),
    ):
        assert _refusal(guests[name], "GET", path).code == "role_not_allowed"
    assert guests[AUDITOR].datasets() == []
    budgets = {a["account"] for a in rival.budgets()}
    assert not any("xinyi" in account for account in budgets)


def test_the_log_tells_nothing_of_question_or_answer(guests: Guests, tmp_path: Path) -> None:
    marked = "SELECT sex AS kennzeichen, count(*) FROM persons WHERE region = '张家界' GROUP BY sex"
    answer = guests[OPERATOR].query(DATASET, marked, purpose=FREE, epsilon="0.22")
    unpack(guests[AUDITOR].fetch("/v1/audit/log/export"), tmp_path)
    bundles = (tmp_path / "log" / "tile" / "entries").rglob("*")
    log = b"".join(path.read_bytes() for path in bundles if path.is_file()).decode(
        "utf-8", "replace"
    )
    # The entry is here, so what follows looks at the right place.
    assert answer.operation in log
    released = [str(value) for row in answer.rows for value in row if isinstance(value, int)]
    for word in ("kennzeichen", "SELECT", "张家界", *(v for v in released if len(v) > 3)):
        assert word not in log, word


def _refusal(client: Client, method: str, path: str) -> Refused:
    with pytest.raises(Refused) as refused:
        client.send(method, path)
    return refused.value
