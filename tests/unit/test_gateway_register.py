"""What is in force follows from the log alone, and a file that was changed behind its back is noticed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.journal import Journal
from audit.ledger import Ledger
from audit.log.signer import Signer, create_key
from audit.store.sqlite import Store
from gateway.home import Home
from gateway.register import Register, RegisterRefused, is_held
from gateway.shelf import Shelf, ShelfRefused
from keyong.demo.domain import document
from policies.approvals import State


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Home, Ledger, Register, Shelf]]:
    home = Home(tmp_path / "node")
    home.create()
    key = create_key(home.keys / "log.key", "a.node")
    store = Store(home.ledger)
    ledger = Ledger(store, "a.node", lambda: datetime.now(UTC))
    shelf = Shelf(home)
    yield home, ledger, Register(home, Journal(store, Signer(key, home.guard)), shelf), shelf
    store.close()


def act(ledger: Ledger, actor: str, action: str, subject: str) -> None:
    number = len(ledger.balances()) + int(datetime.now(UTC).timestamp() * 10**6)
    data = {"actor": actor, "action": action, "subject": subject}
    ledger.record("domain.acted", f"act.{number}", actor, data)


def test_a_hold_is_held_until_it_is_let_go(house: tuple[Home, Ledger, Register, Shelf]) -> None:
    _, ledger, register, _ = house
    assert not is_held(register.known(), "d")
    act(ledger, "li", "hold_suspended", "dataset/d")
    assert is_held(register.known(), "d") and not is_held(register.known(), "e")
    act(ledger, "li", "hold_suspended", "node")
    act(ledger, "li", "hold_resumed", "dataset/d")
    assert is_held(register.known(), "d") and is_held(register.known(), "e")
    act(ledger, "wang", "hold_resumed", "node")
    assert not is_held(register.known(), "d")


def test_a_document_goes_its_way_by_two_hands(house: tuple[Home, Ledger, Register, Shelf]) -> None:
    _, ledger, register, shelf = house
    digest = shelf.put(document("price-plan.yaml").encode(), "plan")
    act(ledger, "li", "document_submitted", digest)
    assert register.known().approvals[digest].state is State.SUBMITTED
    act(ledger, "wang", "document_approved", digest)
    assert register.known().approvals[digest].state is State.APPROVED
    assert digest not in register.known().plans
    data = {"document": "PP-HN-HEALTH", "version": 1, "digest": digest}
    ledger.record("plan.activated", "plan.1", "wang", data)
    assert register.known().approvals[digest].state is State.PUBLISHED
    assert register.known().plans[digest].id == "PP-HN-HEALTH"


def test_reading_on_gives_what_reading_from_the_start_gives(
    house: tuple[Home, Ledger, Register, Shelf],
) -> None:
    home, ledger, register, shelf = house
    register.known()
    act(ledger, "li", "hold_suspended", "dataset/d")
    digest = shelf.put(document("price-plan.yaml").encode(), "plan")
    register.known()
    act(ledger, "li", "document_submitted", digest)
    fresh = Register(home, register._journal, shelf)
    assert fresh.known() == register.known()


def test_a_changed_document_is_noticed(house: tuple[Home, Ledger, Register, Shelf]) -> None:
    home, ledger, register, shelf = house
    digest = shelf.put(document("price-plan.yaml").encode(), "plan")
    place = home.document(digest)
    cheaper = place.read_text(encoding="utf-8").replace("per_query_uy: 2000000", "per_query_uy: 1")
    place.write_text(cheaper, encoding="utf-8")
    data = {"document": "PP-HN-HEALTH", "version": 1, "digest": digest}
    ledger.record("plan.activated", "plan.1", "wang", data)
    with pytest.raises(ShelfRefused, match="was changed on disk"):
        register.known()
    place.unlink()
    with pytest.raises(ShelfRefused, match="is missing"):
        register.known()


def test_a_snapshot_that_is_not_the_registered_one_is_noticed(
    house: tuple[Home, Ledger, Register, Shelf],
) -> None:
    _, ledger, register, _ = house
    data = {
        "dataset": "d",
        "version": 1,
        "digest": "sha256:" + "0" * 64,
        "family": "f",
        "holder": "h",
        "commitment": "commit-sha256:" + "0" * 64,
    }
    ledger.record("dataset.registered", "dataset.1", "h", data)
    with pytest.raises(RegisterRefused, match="missing or damaged"):
        register.known()
