"""An accuracy instead of a loss, through the whole door: what is promised is in the answer."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from gateway.background import served
from keyong import Refused
from tests.journey.test_cli import run
from tests.journey.world import COUNT, DATASET, FREE, OPERATOR, Guests, World

pytestmark = pytest.mark.isolation


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


def test_the_answer_is_as_exact_as_was_asked(guests: Guests) -> None:
    operator = guests[OPERATOR]
    verdict = operator.check(DATASET, COUNT, purpose=FREE, accuracy="±40 at 95%")
    assert Decimal(0) < verdict.loss < Decimal("0.2")
    assert dict(verdict.half_widths)["n"] == 40
    assert verdict.body["accuracy"] == [
        {"column": "n", "half_width_95": 40.0, "rows": None, "asked": "±40 at 95%"}
    ]
    given = operator.query(DATASET, COUNT, purpose=FREE, accuracy="±40 at 95%", key="acc-1")
    assert given.loss == verdict.loss and given.body["accuracy"][0]["asked"] == "±40 at 95%"
    for row in given.intervals:
        assert row[1] is not None and row[1].half_width == 40
    # naming the loss that was found is asking the very same question
    again = operator.query(DATASET, COUNT, purpose=FREE, epsilon=verdict.loss)
    assert again.reused and again.rows == given.rows
    # and the key belongs to the accuracy that was asked with it
    with pytest.raises(Refused) as conflict:
        operator.query(DATASET, COUNT, purpose=FREE, accuracy="±41 at 95%", key="acc-1")
    assert conflict.value.code == "idempotency_conflict"


def test_an_accuracy_and_a_loss_are_not_both_taken(guests: Guests) -> None:
    for asked, code, pointer in (
        ({"accuracy": "±40 at 95%", "epsilon": "0.1"}, "accuracy_and_loss", "/accuracy"),
        ({"accuracy": "±5% at 95%"}, "accuracy_needs_expectation", "/expected"),
        ({"accuracy": {"x": "±40 at 95%"}}, "accuracy_column_unknown", "/accuracy"),
    ):
        with pytest.raises(Refused) as refused:
            guests[OPERATOR].check(DATASET, COUNT, purpose=FREE, **asked)
        assert refused.value.code == code
        assert refused.value.problem["errors"] == [{"pointer": pointer}]


def test_the_command_line_takes_an_accuracy(guests: Guests, world: World) -> None:
    flags = ("--url", guests.url, "--client-id", OPERATOR, "--client-secret", world.secrets[OPERATOR])  # fmt: skip
    question = ("check", DATASET, COUNT, "--purpose", FREE, *flags)
    status, out, _ = run(*question, "--accuracy", "n=±5% at 95%", "--expect", "n=800")
    assert status == 0 and "±40" in out
    status, _, err = run(*question, "--accuracy", "±5% at 95%")
    assert status == 1 and "expected" in err
    status, _, err = run(*question, "--accuracy", "±5 at 95%", "--accuracy", "±6 at 95%")
    assert status == 2 and "COLUMN" in err
    assert run(*question, "--accuracy", "±5 at 95%", "--expect", "n")[0] == 2
