"""Check receipts and whole logs offline, with nothing but a public key.

    verify_receipt(receipt, vkey) -> Report                 one leaf is in the log that this key signs
    verify_release(receipt, vkey, salt, content) -> Report  and these are the bytes that were released under it
    verify_log(folder, vkey, held) -> Report                an export: every hash, every event, every balance, every fen

Promised    A log that verifies was not changed below any checkpoint or receipt in `held`; its events follow the rules
            of the ledger from the first entry on; its statements are what its usage records add up to.
Not promised  That the node showed everybody the same log: compare checkpoints with others. That an answer was
              computed as
            declared: see TRUST. An export older than what you hold is found only if you hold something: keep `held`.
Needs       The standard library, `cryptography` and `rfc8785`. No store, no clock, no network.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.charge import Balance
from audit.fold import Finding, fold
from audit.log import canon, commitment, events, export, note, receipt, tiles, tree
from audit.log.events import Event
from audit.money.reconcile import MONEY_KINDS, Papers, reconcile

_ANSWERS = ("query.released", "query.reused", "query.derived")
_BUNDLE_BYTES_MAX = tiles.WIDTH * (2 + 65_535)


@dataclass(frozen=True, slots=True)
class Held:
    """What the auditor has kept: checkpoints seen earlier, receipts handed out."""

    checkpoints: tuple[str, ...]
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked and what was found. `entry` is the receipt's event; balances are those of a whole log."""

    origin: str
    size: int
    root: str
    findings: tuple[Finding, ...]
    entry: Event | None = None
    balances: tuple[Balance, ...] = ()
    open_operations: tuple[str, ...] = ()
    kinds: tuple[tuple[str, int], ...] = ()

    @property
    def ok(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)

    def fields(self) -> dict[str, object]:
        """Write the report as JSON values, for a machine to read."""
        return {
            "ok": self.ok,
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "findings": [
                {"severity": f.severity, "code": f.code, "index": f.index, "detail": f.detail}
                for f in self.findings
            ],
            "entry": None
            if self.entry is None
            else dict(self.entry.data) | {"kind": self.entry.kind},
            "balances": [
                {
                    "account": balance.account_id,
                    "unit": balance.unit.value,
                    "cap": str(balance.cap),
                    "posted": str(balance.posted),
                    "held": str(balance.held),
                }
                for balance in self.balances
            ],
            "open_operations": list(self.open_operations),
            "kinds": dict(self.kinds),
        }


def verify_receipt(text: str, vkey: str) -> Report:
    """Check one receipt; its event is in the report only if it holds."""
    try:
        parsed = receipt.parse(text)
        checkpoint = receipt.check(parsed, note.parse_vkey(vkey))
        event = events.decode(parsed.leaf)
    except (
        receipt.ReceiptRefused,
        note.NoteRefused,
        canon.NotCanonical,
        events.UnknownEvent,
    ) as error:
        return Report("", 0, "", (_error("receipt_refused", 0, str(error)),))
    return Report(checkpoint.origin, checkpoint.size, checkpoint.root.hex(), (), event)


def verify_release(text: str, vkey: str, salt: bytes, content: bytes) -> Report:
    """Check a receipt and that `content` is what it commits to; the salt comes with the answer."""
    report = verify_receipt(text, vkey)
    if report.entry is None:
        return report
    committed = str(report.entry.data.get("commitment", ""))
    if report.entry.kind not in _ANSWERS or not commitment.opens(committed, salt, content):
        finding = _error("release_differs", 0, "content is not what the receipt commits to")
        return Report(report.origin, report.size, report.root, (finding,), report.entry)
    return report


