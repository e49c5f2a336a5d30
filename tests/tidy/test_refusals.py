"""Every refusal is documented, said in both languages, and worded the same way."""

import ast
import re
from collections.abc import Iterable
from string import Formatter

import pytest

from policies.messages import MESSAGES, Message
from tests.tidy import tree

HAN = re.compile(r"[\u4e00-\u9fff]")


def slots(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def faults(message: Message) -> list[str]:
    """Return what is wrong with the wording of one message."""
    first = message.en[0]
    checks = {
        "the English text starts with a capital": first.isupper() and message.en[:2].istitle(),
        "the English text ends with a full stop": message.en.endswith("."),
        "the Chinese text ends with a full stop": message.zh.endswith(("。", ".")),
        "the Chinese text is not Chinese": not HAN.search(message.zh) and bool(slots_free(message)),
        "the two texts fill different slots": slots(message.en) != slots(message.zh),
        "a text breaks the line": "\n" in message.en + message.zh,
    }
    return [fault for fault, found in checks.items() if found]


def slots_free(message: Message) -> str:
    """Return the English letters outside the slots: none means nothing to translate."""
    literal = "".join(text for text, _, _, _ in Formatter().parse(message.en))
    return re.sub(r"[^A-Za-z]", "", literal)


def raised(modules: Iterable[tuple[str, ast.Module]]) -> list[tuple[str, str]]:
    """Return (where, code) for each code written as a constant in a `Refused(...)`."""
    return [
        (f"{path}:{node.lineno}", argument.value)
        for path, module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Refused"
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def test_every_code_is_documented() -> None:
    page = (tree.ROOT / "docs" / "REFUSALS.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9_]+)`", page))
    assert sorted(set(MESSAGES) - named) == []


def test_every_code_raised_is_in_the_catalogue() -> None:
    assert [(at, code) for at, code in raised(tree.shipped()) if code not in MESSAGES] == []


def test_an_unknown_code_is_seen() -> None:
    module = ast.parse("raise refusals.Refused('no_such_code', Stage.PARSE)")
    assert raised([("x.py", module)]) == [("x.py:1", "no_such_code")]


def test_messages_are_worded_alike() -> None:
    seen = {code: faults(message) for code, message in MESSAGES.items()}
    assert {code: found for code, found in seen.items() if found} == {}


@pytest.mark.parametrize(
    ("en", "zh"),
    [
        ("It is wrong; mend it", "有误；请修正"),
        ("it is wrong; mend it.", "有误；请修正"),
        ("it is wrong; mend it", "有误；请修正。"),
        ("it is wrong; mend it", "it is wrong; mend it"),
        ("`{what}` is wrong; mend it", "有误；请修正"),
    ],
)
def test_a_badly_worded_message_is_seen(en: str, zh: str) -> None:
    assert faults(Message(400, en, zh))
