"""The log as outsiders see it: entries, signed checkpoints, receipts and consistency proofs.

    Journal(store, signer)
    size() -> int      entries(start, end) -> tuple[bytes, ...]
    events_of(kind, start, end) -> tuple[(index, Event), ...]
    checkpoint() -> str                       a signed note covering every entry durable now
    receipt(index) -> str                     a tlog-proof file for one entry, leaf included
    consistency(size_old, size_new) -> tuple[bytes, ...]
    export(folder, documents, statements) -> str      the whole log as static files; returns the checkpoint inside

Publishing order: an entry is durable before a checkpoint covers it, a checkpoint is stored before anybody sees it.
"""

from collections.abc import Mapping
from pathlib import Path

from audit.log import events, export, receipt, tree
from audit.log.signer import Signer
from audit.store import entries
from audit.store.sqlite import Store


class Journal:
    """Reads the log and signs its heads. Threads may share one."""

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    @property
    def vkey(self) -> str:
        """Return the line that outsiders keep to verify everything signed here."""
        return str(self._signer.key.vkey)

    def size(self) -> int:
        """Return how many entries are durable."""
        with self._store.read() as tx:
            return entries.size(tx)

    def entries(self, start: int, end: int) -> tuple[bytes, ...]:
        """Return the leaves [start, end), fewer at the end of the log."""
        with self._store.read() as tx:
            return tuple(entries.leaves(tx, start, end))

    def events_of(self, kind: str, start: int, end: int) -> tuple[tuple[int, events.Event], ...]:
        """Return the events of one kind in [start, end) with their indices."""
        with self._store.read() as tx:
            return tuple(
                (i, events.decode(leaf)) for i, leaf in entries.leaves_of_kind(tx, kind, start, end)
            )

    def checkpoint(self) -> str:
        """Return a signed head of the log as it is now."""
        with self._store.read() as tx:
            known = entries.checkpoint_at(tx, entries.size(tx))
        if known is not None:
            return known
        with self._signer.turn() as turn:
            with self._store.read() as tx:
                size = entries.size(tx)
                note = entries.checkpoint_at(tx, size) or turn.sign(size, entries.node_of(tx))
            with self._store.write() as tx:
                entries.keep_checkpoint(tx, size, note)
        return note

    def receipt(self, index: int) -> str:
        """Return proof that entry `index` is in the log; kept by whoever it was made for, it outlives this node."""
        note = self.checkpoint()
        size = receipt_size(note)
        with self._store.read() as tx:
            path = tree.inclusion_proof(index, size, entries.node_of(tx))
            return receipt.build(receipt.Receipt(entries.leaf(tx, index), index, path, note))

    def consistency(self, size_old: int, size_new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of `size_new` only appends to that of `size_old`."""
        with self._store.read() as tx:
            if size_new > entries.size(tx):
                raise ValueError(f"the log has {entries.size(tx)} entries, not {size_new}")
            return tree.consistency_proof(size_old, size_new, entries.node_of(tx))

    def export(
        self, folder: Path, documents: Mapping[str, bytes], statements: Mapping[str, bytes]
    ) -> str:
        """Write the log as static files that any web server, or a USB stick, can carry to an auditor."""
        note = self.checkpoint()
        leaves = self.entries(0, receipt_size(note))
        export.write(folder, leaves, note, documents=documents, statements=statements)
        return note


def receipt_size(note: str) -> int:
    """Return the size a checkpoint of our own is for."""
    return int(note.split("\n", 2)[1])
