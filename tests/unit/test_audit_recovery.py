"""What a stop, a deadline or a stranger leaves behind, and what the file itself refuses."""

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit.log.signer import HeadRefused
from audit.request import Posting
from audit.store.entries import EventConflict
from audit.store.operations import FenceRejected, State
from audit.store.sqlite import Store, StoreRefused
from tests.unit.audit_steps import DUE, HALF, assert_folds, reserved, stands
from tests.unit.audit_world import (
    EPS,
    FEE,
    SHAPE,
    World,
    furnish,
    open_world,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    furnish(opened.ledger)
    yield opened
    opened.store.close()


def test_recovery_voids_what_never_started_and_spends_what_did(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    furnish(world.ledger)
    reserved(world, "waiting")
    permit = reserved(world, "running")
    world.ledger.start("q-running", permit.fence)
    world.answer("done", HALF)
    world.store.close()
    world = open_world(tmp_path)
    recovered = world.ledger.recover()
    assert (recovered.voided, recovered.failed) == (1, 1)
    assert (stands(world, EPS), stands(world, FEE)) == ((2 * HALF, 0), (DUE, 0))
    for name, state in (
        ("waiting", State.VOIDED),
        ("running", State.FAILED),
        ("done", State.RELEASED),
    ):
        outcome = world.ledger.outcome_of(f"q-{name}")
        assert outcome is not None and outcome.state is state
    size = world.journal.size()
    assert world.ledger.recover() == replace(recovered, voided=0, failed=0)
    assert world.journal.size() == size
    assert_folds(world)
    world.store.close()


def test_recovery_leaves_another_gateway_alone(tmp_path: Path) -> None:
    one, two = open_world(tmp_path, "gw-1"), open_world(tmp_path, "gw-2")
    furnish(one.ledger)
    permit = reserved(one, "a")
    one.ledger.start("q-a", permit.fence)
    assert two.ledger.recover().failed == 0
    one.ledger.post(Posting("q-a", permit.fence, b"noisy", "cell", None))
    one.store.close()
    two.store.close()


def test_a_source_has_one_process(tmp_path: Path) -> None:
    one = open_world(tmp_path)
    with pytest.raises(StoreRefused, match="in use"):
        open_world(tmp_path)
    one.store.close()
    open_world(tmp_path).store.close()


def test_a_deadline_settles_like_a_crash(world: World) -> None:
    first, second = reserved(world, "a"), reserved(world, "b")
    world.ledger.start("q-b", second.fence)
    world.clock.pass_time(3_601)
    with pytest.raises(FenceRejected, match="deadline"):
        world.ledger.start("q-a", first.fence)
    swept = world.ledger.sweep()
    assert (swept.voided, swept.failed) == (1, 1)
    with pytest.raises(FenceRejected):
        world.ledger.post(Posting("q-b", second.fence, b"late", "cell", None))
    assert world.ledger.cell("cell") is None
    assert stands(world, EPS) == (HALF, 0)
    assert_folds(world)


def test_failures_are_counted_until_the_holder_looks(world: World) -> None:
    for name in "abc":
        permit = reserved(world, name)
        world.ledger.start(f"q-{name}", permit.fence)
        touched = name != "c"
        world.ledger.fail(
            f"q-{name}", permit.fence, "worker_died" if touched else "runtime_unavailable", touched
        )
    assert (
        world.ledger.failures("op-1", "hn_person"),
        world.ledger.failures("op-2", "hn_person"),
    ) == (2, 0)
    assert world.ledger.shape_failures(SHAPE) == 2
    world.ledger.review_failures("op-1", "hn_person", "holder/li")
    assert world.ledger.failures("op-1", "hn_person") == 0


def test_the_same_document_is_logged_once(world: World) -> None:
    size = world.journal.size()
    data = {"actor": "holder/li", "action": "suspended", "subject": "op-1"}
    first = world.ledger.record("domain.acted", "act-1", "holder", data)
    world.clock.pass_time(5)
    assert world.ledger.record("domain.acted", "act-1", "holder", data) == first
    with pytest.raises(EventConflict):
        world.ledger.record("domain.acted", "act-1", "holder", data | {"action": "resumed"})
    assert world.journal.size() == size + 1


def test_the_log_cannot_be_edited_through_sql(world: World) -> None:
    world.answer("a", HALF)
    with sqlite3.connect(world.store.path) as raw:
        for table, column in (
            ("entry", "leaf"),
            ("node", "hash"),
            ("release", "bytes"),
            ("cell", "digest"),
        ):
            for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    raw.execute(statement)
    raw.close()


def test_an_unsafe_or_foreign_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "other.db") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreRefused, match="layout 99"):
        Store(tmp_path / "other.db")
    unsynced = sqlite3.connect(tmp_path / "fast.db", isolation_level=None)
    unsynced.execute("PRAGMA journal_mode = WAL")
    unsynced.execute("PRAGMA synchronous = NORMAL")
    with pytest.raises(StoreRefused, match="power cut"):
        Store._refuse_unsafe(unsynced)
    unsynced.close()


def test_a_full_disk_undoes_the_step_and_nothing_else(world: World) -> None:
    world.answer("a", HALF)
    permit = reserved(world, "b")
    world.ledger.start("q-b", permit.fence)
    before, size = world.ledger.balances(), world.journal.size()
    with world.store.write() as tx:
        pages = tx.execute("PRAGMA page_count").fetchone()[0]
        tx.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        world.ledger.post(Posting("q-b", permit.fence, b"x" * 100_000, "cell-b", None))
    assert (world.ledger.balances(), world.journal.size()) == (before, size)
    with world.store.write() as tx:
        tx.execute("PRAGMA max_page_count = 1000000")
    world.ledger.post(Posting("q-b", permit.fence, b"x" * 100_000, "cell-b", None))
    assert_folds(world)


def test_a_database_restored_from_a_backup_cannot_sign(tmp_path: Path) -> None:
    """Its next head would contradict one that outsiders hold; the guard on another volume remembers."""
    world = open_world(tmp_path)
    furnish(world.ledger)
    world.answer("a", HALF)
    backup = tmp_path / "backup.db"
    with world.store.read() as tx, sqlite3.connect(backup) as copy:
        tx.execute("ROLLBACK")
        tx.backup(copy)
        tx.execute("BEGIN")
    copy.close()
    world.answer("b", HALF)
    world.journal.checkpoint()
    world.store.close()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    backup.rename(tmp_path / "ledger.db")
    restored = open_world(tmp_path)
    with pytest.raises(HeadRefused, match="older than the guard"):
        restored.journal.checkpoint()
    restored.answer("c", HALF)
    restored.answer("d", HALF)
    with pytest.raises(HeadRefused, match="not those that were signed"):
        restored.journal.checkpoint()
    restored.store.close()


def test_the_file_is_closed_to_others(world: World) -> None:
    world.answer("a", HALF)
    for path in world.folder.glob("ledger.db*"):
        if path.suffix != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
