"""An auditor with one public key finds every change to an export, and every step a dishonest node could have taken."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import verify
from audit.log import export
from tests.unit.audit_lived import EPS, NOTHING, all_leaves, check, codes, live, lived_domain
from tests.unit.audit_world import World, ask, furnish, open_world


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    world, folder = lived_domain(tmp_path_factory.mktemp("domain"))
    yield world, folder
    world.store.close()


def test_an_untouched_export_verifies(lived: tuple[World, Path]) -> None:
    report = check(lived)
    assert (report.findings, report.ok, report.open_operations) == ((), True, ())
    assert report.balances == lived[0].ledger.balances()
    assert report.size == lived[0].journal.size()
    assert dict(report.kinds)["usage.recorded"] == 18


def test_a_flipped_bit_anywhere_is_found(lived: tuple[World, Path], tmp_path: Path) -> None:
    """Each file in turn, so that none goes unchecked; 600 bits in all."""
    dice = random.Random(3)
    folder = tmp_path / "x"
    shutil.copytree(lived[1], folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) >= 7
    missed = []
    for number in range(600):
        path = files[number % len(files)]
        good = path.read_bytes()
        bit = dice.randrange(8 * len(good))
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        if not check(lived, folder).findings:
            missed.append((path.name, bit))
        path.write_bytes(good)
    assert missed == []
    assert check(lived, folder).findings == ()


@pytest.mark.parametrize("harm", ["delete", "truncate", "empty", "append"])
def test_a_harmed_file_is_found(lived: tuple[World, Path], tmp_path: Path, harm: str) -> None:
    for path in sorted(path for path in lived[1].rglob("*") if path.is_file()):
        shutil.copytree(lived[1], tmp_path / "x")
        victim = tmp_path / "x" / path.relative_to(lived[1])
        good = victim.read_bytes()
        if harm == "delete":
            victim.unlink()
        else:
            victim.write_bytes({"truncate": good[:-1], "empty": b"", "append": good + b"\0"}[harm])
        assert check(lived, tmp_path / "x").findings != (), path
        shutil.rmtree(tmp_path / "x")


@pytest.mark.parametrize("harm", ["swap", "drop_last", "drop_first", "insert", "replace"])
def test_entries_rearranged_with_matching_tiles_are_found(
    lived: tuple[World, Path], tmp_path: Path, harm: str
) -> None:
    """Whoever rewrites tiles and bundles consistently still lacks the key for the new root."""
    leaves = all_leaves(lived[0])
    if harm == "swap":
        leaves[9], leaves[10] = leaves[10], leaves[9]
    elif harm == "drop_last":
        leaves.pop()
    elif harm == "drop_first":
        leaves.pop(0)
    elif harm == "insert":
        leaves.insert(9, leaves[9])
    else:
        leaves[9] = leaves[8]
    checkpoint = (lived[1] / "checkpoint").read_text()
    export.write(tmp_path, leaves, checkpoint, documents={}, statements={})
    assert codes(check(lived, tmp_path)) & {"root_differs", "file_missing"}


def test_notices_are_seen_and_are_no_errors(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    live(world, 4)
    world.clock.pass_time(-60)
    world.answer("late", EPS)
    folder = tmp_path / "x"
    world.journal.export(folder, {}, {})
    report = verify.verify_log(folder, world.journal.vkey, NOTHING)
    assert report.ok
    assert codes(report) == {"clock_stepped_back", "plan_absent"}
    world.store.close()


def test_open_operations_are_named(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    furnish(world.ledger)
    world.ledger.reserve(ask("a", EPS))
    report = verify.verify_log(world.export("x", {}), world.journal.vkey, NOTHING)
    assert (report.ok, report.open_operations) == (True, ("q-a",))
    assert report.balances == world.ledger.balances()
    world.store.close()


def test_a_receipt_opens_its_release_to_its_owner_only(lived: tuple[World, Path]) -> None:
    world, vkey = lived[0], lived[0].journal.vkey
    outcome = world.ledger.outcome("op-1", "key-0")
    assert outcome is not None and outcome.release is not None
    text, release = world.journal.receipt(outcome.index), outcome.release
    report = verify.verify_receipt(text, vkey)
    assert report.ok and report.entry is not None and report.entry.kind == "query.released"
    assert verify.verify_release(text, vkey, release.salt, release.content).ok
    assert codes(verify.verify_release(text, vkey, release.salt, b"other")) == {"release_differs"}
    assert codes(verify.verify_release(text, vkey, bytes(32), release.content)) == {
        "release_differs"
    }
    assert codes(verify.verify_receipt(text + "x", vkey)) == {"receipt_refused"}
    assert release.content not in text.encode() and release.salt.hex() not in text


def test_the_same_question_asked_again_shows_the_same_commitment(lived: tuple[World, Path]) -> None:
    """Two clients can see that they hold one answer, and nobody else learns what it was."""
    ledger = lived[0].ledger
    one, two = ledger.outcome("op-1", "key-0"), ledger.outcome("op-2", "key-0-again")
    assert one is not None and two is not None
    assert one.release == two.release
    assert one.index != two.index
