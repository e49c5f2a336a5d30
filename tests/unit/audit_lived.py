"""A domain that has lived a little, its export, and what a node with the key could publish instead."""

from pathlib import Path

from audit import close, verify
from audit.log import events, export, note, tree
from audit.log.events import Event
from audit.log.signer import LogKey, load_key
from audit.money.reconcile import Papers, read_terms
from audit.money.statement import Terms
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
            other = f"{name}-other"
            made = (other.encode(), (f"q-{name}",))
            world.ledger.derive(ask_again(other, "op-2"), made)


def read_documents() -> Terms:
    terms, findings = read_terms(Papers(DOCUMENTS, {}))
    assert findings == ()
    return terms


def issue(world: World, name: str, span: tuple[int, int]) -> bytes:
    """Draw up a statement over a range and log it."""
    statement = close.preview(world.journal, read_documents(), name, span)
    return close.issue(world.ledger, world.journal, statement).content


def check(
    lived: tuple[World, Path], folder: Path | None = None, held: verify.Held = NOTHING
) -> verify.Report:
    return verify.verify_log(folder or lived[1], lived[0].journal.vkey, held)


def codes(report: verify.Report) -> set[str]:
    return {finding.code for finding in report.findings}


def all_leaves(world: World) -> list[bytes]:
    return list(world.journal.entries(0, world.journal.size()))


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


def lived_domain(folder: Path) -> tuple[World, Path]:
    """A small domain with two statements, and its export."""
    world = open_world(folder)
    live(world, 8)
    middle = world.journal.size()
    statements = {"2026-01": issue(world, "2026-01", (0, middle - 9))}
    statements["2026-02"] = issue(world, "2026-02", (middle - 9, middle))
    return world, world.export("export", statements)
