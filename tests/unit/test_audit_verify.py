"""An auditor with one public key finds every change to an export, and every step a dishonest node could have taken."""

import importlib
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from audit import close, verify
from audit.log import canon, events, export, note, tiles, tree
from audit.log.events import Event
from audit.log.signer import LogKey, load_key
from audit.money.reconcile import Papers, read_terms
from audit.money.statement import Terms, take_back
from audit.request import Reserved
from tests.unit.audit_world import DOCUMENTS, World, ask, ask_again, furnish, open_world

NOTHING = verify.Held((), ())
EPS = 100_000_000


def live(world: World, count: int) -> None:
    """A little of everything that can happen."""
    furnish(world.ledger)
    for number in range(count):
        world.clock.pass_time(1)
        name = str(number)
        if number % 4 == 3:
            permit = world.ledger.reserve(ask(name, EPS))
            assert isinstance(permit, Reserved)
            world.ledger.start(f"q-{name}", permit.fence)
            world.ledger.fail(f"q-{name}", permit.fence, "worker_died", touched=True)
            world.ledger.refuse(f"q-{name}-refused", "op-2", "check", "column_not_granted")
        else:
            world.answer(name, EPS)
            world.ledger.reuse(ask_again(f"{name}-again", "op-2"), f"cell-{name}")


def read_documents() -> Terms:
    terms, findings = read_terms(Papers(DOCUMENTS, {}))
    assert findings == ()
    return terms


def issue(world: World, name: str, span: tuple[int, int]) -> bytes:
    """Draw up a statement over a range and log it."""
    statement = close.preview(world.journal, read_documents(), name, span)
    return close.issue(world.ledger, world.journal, statement).content


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    """A small domain with two statements, and its export."""
    world = open_world(tmp_path_factory.mktemp("domain"))
    live(world, 8)
    middle = world.journal.size()
    statements = {"2026-01": issue(world, "2026-01", (0, middle - 9))}
    statements["2026-02"] = issue(world, "2026-02", (middle - 9, middle))
    yield world, world.export("export", statements)
    world.store.close()


def check(
    lived: tuple[World, Path], folder: Path | None = None, held: verify.Held = NOTHING
) -> verify.Report:
    return verify.verify_log(folder or lived[1], lived[0].journal.vkey, held)


def codes(report: verify.Report) -> set[str]:
    return {finding.code for finding in report.findings}


def test_an_untouched_export_verifies(lived: tuple[World, Path]) -> None:
    report = check(lived)
    assert (report.findings, report.ok, report.open_operations) == ((), True, ())
    assert report.balances == lived[0].ledger.balances()
    assert report.size == lived[0].journal.size()
    assert dict(report.kinds)["usage.recorded"] == 12


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


def all_leaves(world: World) -> list[bytes]:
    return list(world.journal.entries(0, world.journal.size()))


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


def key_of(world: World) -> LogKey:
    return load_key(world.folder / "log.key")


def sign_anew(world: World, folder: Path, changed: list[Event]) -> None:
    """What a node that holds the key could publish after rewriting its own history."""
    leaves = [events.encode(event) for event in changed]
    root = tree.root(len(leaves), tree.nodes_over([tree.leaf_hash(leaf) for leaf in leaves]))
    key = key_of(world)
    head = note.Checkpoint(key.name, len(leaves), root)
    documents = {digest.removeprefix("sha256:"): encoded for digest, encoded in DOCUMENTS.items()}
    papers = world.folder / "export" / "statements"
    statements = {path.stem: path.read_bytes() for path in papers.glob("*.json")}
    export.write(
        folder,
        leaves,
        note.sign(head.body(), key.name, key.private),
        documents=documents,
        statements=statements,
    )


def first(events_in: list[Event], kind: str) -> int:
    return next(i for i, event in enumerate(events_in) if event.kind == kind)


def changed(event: Event, **data: Any) -> Event:
    return replace(event, data={**event.data, **data})


def charges_of(event: Event) -> list[dict[str, str]]:
    return cast("list[dict[str, str]]", event.data["charges"])


def double_ending(log: list[Event]) -> None:
    at = first(log, "query.released")
    log.append(replace(log[at], id=log[at].id + "2"))


def refund(log: list[Event]) -> None:
    at = first(log, "query.failed")
    log[at] = changed(log[at], touched=False)


def overspend(log: list[Event]) -> None:
    at = first(log, "account.opened")
    log[at] = changed(log[at], cap="1000")


def forget_usage(log: list[Event]) -> None:
    at = first(log, "usage.recorded")
    log[at] = replace(log[first(log, "query.refused")], id="filler")


