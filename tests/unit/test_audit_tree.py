"""Roots and proofs agree with a second, slower definition on every small tree; every neighbour of a proof fails."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log import tree

SIZES = range(1, 67)


def slow_root(hashes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_root(hashes[:k]) + slow_root(hashes[k:])).digest()


def leaf_hashes(count: int) -> list[bytes]:
    return [tree.leaf_hash(bytes([i])) for i in range(count)]


def test_roots_of_the_reference_log() -> None:
    """The eight entries and roots that the certificate transparency logs have used since 2013."""
    leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    hashes = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]
    node = tree.nodes_over(hashes)
    assert (
        tree.root(1, node).hex()
        == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert (
        tree.root(8, node).hex()
        == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@pytest.mark.parametrize("size", SIZES)
def test_proofs_hold_on_every_small_tree(size: int) -> None:
    hashes = leaf_hashes(size)
    node, root = tree.nodes_over(hashes), slow_root(hashes)
    assert tree.root(size, node) == root
    for index in range(size):
        assert tree.verify_inclusion(
            index, size, tree.inclusion_proof(index, size, node), hashes[index], root
        )
    for old in range(1, size + 1):
        proof = tree.consistency_proof(old, size, node)
        assert tree.verify_consistency(old, size, proof, slow_root(hashes[:old]), root)


@pytest.mark.parametrize("size", [255, 256, 257, 513])
def test_appending_finds_the_same_subtrees(size: int) -> None:
    """A store that keeps only what `completed` yields can answer everything."""
    kept: dict[tuple[int, int], bytes] = {}
    hashes = [tree.leaf_hash(str(i).encode()) for i in range(size)]
    for index, hashed in enumerate(hashes):
        kept[0, index] = hashed
        for level, position, inner in tree.completed(index, hashed, lambda *at: kept[at]):
            kept[level, position] = inner
    assert tree.root(size, lambda *at: kept[at]) == slow_root(hashes)
    assert len(kept) < 2 * size


@given(st.data())
def test_a_changed_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 40))
    hashes = leaf_hashes(size)
    node = tree.nodes_over(hashes)
    index = data.draw(st.integers(0, size - 1))
    proof = list(tree.inclusion_proof(index, size, node))
    mutant = data.draw(st.sampled_from(["flip", "drop", "add", "index", "size"]))
    root = tree.root(size, node)
    at = data.draw(st.integers(0, len(proof) - 1))
    if mutant == "flip":
        bit = data.draw(st.integers(0, 255))
        proof[at] = (int.from_bytes(proof[at], "big") ^ (1 << bit)).to_bytes(32, "big")
    elif mutant == "drop":
        del proof[at]
    elif mutant == "add":
        proof.insert(at, bytes(32))
    other = index if mutant != "index" else (index + data.draw(st.integers(1, size - 1))) % size
    # A larger size can share the path of an early entry; a size at or below the index never can.
    claimed = size if mutant != "size" else data.draw(st.integers(0, index))
    assert not tree.verify_inclusion(other, claimed, proof, hashes[index], root)


def test_a_rewritten_past_has_no_consistency_proof() -> None:
    old, new = leaf_hashes(5), leaf_hashes(9)
    new[2] = tree.leaf_hash(b"rewritten")
    node = tree.nodes_over(new)
    proof = tree.consistency_proof(5, 9, node)
    assert not tree.verify_consistency(5, 9, proof, slow_root(old), tree.root(9, node))
    assert tree.verify_consistency(5, 9, proof, slow_root(new[:5]), tree.root(9, node))


@pytest.mark.parametrize("sizes", [(0, 3), (4, 3), (-1, 3)])
def test_no_proof_from_nothing_or_backwards(sizes: tuple[int, int]) -> None:
    node = tree.nodes_over(leaf_hashes(4))
    with pytest.raises(ValueError, match="no consistency proof"):
        tree.consistency_proof(*sizes, node)
    assert not tree.verify_consistency(*sizes, (), bytes(32), bytes(32))
