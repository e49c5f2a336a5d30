"""A refusal at the door brings a question that the same door accepts."""

from collections.abc import Iterator

import pytest

from gateway.background import served
from keyong import Refused
from tests.journey.test_cli import run
from tests.journey.world import DATASET, FREE, OPERATOR, Guests, World

pytestmark = pytest.mark.isolation
ROWS = "SELECT * FROM persons"


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        ROWS,
        "SELECT count(*) FROM persons, claims",
        "SELECT name, count(*) FROM persons GROUP BY name",
        "SELECT count(*) FROM person",
        # by day of birth there would be more groups than the policy allows
        "SELECT sex, birth FROM persons",
        "SELECT region, sex, birth, count(*) FROM persons GROUP BY ALL",
    ],
)
def test_what_is_suggested_is_accepted(guests: Guests, sql: str) -> None:
    operator = guests[OPERATOR]
    with pytest.raises(Refused) as refused:
        operator.check(DATASET, sql, purpose=FREE, epsilon="0.1")
    near = refused.value.suggestion
    assert near is not None and near.changes
    assert operator.check(DATASET, near.sql, purpose=FREE, epsilon="0.1").allowed


def test_what_no_text_can_cure_brings_no_suggestion(guests: Guests) -> None:
    for asked in ({"epsilon": "9"}, {"epsilon": "0"}, {"rho": "0.1"}):
        with pytest.raises(Refused) as refused:
            guests[OPERATOR].check(DATASET, "SELECT count(*) FROM persons", purpose=FREE, **asked)  # type: ignore[arg-type]
        assert refused.value.suggestion is None
        assert refused.value.problem["suggestion"] is None


def test_the_command_line_prints_it_in_both_languages(guests: Guests, world: World) -> None:
    flags = ("--url", guests.url, "--client-id", OPERATOR, "--client-secret", world.secrets[OPERATOR])  # fmt: skip
    question = ("check", DATASET, ROWS, "--purpose", FREE, "--epsilon", "0.1", *flags)
    status, _, err = run(*question)
    # on a slow machine the twin may not count the groups in time; then the question without groups is shown
    assert status == 1 and "this would be accepted (counts " in err
    assert "COUNT(*) AS n FROM persons" in err
    status, _, err = run(*question, "--lang", "zh")
    assert status == 1 and "计数" in err
