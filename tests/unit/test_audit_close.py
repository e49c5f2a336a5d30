"""A period is billed once, and a wrong bill is taken back whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from audit import close, verify
from audit.money.statement import take_back
from tests.unit.audit_lived import NOTHING, issue, live, read_documents
from tests.unit.audit_world import open_world


def test_a_statement_taken_back_may_be_issued_again(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    live(world, 4)
    span = (0, world.journal.size())
    wrong = close.preview(world.journal, read_documents(), "jan-wrong", span)
    statements = {"jan-wrong": close.issue(world.ledger, world.journal, wrong).content}
    assert close.billed_up_to(world.journal) == span[1]
    back = take_back("jan-wrong-back", wrong)
    statements[back.id] = close.issue(world.ledger, world.journal, back).content
    assert close.billed_up_to(world.journal) == 0
    statements["jan"] = issue(world, "jan", span)
    report = verify.verify_log(world.export("x", statements), world.journal.vkey, NOTHING)
    assert report.findings == ()
    with pytest.raises(close.CloseRefused, match="not a standing statement"):
        close.issue(world.ledger, world.journal, replace(back, id="again"))
    world.store.close()


def test_no_entry_is_billed_twice_and_none_before_it_is_there(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    live(world, 4)
    size = world.journal.size()
    first_half = issue(world, "one", (0, size - 5))
    assert issue(world, "one", (0, size - 5)) == first_half, "issued again, the same statement"
    for span in ((0, size), (size - 6, size), (size, size), (size - 5, size + 9)):
        with pytest.raises(close.CloseRefused):
            issue(world, "two", span)
    issue(world, "two", (size - 5, size))
    assert close.billed_up_to(world.journal) == size
    world.store.close()
