"""Several questions under one loss: reserved, run and posted as one; killed in between, spent once and never run again."""

import json
import signal
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from audit.verify import verify_release
from gateway.background import served
from gateway.node import open_node
from keyong import BatchAnswer, Client, Member, NotReached, Refused, RunFailed
from keyong.batch import batch_body
from tests.journey import world as worlds
from tests.journey.test_cli import run
from tests.journey.test_crash import LIFETIME, lifetime, mortal
from tests.journey.world import AUDITOR, AUTHOR, DATASET, FREE, OPERATOR, Guests, Pace, World

pytestmark = pytest.mark.isolation
CLAIMS = "SELECT {} AS k, count(*) AS n FROM claims c JOIN persons p USING (person_id) GROUP BY {}"
REGION, SEX = CLAIMS.format("region", "region"), CLAIMS.format("sex", "sex")
# Where the node dies, and what is spent of the batch's loss.
DEATHS = {"reserved": 0, "started": 1, "ran": 1, "post.written": 1, "post.committed": 1}


@pytest.fixture(scope="module")
def pace() -> Pace:
    return Pace(2.5, worlds.SETTLE_S, workers_max=4, waiting_max=8)


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


def _members(mark: int) -> list[Member]:
    """Questions of their own for each test: a filter that nobody else has."""
    where = f" WHERE c.amount > {mark} GROUP BY"
    return [
        Member("by-region", REGION.replace(" GROUP BY", where), 3),
        Member("by-sex", SEX.replace(" GROUP BY", where), 1),
    ]


def _batch(client: Client, members: Sequence[Member], key: str | None = None) -> BatchAnswer:
    return client.batch(DATASET, members, purpose=FREE, epsilon="0.4", key=key)


def test_one_loss_is_split_by_weight_and_charged_once(guests: Guests) -> None:
    operator = guests[OPERATOR]
    verdict = operator.check_batch(DATASET, _members(1), purpose=FREE, epsilon="0.4")
    assert [m["share"] for m in verdict["members"]] == ["0.3", "0.1"]
    before = _lifetime(operator)
    given = _batch(operator, _members(1))
    assert _lifetime(operator) - before == given.loss == Decimal("0.4")
    assert [a.loss for a in given.answers.values()] == [Decimal("0.3"), Decimal("0.1")]
    for member in verdict["members"]:
        scale = member["columns"][1]["noise"]["scale"]
        assert tuple(scale) == given[member["id"]].columns[1].scale


def test_every_member_has_a_receipt_and_the_log_adds_up(guests: Guests, tmp_path: Path) -> None:
    operator = guests[OPERATOR]
    given = _batch(operator, _members(2))
    for answer in given.answers.values():
        receipt = operator.receipt(answer.operation)
        salt, content = bytes.fromhex(receipt["salt"]), receipt["content"].encode()
        assert verify_release(receipt["proof"], receipt["log_key"], salt, content).ok
    worlds.check_export(guests[AUDITOR], tmp_path)


def test_a_retry_is_equal_to_the_byte_and_a_key_is_for_one_batch(guests: Guests) -> None:
    operator = guests[OPERATOR]
    told = [_batch(operator, _members(3), "batch-3") for _ in range(2)]
    assert json.dumps(told[0].body) == json.dumps(told[1].body)
    before = _lifetime(operator)
    for members in (_members(4), list(reversed(_members(3)))):
        with pytest.raises(Refused) as refused:
            _batch(operator, members, "batch-3")
        assert refused.value.code == "idempotency_conflict"
    with pytest.raises(Refused):
        operator.query(DATASET, REGION, purpose=FREE, epsilon="0.1", key="batch-3")
    assert _lifetime(operator) == before


def test_what_is_stored_or_follows_costs_nothing_and_the_rest_gets_it_all(guests: Guests) -> None:
    operator = guests[OPERATOR]
    region, sex = _members(5)
    operator.query(DATASET, sex.sql, purpose=FREE, epsilon="0.35")
    follows = Member("largest", f"{region.sql} ORDER BY n DESC LIMIT 1", 3)
    members = [sex, region, follows]
    verdict = operator.check_batch(DATASET, members, purpose=FREE, epsilon="0.4")
    assert [(m["id"], m["free"]) for m in verdict["members"]] == [
        ("by-sex", True),
        ("by-region", False),
        ("largest", True),
    ]
    before = _lifetime(operator)
    given = _batch(operator, members)
    assert _lifetime(operator) - before == given["by-region"].loss == Decimal("0.4")
    assert given["by-sex"].reused and given["largest"].reused
    assert given["largest"].rows[0] == max(
        given["by-region"].rows, key=lambda row: int(str(row[1]))
    )
    again = _batch(operator, members)
    assert again.loss == 0 and all(answer.reused for answer in again.answers.values())