def cheaper_usage(log: list[Event]) -> None:
    at = first(log, "usage.recorded")
    log[at] = changed(log[at], quote={"gross_uy": "1", "waived_uy": "0", "due_uy": "1"})


def cheaper_everywhere(log: list[Event]) -> None:
    quote = {"gross_uy": "1", "waived_uy": "0", "due_uy": "1"}
    at = first(log, "query.accepted")
    charges = [
        c if c["unit"] != "micro_yuan" else {**c, "amount": "1"} for c in charges_of(log[at])
    ]
    log[at] = changed(log[at], quote=quote, charges=charges)
    cheaper_usage(log)


def hold_less_than_quoted(log: list[Event]) -> None:
    at = first(log, "query.accepted")
    charges = [
        c if c["unit"] != "micro_yuan" else {**c, "amount": "1"} for c in charges_of(log[at])
    ]
    log[at] = changed(log[at], charges=charges)


def no_loss(log: list[Event]) -> None:
    at = first(log, "query.accepted")
    charges = [c for c in charges_of(log[at]) if c["unit"] == "micro_yuan"]
    log[at] = changed(log[at], charges=charges)


def silent_cap(log: list[Event]) -> None:
    data = {
        "account": "family/hn_person/eps",
        "unit": "eps_nano",
        "cap_before": "1",
        "cap": "9",
        "authority": "x",
    }
    log.append(Event("account.cap_changed", "cap.x", "gw-1", log[-1].time, "domain", data))


def reuse_of_nothing(log: list[Event]) -> None:
    at = first(log, "query.reused")
    log[at] = changed(log[at], released=0)


def reuse_of_another(log: list[Event]) -> None:
    at = first(log, "query.reused")
    log[at] = changed(log[at], commitment="commit-sha256:" + "0" * 64)


def paid_again(log: list[Event]) -> None:
    at = first(log, "usage.recorded")
    log.append(replace(log[at], id="again"))


def same_operation(log: list[Event]) -> None:
    log.append(replace(log[first(log, "query.accepted")], id="again"))


def same_id(log: list[Event]) -> None:
    log.append(log[first(log, "query.refused")])


def unknown_account(log: list[Event]) -> None:
    at = first(log, "account.opened")
    log[at] = changed(log[at], account="other")


def other_total(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at] = changed(log[at], total_fen="1")


def billed_twice(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at + 1] = replace(log[at], id="statement.again")


def unissued(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at] = replace(log[first(log, "query.refused")], id="filler")


def future_statement(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at] = changed(log[at], index_to=at + 1)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (double_ending, "ending_unpaired"),
        (refund, "refund_unfounded"),
        (overspend, "overspent"),
        (forget_usage, "usage_missing"),
        (cheaper_usage, "usage_differs"),
        (cheaper_everywhere, "price_differs"),
        (hold_less_than_quoted, "fee_differs"),
        (no_loss, "loss_missing"),
        (silent_cap, "cap_unfounded"),
        (reuse_of_nothing, "reuse_unfounded"),
        (reuse_of_another, "reuse_unfounded"),
        (paid_again, "usage_unpaired"),
        (same_operation, "operation_repeated"),
        (same_id, "event_repeated"),
        (unknown_account, "account_unknown"),
        (other_total, "statement_differs"),
        (billed_twice, "billed_twice"),
        (unissued, "statement_unlogged"),
        (future_statement, "statement_refused"),
    ],
)
def test_a_lie_signed_by_the_node_itself_is_found(
    lived: tuple[World, Path], tmp_path: Path, lie: Callable[[list[Event]], None], code: str
) -> None:
    log = [events.decode(leaf) for leaf in all_leaves(lived[0])]
    sign_anew(lived[0], tmp_path / "honest", log)
    assert check(lived, tmp_path / "honest").findings == ()
    lie(log)
    sign_anew(lived[0], tmp_path / "lie", log)
    report = check(lived, tmp_path / "lie")
    assert not report.ok
    assert code in codes(report)


def test_a_share_moved_between_payees_is_found(lived: tuple[World, Path], tmp_path: Path) -> None:
    """The total still adds up; only splitting again shows it."""
    shutil.copytree(lived[1], tmp_path / "x")
    path = tmp_path / "x" / "statements" / "2026-01.json"
    document: Any = canon.decode_document(path.read_bytes())
    shares = document["lines"][0]["shares"]
    shares[0]["amount_fen"] = str(int(shares[0]["amount_fen"]) - 1)
    shares[1]["amount_fen"] = str(int(shares[1]["amount_fen"]) + 1)
    path.write_bytes(canon.encode_document(document))
    assert "statement_differs" in codes(check(lived, tmp_path / "x"))


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


