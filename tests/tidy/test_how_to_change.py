"""Every refusal of a question says how to change the question, in both languages, without its particulars."""

import re

from policies import messages
from policies.how_to_change import HOW
from policies.messages_of_asking import ASKING

HAN = re.compile(r"[\u4e00-\u9fff]")
OF_QUESTIONS = ("_SQL", "_NAMES", "_GRANTS", "_BOUNDS", "_LOSS")


def codes() -> set[str]:
    """Return the codes that refuse a question, in any catalogue of them."""
    return {code for group in OF_QUESTIONS for code in vars(messages)[group]} | set(ASKING)


def test_every_refusal_of_a_question_has_its_advice() -> None:
    assert sorted(codes() - set(HOW)) == [], (
        "say in policies/how_to_change.py how to change the question"
    )
    assert sorted(set(HOW) - codes()) == []


def test_the_advice_is_worded_alike() -> None:
    for code, how in HOW.items():
        assert how.en[0].islower() or how.en.startswith("`"), code
        assert not how.en.endswith(".") and not how.zh.endswith("。"), code
        assert HAN.search(how.zh) and "\n" not in how.en + how.zh, code
        assert not re.search(r"\{[a-z]+\}", how.en + how.zh), code