def test_a_refused_member_is_named_and_nothing_is_reserved(guests: Guests) -> None:
    operator = guests[OPERATOR]
    before = operator.budgets()
    bad = [*_members(6), Member("typo", REGION.replace("count", "cuont"), 1)]
    with pytest.raises(Refused) as refused:
        _batch(operator, bad)
    assert refused.value.member == "typo" and "typo" in str(refused.value)
    assert refused.value.problem["errors"][0]["pointer"] == "/queries/2/sql"
    with pytest.raises(Refused) as refused:
        _batch(operator, [_members(6)[0], _members(6)[0]])
    assert refused.value.code == "request_invalid"
    assert operator.budgets() == before


def test_the_command_asks_a_file(world: World, guests: Guests, tmp_path: Path) -> None:
    listed = [{"id": m.id, "sql": m.sql, "weight": m.weight} for m in _members(7)]
    asked = tmp_path / "batch.json"
    asked.write_text(json.dumps(listed))
    written = tmp_path / "batch.yaml"
    written.write_text("\n".join(f"- {json.dumps(item)}" for item in listed))
    credentials = tmp_path / "credentials.json"
    credentials.touch(0o600)
    secret = world.secrets[OPERATOR]
    known = {"url": guests.url, "client_id": OPERATOR, "client_secret": secret}
    credentials.write_text(json.dumps(known))
    flags = ("--purpose", FREE, "--epsilon", "0.4", "--credentials", credentials)
    status, printed, said = run("check", DATASET, "--batch", written, *flags)
    assert (status, said) == (0, "") and "0.3" in printed
    status, printed, said = run("query", DATASET, "--batch", asked, *flags)
    assert (status, said) == (0, "") and "by-region" in printed
    assert "loss 0.4 for all together" in printed
    assert run("query", DATASET, *flags)[0] == 2


@pytest.mark.parametrize("point", DEATHS)
def test_a_node_that_dies_in_a_batch_spends_once_or_nothing(
    template: World, pace: Pace, tmp_path: Path, point: str
) -> None:
    world = worlds.copied(template, tmp_path, pace)
    body = batch_body(DATASET, _members(8), FREE, {"epsilon": "0.4"})
    key = {"Idempotency-Key": "dies"}
    before = lifetime(world)
    with mortal(world.folder, point) as (url, process), world.guests(url) as guests:
        with pytest.raises(NotReached):
            guests[OPERATOR].send("POST", "/v1/queries:batch", body, key)
        assert process.wait(20) == -signal.SIGKILL
    with served(world.folder, world.start) as url, world.guests(url) as guests:
        told = [_told(guests[OPERATOR], body, key) for _ in range(2)]
        assert told[0] == told[1]
        assert ("answers" in told[0]) is (point == "post.committed")
        if DEATHS[point] and "answers" not in told[0]:
            assert told[0]["loss_spent"] == "0.4"
            # Both may have told the one bit together; it counts once.
            failures = [a for a in guests[OPERATOR].budgets() if "failures" in a["account"]]
            assert [a["spent"] for a in failures] == ["1 failures"]
            with pytest.raises(Refused) as refused:
                _batch(guests[OPERATOR], _members(8))
            assert refused.value.code == "query_quarantined"
            review = {"operator": "op-xinyi", "dataset": DATASET}
            guests[AUTHOR].send("POST", "/v1/failures:review", review)
    assert lifetime(world) - before == DEATHS[point] * 400_000_000
    node = open_node(world.folder, world.start)
    try:
        worlds.check_books(node)
        assert worlds.balances(node)[LIFETIME][1] == 0
    finally:
        node.close()


def _told(operator: Client, body: dict[str, object], key: dict[str, str]) -> dict[str, object]:
    try:
        return dict(operator.send("POST", "/v1/queries:batch", body, key))
    except RunFailed as failed:
        return dict(failed.problem)


def _lifetime(client: Client) -> Decimal:
    spent = {a["account"]: a["spent"] for a in client.budgets()}
    return Decimal(spent[LIFETIME].split()[1])