def test_what_the_auditor_kept_is_held_against_the_node(
    lived: tuple[World, Path], tmp_path: Path
) -> None:
    world = lived[0]
    receipt_text = world.journal.receipt(9)
    checkpoint = world.journal.checkpoint()
    held = verify.Held((checkpoint,), (receipt_text,))
    assert check(lived, held=held).findings == ()
    log = [events.decode(leaf) for leaf in all_leaves(world)]
    sign_anew(world, tmp_path / "shorter", log[:9])
    assert {"log_shrank", "receipt_not_in_log"} <= codes(check(lived, tmp_path / "shorter", held))
    log[3] = changed(log[3], authority="other-document")
    sign_anew(world, tmp_path / "rewritten", log)
    assert codes(check(lived, tmp_path / "rewritten", held)) == {"history_differs"}
    # Without anything kept, a history rewritten by the node in its own rules cannot be told: hence `held`.
    assert check(lived, tmp_path / "rewritten").ok
    assert codes(check(lived, held=verify.Held(("junk",), ("junk",)))) == {"held_refused"}


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


def test_checkpoints_are_signed_in_turn_while_the_log_grows(tmp_path: Path) -> None:
    """A head read before another's was signed would look like a fork to the guard."""
    world = open_world(tmp_path)
    furnish(world.ledger)

    def grow(number: int) -> str:
        world.answer(str(number), EPS)
        return world.journal.checkpoint()

    with ThreadPoolExecutor(6) as pool:
        notes = tuple(pool.map(grow, range(24)))
    report = verify.verify_log(world.export("x", {}), world.journal.vkey, verify.Held(notes, ()))
    assert report.findings == ()
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


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
def test_layout_at_the_edges_of_a_tile(tmp_path: Path, size: int) -> None:
    """Sizes and widths of c2sp.org/tlog-tiles; a full tile has no `.p` and brings a partial tile above it."""
    leaves = [str(i).encode() for i in range(size)]
    node = tree.nodes_over([tree.leaf_hash(leaf) for leaf in leaves])
    names = {name: len(content) // 32 for name, content in tiles.hash_tiles(size, node)}
    expected = {
        0: {},
        1: {"tile/0/000.p/1": 1},
        255: {"tile/0/000.p/255": 255},
        256: {"tile/0/000": 256, "tile/1/000.p/1": 1},
        257: {"tile/0/000": 256, "tile/0/001.p/1": 1, "tile/1/000.p/1": 1},
    }
    assert names == expected[size]
    read = [
        leaf
        for name, content in tiles.bundles(leaves)
        for leaf in tiles.unbundle(content, _width(name))
    ]
    assert read == leaves
    assert tiles.path(0, 1_234_067, 256) == "tile/0/x001/x234/067"


def _width(name: str) -> int:
    return int(name.partition(".p/")[2] or 256)


def test_a_foreign_reader_agrees_about_our_export(tmp_path: Path) -> None:
    """Another author's reader of the same standards finds the same root, entries and proofs in our files."""
    foreign = pytest.importorskip(
        "tlog_scales", reason="tlog-scales is not installed; it is an outside oracle only"
    )
    backend, reader_module, signing, tlog = (
        importlib.import_module(f"{foreign.__name__}.{name}")
        for name in ("backend", "reader", "signing", "tlog")
    )
    world = open_world(tmp_path)
    live(world, 80)
    folder = world.export("export", {})
    reader = reader_module.TilesReader(backend.LocalBackend(folder))
    head = reader.get_checkpoint()
    head.verify(signing.Vkey.from_string(world.journal.vkey))
    leaves = all_leaves(world)
    node = tree.nodes_over([tree.leaf_hash(leaf) for leaf in leaves])
    assert head.size == len(leaves) > 256
    assert head.root_hash == reader.calculate_root_hash() == tree.root(head.size, node)
    for index in range(0, head.size, 7):
        assert reader.get_entry(index) == leaves[index]
        theirs = reader.get_inclusion_proof(index, head.size)
        ours = tree.inclusion_proof(index, head.size, node)
        assert tuple(theirs.node_hashes) == ours
        tlog.InclusionProof(index, head.size, list(ours)).check(
            tree.leaf_hash(leaves[index]), head.root_hash
        )
    for size in (1, 100, 256, head.size - 1):
        ours = tree.consistency_proof(size, head.size, node)
        assert tuple(reader.get_consistency_proof(size, head.size).node_hashes) == ours
        tlog.ConsistencyProof(size, head.size, list(ours)).check(
            tree.root(size, node), head.root_hash
        )
    world.store.close()
