"""docs/REFUSALS.md is what the catalogue says, code by code."""

import pytest

from policies.message import Message
from policies.messages import MESSAGES
from policies.messages_of_documents import DOCUMENTS
from tests.tidy import refusals_page


def test_the_page_is_written_from_the_catalogue() -> None:
    written = refusals_page.PAGE.read_text(encoding="utf-8")
    assert written == refusals_page.render(), "run `python -m tests.tidy.refusals_page`"


def test_every_code_stands_on_the_page_once() -> None:
    page = refusals_page.render()
    assert {code: page.count(f"| `{code}` |") for code in MESSAGES} == dict.fromkeys(MESSAGES, 1)


def test_no_code_stands_in_two_groups() -> None:
    shown = [code for group in refusals_page.groups().values() for code in group]
    assert sorted(shown) == sorted(MESSAGES)


def test_a_changed_sentence_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = refusals_page.render()
    other = {**DOCUMENTS, "document_not_found": Message(404, "gone", "没有")}
    monkeypatch.setattr(refusals_page, "DOCUMENTS", other)
    assert refusals_page.render() != before
