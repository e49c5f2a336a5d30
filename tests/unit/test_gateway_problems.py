"""A no is said in the reader's language, and a bug says nothing at all."""

import logging

import pytest

from gateway.problems import language, problem, problem_of_bug
from policies.refusals import NeededGrant, Position, Refused, Stage


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh", "zh-CN"),
        ("en-GB,zh;q=0.5", "en"),
        ("fr, de", "en"),
        ("fr, zh-TW", "zh-CN"),
        ("x" * 10_000, "en"),
    ],
)
def test_the_first_language_that_we_speak_is_taken(header: str | None, spoken: str) -> None:
    assert language(header) == spoken


def test_a_refusal_keeps_place_and_grants() -> None:
    refused = Refused(
        "column_use_not_granted",
        Stage.CHECK,
        at=Position(3, 7),
        needed_grants=(NeededGrant("t", "c", "group"),),
        table="t",
        column="c",
        use="group",
        granted="filter",
        owner="holder",
    )
    body = problem(refused, "zh-CN")
    assert body["errors"] == [{"pointer": "/sql", "line": 3, "column": 7}]
    assert body["needed_grants"] == [{"table": "t", "column": "c", "use": "group"}]
    assert body["detail"] == body["detail_zh"] != body["detail_en"]
    assert (body["charged"], body["loss_spent"], body["status"]) == (False, "0", 403)


def test_a_bug_tells_neither_its_text_nor_its_values(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("keyong.errors").propagate = True
    secret = "SELECT 'Zhang San' FROM persons"
    try:
        raise ValueError(secret)
    except ValueError as error:
        with caplog.at_level(logging.ERROR, "keyong.errors"):
            body = problem_of_bug(error, None)
    assert "Zhang" not in str(body) and "Zhang" not in caplog.text
    # Power: the file does say what the holder needs, and by the number that the asker quotes.
    assert "ValueError" in caplog.text and body["instance"] in caplog.text
