"""`check` counts the room that is left on every account, and a question takes exactly one place of it."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from gateway.background import served
from keyong.answer import Check
from tests.journey.world import COUNT, DATASET, OPERATOR, PAID, Guests, World

pytestmark = pytest.mark.isolation


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


def checked(guests: Guests, sql: str) -> Check:
    return guests[OPERATOR].check(DATASET, sql, purpose=PAID, epsilon="0.7")


def amount(text: str) -> Decimal:
    """Read `epsilon 0.7`, `10 yuan` or `3 failures`."""
    return next(Decimal(word) for word in text.split() if word[0].isdigit())


def test_the_room_is_what_every_account_bears(guests: Guests) -> None:
    verdict = checked(guests, COUNT + " HAVING n > 1")
    times = {}
    for account in verdict.body["budget"]:
        asked, available = amount(account["asked"]), amount(account["available"])
        if account["account"].startswith("failures/"):
            assert account["more_like_this"] is None and not account["binds"]
            continue
        assert account["more_like_this"] == (int(available // asked) if asked else None)
        times[account["account"]] = account["more_like_this"]
    # money is room, too: this purpose pays
    assert any(name.startswith("credit/") and found for name, found in times.items())
    least = min(found for found in times.values() if found is not None)
    assert verdict.fits and verdict.about_more_like_this == least > 0
    binding = {a["account"] for a in verdict.body["budget"] if a["binds"]}
    assert binding == {name for name, found in times.items() if found == least}
    assert verdict.limited_by in binding


def test_an_answer_takes_one_place(guests: Guests) -> None:
    sql = COUNT + " HAVING n > 2"
    before = checked(guests, sql)
    guests[OPERATOR].query(DATASET, sql, purpose=PAID, epsilon="0.7")
    after = checked(guests, COUNT + " HAVING n > 3")
    assert before.about_more_like_this is not None
    assert after.about_more_like_this == before.about_more_like_this - 1


def test_an_error_is_told_in_the_size_of_a_group(guests: Guests) -> None:
    body = checked(guests, COUNT).body
    noise = body["columns"][1]["noise"]
    assert noise["tenth_from"] == 10 * noise["half_width_95"] > 0
