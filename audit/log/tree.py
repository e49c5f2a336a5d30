"""The Merkle tree as pure functions over perfect subtrees.

A tree of any size is a row of perfect subtrees, so a store needs to keep only those: `node(level, position)` is the
hash over the entries [position * 2**level, (position + 1) * 2**level). Everything else is folded from them on demand.

Source      RFC 9162 section 2.1 (hashes), 2.1.3 (inclusion), 2.1.4 (consistency); equal to RFC 6962.
Refuses     A consistency proof from size 0 to a larger tree proves nothing and is rejected: a caller with an empty head
            needs no proof.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

Node = Callable[[int, int], bytes]
"""Look up the hash of one perfect subtree: (level, position) -> 32 bytes."""

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
# 2**63 entries outlive the machine; the limit keeps a hostile size from driving a long loop.
SIZE_MAX = 2**63 - 1


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one entry. The 0x00 prefix keeps an entry from posing as an inner node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed(index: int, hash_of_leaf: bytes, node: Node) -> Iterator[tuple[int, int, bytes]]:
    """Yield (level, position, hash) of each inner perfect subtree that entry `index` completes, lowest first."""
    level, position, current = 0, index, hash_of_leaf
    while position % 2 == 1:
        current = node_hash(node(level, position - 1), current)
        level, position = level + 1, position // 2
        yield level, position, current


def nodes_over(leaf_hashes: Sequence[bytes]) -> Node:
    """Build the subtree look-up for a list of leaf hashes held in memory."""
    levels = [list(leaf_hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, position: levels[level][position]


def root(size: int, node: Node) -> bytes:
    """Return the root over the first `size` entries."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """Return the audit path of entry `index` in the tree of `size`, from the leaf's sibling up to the root's child."""
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of size {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start = middle
    return tuple(reversed(path))


def consistency_proof(size_old: int, size_new: int, node: Node) -> tuple[bytes, ...]:
    """Return the proof that the first `size_old` entries of the tree of `size_new` are unchanged."""
    if not 0 < size_old <= size_new:
        raise ValueError(
            f"no consistency proof from size {size_old} to {size_new}; the old size is at least 1"
        )
    path: list[bytes] = []
    start, end = 0, size_new
    while size_old != end:
        middle = start + _split(end - start)
        if size_old <= middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start = middle
    # RFC 9162 leaves out the old tree's own root: the verifier holds it already.
    if start:
        path.append(_range_hash(start, end, node))
    return tuple(reversed(path))


def verify_inclusion(
    index: int, size: int, proof: Sequence[bytes], hash_of_leaf: bytes, expected_root: bytes
) -> bool:
    """Return whether `proof` leads from the leaf at `index` to the root of the tree of `size`."""
    if not 0 <= index < size <= SIZE_MAX or not _all_hashes((*proof, hash_of_leaf)):
        return False
    position, last, current = index, size - 1, hash_of_leaf
    for sibling in proof:
        if last == 0:
            return False
        if position % 2 == 1 or position == last:
            current = node_hash(sibling, current)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and current == expected_root


def verify_consistency(
    size_old: int, size_new: int, proof: Sequence[bytes], root_old: bytes, root_new: bytes
) -> bool:
    """Return whether `proof` shows the old tree to be a prefix of the new one."""
    if size_old == size_new:
        return not proof and root_old == root_new
    if not 0 < size_old < size_new <= SIZE_MAX or not _all_hashes(proof):
        return False
    # A power of two is itself a node of the new tree, so its root opens the path without being sent.
    path = list(proof) if size_old & (size_old - 1) else [root_old, *proof]
    if not path:
        return False
    position, last = size_old - 1, size_new - 1
    while position % 2 == 1:
        position, last = position >> 1, last >> 1
    folded_old = folded_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position % 2 == 1 or position == last:
            folded_old, folded_new = node_hash(sibling, folded_old), node_hash(sibling, folded_new)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            folded_new = node_hash(folded_new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and folded_old == root_old and folded_new == root_new


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count`."""
    return int(1 << ((count - 1).bit_length() - 1))


def _range_hash(start: int, end: int, node: Node) -> bytes:
    """Return MTH(D[start:end]) for a range that RFC 9162's recursion can reach."""
    # INVARIANT: `start` is a multiple of the first (largest) subtree's width, so every piece below is a stored node.
    pieces: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start % (1 << level):
            raise AssertionError(f"range [{start}, {end}) is not on the tree's grid")
        pieces.append(node(level, start >> level))
        start += 1 << level
    folded = pieces.pop()
    while pieces:
        folded = node_hash(pieces.pop(), folded)
    return folded


def _all_hashes(hashes: Sequence[bytes]) -> bool:
    return all(len(item) == HASH_BYTES for item in hashes)
