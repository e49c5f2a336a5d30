"""Parameters through the whole door: the same question is the same answer, and a value is an exact value."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import httpx
import pytest

from gateway.background import served
from keyong import Refused
from tests.journey.test_cli import run
from tests.journey.world import DATASET, FREE, OPERATOR, Guests, World

pytestmark = pytest.mark.isolation
SQL = "SELECT count(*) AS n FROM claims WHERE amount > $least AND day >= $since"
WRITTEN = "SELECT count(*) AS n FROM claims WHERE amount > 1234.56 AND day >= DATE '2024-03-01'"


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


def test_a_question_with_values_is_the_question_with_constants(
    guests: Guests, world: World
) -> None:
    operator = guests[OPERATOR]
    values = {"least": Decimal("1234.56"), "since": date(2024, 3, 1)}
    first = operator.query(
        DATASET, SQL, purpose=FREE, epsilon="0.2", parameters=values, key="params-1"
    )
    assert not first.reused
    again = operator.query(DATASET, WRITTEN, purpose=FREE, epsilon="0.2")
    assert again.reused and again.rows == first.rows
    # the same key finds the same answer, and is no key for another value
    same = operator.query(
        DATASET, SQL, purpose=FREE, epsilon="0.2", parameters=values, key="params-1"
    )
    assert same.rows == first.rows
    with pytest.raises(Refused) as conflict:
        operator.query(
            DATASET,
            SQL,
            purpose=FREE,
            epsilon="0.2",
            parameters=values | {"least": Decimal("1234.57")},
            key="params-1",
        )
    assert conflict.value.code == "idempotency_conflict"


def test_no_value_is_written_down(guests: Guests, world: World) -> None:
    values = {"least": Decimal("1234.56"), "since": "2024-03-01"}
    guests[OPERATOR].query(DATASET, SQL, purpose=FREE, epsilon="0.2", parameters=values)
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    # what is kept of a question, its own names of columns, would be found
    assert any(b'"name": "n"' in file.read_bytes() for file in files)
    for file in files:
        if file.suffix == ".duckdb" or "snapshots" in file.parts:
            continue  # the data itself
        assert b"1234.56" not in file.read_bytes(), file


def test_a_number_in_a_body_is_exact(guests: Guests) -> None:
    sql = "SELECT count(*) FROM claims WHERE amount > ?"
    body = {"dataset": DATASET, "sql": sql, "purpose": FREE, "epsilon": "0.1"}
    client = guests[OPERATOR]
    for text, code in (
        ("0.10", None),
        ("1e-400", "parameter_invalid"),
        ("NaN", "parameter_invalid"),
    ):
        sent = json.dumps(body)[:-1] + f', "parameters": [{text}]}}'
        answered = httpx.post(
            f"{guests.url}/v1/queries:check",
            content=sent,
            headers={"Authorization": f"Bearer {client._fresh_token()}", "Content-Type": "application/json"},
        )  # fmt: skip
        assert answered.json().get("code") == code
        if code is not None:
            assert answered.json()["errors"] == [{"pointer": "/parameters"}]


def test_the_command_line_takes_values(guests: Guests, world: World) -> None:
    flags = (
        "--url",
        guests.url,
        "--client-id",
        OPERATOR,
        "--client-secret",
        world.secrets[OPERATOR],
    )
    question = (DATASET, SQL, "--purpose", FREE, "--epsilon", "0.1", *flags)
    status, _, _ = run("check", *question, "--param", "least=5", "--param", "since:date=2024-03-01")
    assert status == 0
    status, _, err = run("check", *question, "--param", "least=5")
    assert status == 1 and "$since" in err
    status, _, err = run("check", *question, "--param", "least=5", "--param", "7")
    assert status == 2 and "not both" in err