def verify_log(folder: Path, vkey: str, held: Held) -> Report:
    """Check an exported log from its first bit to its last fen."""
    raw = export.read(folder, export.CHECKPOINT, note.NOTE_BYTES_MAX)
    try:
        key = note.parse_vkey(vkey)
        head = note.open_checkpoint((raw or b"").decode("utf-8"), key)
    except (note.NoteRefused, UnicodeDecodeError) as error:
        return Report("", 0, "", (_error("checkpoint_refused", 0, str(error)),))
    found: list[Finding] = []
    walk = _Walk(folder, head.size, found)
    folded = fold(walk.events())
    found += folded.findings
    if len(walk.hashes) < head.size:
        return Report(head.origin, head.size, head.root.hex(), tuple(found))
    node = tree.nodes_over(walk.hashes)
    found += _tree_findings(folder, head, node)
    found += _held_findings(held, key, walk.hashes, node)
    found += reconcile(walk.money, _papers(folder))
    return Report(
        head.origin,
        head.size,
        head.root.hex(),
        tuple(found),
        balances=folded.balances,
        open_operations=folded.open_operations,
        kinds=tuple(sorted(walk.kinds.items())),
    )


class _Walk:
    """Reads an export once, entry by entry, so that a long log fits in memory."""

    def __init__(self, folder: Path, size: int, found: list[Finding]) -> None:
        self._folder = folder
        self._size = size
        self._found = found
        self.hashes: list[bytes] = []
        self.kinds: Counter[str] = Counter()
        self.money: list[tuple[int, Event]] = []

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield what can be read; what cannot is a finding."""
        for leaf in self._leaves():
            index = len(self.hashes)
            self.hashes.append(tree.leaf_hash(leaf))
            try:
                event = events.decode(leaf)
            except (canon.NotCanonical, events.UnknownEvent) as error:
                self._found.append(_error("leaf_refused", index, str(error)))
                continue
            self.kinds[event.kind] += 1
            if event.kind in MONEY_KINDS:
                self.money.append((index, event))
            yield index, event

    def _leaves(self) -> Iterator[bytes]:
        for number, width in tiles.widths(self._size):
            name, index = tiles.path("entries", number, width), number * tiles.WIDTH
            content = export.read(self._folder, name, _BUNDLE_BYTES_MAX)
            if content is None:
                self._found.append(_error("file_missing", index, f"`{name}` is missing"))
                return
            try:
                yield from tiles.unbundle(content, width)
            except tiles.BundleRefused as error:
                self._found.append(_error("bundle_refused", index, f"`{name}`: {error}"))
                return


def _tree_findings(folder: Path, head: note.Checkpoint, node: tree.Node) -> Iterator[Finding]:
    if tree.root(head.size, node) != head.root:
        yield _error("root_differs", 0, "entries are not those that the checkpoint was signed for")
    for name, expected in tiles.hash_tiles(head.size, node):
        if export.read(folder, name, len(expected)) != expected:
            yield _error("tile_differs", 0, f"`{name}` is missing or is not over these entries")


def _held_findings(
    held: Held, key: note.VerifierKey, hashes: Sequence[bytes], node: tree.Node
) -> Iterator[Finding]:
    for number, text in enumerate(held.checkpoints):
        try:
            older = note.open_checkpoint(text, key)
        except note.NoteRefused as error:
            yield _error("held_refused", 0, f"checkpoint {number} that you hold: {error}")
            continue
        if older.size > len(hashes):
            yield _error(
                "log_shrank", len(hashes), f"you hold a checkpoint of {older.size} entries"
            )
        elif tree.root(older.size, node) != older.root:
            detail = f"entries below {older.size} are not those you hold a checkpoint of"
            yield _error("history_differs", older.size, detail)
    for number, text in enumerate(held.receipts):
        try:
            parsed = receipt.parse(text)
            receipt.check(parsed, key)
        except receipt.ReceiptRefused as error:
            yield _error("held_refused", 0, f"receipt {number} that you hold: {error}")
            continue
        if hashes[parsed.index : parsed.index + 1] != [tree.leaf_hash(parsed.leaf)]:
            yield _error(
                "receipt_not_in_log",
                parsed.index,
                f"receipt {number} that you hold is of another leaf",
            )


def _papers(folder: Path) -> Papers:
    documents = export.read_all(folder, export.DOCUMENTS, canon.DOCUMENT_BYTES_MAX)
    statements = export.read_all(folder, export.STATEMENTS, canon.DOCUMENT_BYTES_MAX)
    return Papers({f"sha256:{name}": content for name, content in documents.items()}, statements)


def _error(code: str, index: int, detail: str) -> Finding:
    return Finding("error", code, index, detail)
