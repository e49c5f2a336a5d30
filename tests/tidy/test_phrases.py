"""A refusal in Chinese holds no English phrase of ours: every constant cure and need of the compiler is translated."""

import ast

from policies.phrases import BEGINNINGS, WHOLE, in_chinese
from tests.tidy import tree

_GAPS = frozenset({"cure", "need"})
_CURING = frozenset({"unsupported", "_refused"})  # functions whose last argument is a cure
_CURED = 3


def phrases() -> set[str]:
    """Return the phrases that the compiler fills into messages; of an f-string, how it begins."""
    found: set[str] = set()
    for file in sorted((tree.ROOT / "sandbox" / "compiler").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in _GAPS:
                found |= texts(node.value)
            if isinstance(node, ast.Call) and called(node) in _CURING and len(node.args) == _CURED:
                found |= texts(node.args[-1])
    return found


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def texts(value: ast.expr) -> set[str]:
    if isinstance(value, ast.JoinedStr):
        value = value.values[0]
    if isinstance(value, ast.Call):  # a look-up with a phrase of last resort
        return {text for argument in value.args for text in texts(argument)}
    return (
        {value.value} if isinstance(value, ast.Constant) and isinstance(value.value, str) else set()
    )


def test_every_phrase_has_its_chinese() -> None:
    found = phrases()
    assert len(found) > 15
    assert sorted(text for text in found if in_chinese(text) == text) == []


def test_a_phrase_nobody_knows_stays_as_it_is() -> None:
    assert in_chinese("persons.income") == "persons.income"
    assert not any(word.isascii() for word in (*WHOLE.values(), *BEGINNINGS.values()))
