"""The export is laid out as the standards say, by our reader and by another author's."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit import verify
from audit.log import tiles, tree
from tests.unit.audit_lived import (
    EPS,
    all_leaves,
    live,
)
from tests.unit.audit_world import furnish, open_world


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
