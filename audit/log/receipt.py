"""A receipt: one file that proves, offline and for ever, that one leaf is in the log.

The leaf itself travels in the `extra` line, so that the file is a plain tlog-proof other tools can read. That line is
not signed by anybody; it is believed only after it hashed to the entry the proof leads to.

Source      c2sp.org/tlog-proof, version 1.
"""

from dataclasses import dataclass

from audit.log import note, tree

_HEADER = "c2sp.org/tlog-proof@v1"
# A tree of 2**63 entries has paths of 63 hashes.
PATH_HASHES_MAX = 63


@dataclass(frozen=True, slots=True)
class Receipt:
    """A leaf, its place, the path to the root, and the signed checkpoint with that root."""

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str


class ReceiptRefused(ValueError):
    """The receipt is not well-formed or does not prove its leaf."""


def build(receipt: Receipt) -> str:
    """Write a receipt as tlog-proof text."""
    lines = [
        _HEADER,
        f"extra {note.to_base64(receipt.leaf)}",
        f"index {receipt.index}",
        *(note.to_base64(item) for item in receipt.path),
        "",
    ]
    return "\n".join(lines) + "\n" + receipt.checkpoint


def parse(text: str) -> Receipt:
    """Read tlog-proof text. The result is well-formed, not yet believed: see `check`."""
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 3 or lines[0] != _HEADER:
        raise ReceiptRefused(f"receipt does not begin with `{_HEADER}`, a leaf and an index")
    if len(lines) > 3 + PATH_HASHES_MAX:
        raise ReceiptRefused("receipt has a longer path than any tree")
    try:
        leaf = note.from_base64(_after("extra", lines[1]))
        index = note.parse_decimal(_after("index", lines[2]))
        path = tuple(note.from_base64(line) for line in lines[3:])
    except note.NoteRefused as error:
        raise ReceiptRefused(str(error)) from None
    return Receipt(leaf, index, path, checkpoint)


def check(receipt: Receipt, log: note.VerifierKey) -> note.Checkpoint:
    """Return the checkpoint that holds the leaf, or refuse."""
    try:
        checkpoint = note.open_checkpoint(receipt.checkpoint, log)
    except note.NoteRefused as error:
        raise ReceiptRefused(str(error)) from None
    hashed = tree.leaf_hash(receipt.leaf)
    if not tree.verify_inclusion(
        receipt.index, checkpoint.size, receipt.path, hashed, checkpoint.root
    ):
        raise ReceiptRefused(
            f"leaf is not entry {receipt.index} of the log at size {checkpoint.size}"
        )
    return checkpoint


def _after(word: str, line: str) -> str:
    found, space, rest = line.partition(" ")
    if found != word or not space:
        raise ReceiptRefused(f"receipt lacks its `{word}` line")
    return rest
