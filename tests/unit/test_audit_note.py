"""Notes, checkpoints, receipts and the signer: what is signed once is believed, and nothing else is."""

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from audit.log import note, receipt, tree
from audit.log.commitment import commit, load_shape_key, opens, shape_tag
from audit.log.signer import HeadRefused, LogKey, Signer, create_key, load_key

ORIGIN = "keyong.test/log1"
# From c2sp.org/signed-note's neighbour, the checksum database of Go: a key and a note that other tools made.
GO_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def leaves(count: int, first: bytes = b"") -> list[bytes]:
    return [first + str(i).encode() for i in range(count)]


def node_over(items: Sequence[bytes]) -> tree.Node:
    return tree.nodes_over([tree.leaf_hash(item) for item in items])


def sign(signer: Signer, size: int, node: tree.Node) -> str:
    with signer.turn() as turn:
        return turn.sign(size, node)


@pytest.fixture
def key(tmp_path: Path) -> LogKey:
    return create_key(tmp_path / "log.key", ORIGIN)


@pytest.fixture
def signer(tmp_path: Path, key: LogKey) -> Signer:
    return Signer(key, tmp_path / "guard")


def test_a_foreign_key_reads_back_as_it_was() -> None:
    assert str(note.parse_vkey(GO_VKEY)) == GO_VKEY


@pytest.mark.parametrize("at", range(0, len(GO_VKEY), 3))
def test_a_mistyped_key_is_refused(at: int) -> None:
    mistyped = GO_VKEY[:at] + ("x" if GO_VKEY[at] != "x" else "y") + GO_VKEY[at + 1 :]
    with pytest.raises(note.NoteRefused):
        note.parse_vkey(mistyped)


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path, key: LogKey) -> None:
    path = tmp_path / "log.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).vkey == key.vkey
    with pytest.raises(FileExistsError):
        create_key(path, ORIGIN)
    path.chmod(0o640)
    with pytest.raises(PermissionError):
        load_key(path)


def test_every_changed_bit_of_a_note_is_refused(signer: Signer) -> None:
    text = sign(signer, 3, node_over(leaves(3)))
    assert note.open_checkpoint(text, signer.key.vkey).size == 3
    raw = text.encode()
    survivors = []
    for bit in range(8 * len(raw)):
        mutant = bytearray(raw)
        mutant[bit // 8] ^= 1 << bit % 8
        try:
            note.open_checkpoint(mutant.decode(), signer.key.vkey)
        except (note.NoteRefused, UnicodeDecodeError):
            continue
        survivors.append(bit)
    assert survivors == []


def test_lines_of_unknown_keys_are_ignored(tmp_path: Path, signer: Signer) -> None:
    """Witnesses add lines, keys are rotated: both work only if readers skip what they do not know."""
    ours = sign(signer, 2, node_over(leaves(2)))
    witness = create_key(tmp_path / "witness.key", "witness.test")
    body = ours.split("\n\n")[0] + "\n"
    line = note.sign(body, witness.name, witness.private).split("\n\n")[1]
    both = ours + line
    assert note.open_checkpoint(both, signer.key.vkey).size == 2
    assert note.open_note(both, (witness.vkey,)) == body
    with pytest.raises(note.NoteRefused, match="no signature by a trusted key"):
        note.open_checkpoint(body + "\n" + line, signer.key.vkey)


def test_a_bad_signature_of_a_known_key_refuses_the_whole_note(
    signer: Signer, tmp_path: Path
) -> None:
    ours = sign(signer, 2, node_over(leaves(2)))
    other = note.sign("other text\n", signer.key.name, signer.key.private).split("\n\n")[1]
    with pytest.raises(note.NoteRefused, match="does not fit"):
        note.open_note(ours + other, (signer.key.vkey,))


@pytest.mark.parametrize(
    "body", ["o\n01\nx\n", "o\n1\n", "\n1\nx\n", "o\n1\nAAAA\n", "o\n+1\nx\n", "o\n1\nx\next\n"]
)
def test_a_malformed_checkpoint_is_refused(key: LogKey, body: str) -> None:
    body = body.replace("x", note.to_base64(bytes(32)))
    with pytest.raises(note.NoteRefused):
        note.open_checkpoint(note.sign(body, ORIGIN, key.private), key.vkey)


def test_the_signer_extends_and_never_forks(signer: Signer) -> None:
    first = leaves(5)
    sign(signer, 5, node_over(first))
    sign(signer, 5, node_over(first))
    sign(signer, 9, node_over([*first, *leaves(4, b"later ")]))
    with pytest.raises(HeadRefused, match="older than the guard"):
        sign(signer, 8, node_over([*first, *leaves(3, b"later ")]))
    with pytest.raises(HeadRefused, match="not those that were signed"):
        sign(signer, 9, node_over([*first, *leaves(4, b"other ")]))
    with pytest.raises(HeadRefused, match="not those that were signed"):
        sign(signer, 12, node_over(leaves(12)))


def test_the_guard_outlives_the_process(tmp_path: Path, signer: Signer) -> None:
    sign(signer, 5, node_over(leaves(5)))
    again = Signer(load_key(tmp_path / "log.key"), tmp_path / "guard")
    with pytest.raises(HeadRefused):
        sign(again, 4, node_over(leaves(4)))


def make_receipt(signer: Signer, count: int, index: int) -> receipt.Receipt:
    items = leaves(count)
    node = node_over(items)
    return receipt.Receipt(
        items[index], index, tree.inclusion_proof(index, count, node), sign(signer, count, node)
    )


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_receipt_proves_its_leaf(signer: Signer, count: int) -> None:
    made = make_receipt(signer, count, count - 1)
    text = receipt.build(made)
    assert receipt.parse(text) == made
    assert receipt.check(receipt.parse(text), signer.key.vkey).size == count


def test_every_changed_bit_of_a_receipt_is_refused(signer: Signer) -> None:
    raw = receipt.build(make_receipt(signer, 7, 3)).encode()
    survivors = []
    for bit in range(8 * len(raw)):
        mutant = bytearray(raw)
        mutant[bit // 8] ^= 1 << bit % 8
        try:
            receipt.check(receipt.parse(mutant.decode()), signer.key.vkey)
        except (receipt.ReceiptRefused, UnicodeDecodeError):
            continue
        survivors.append(bit)
    assert survivors == []


def test_a_receipt_for_another_place_is_refused(signer: Signer) -> None:
    made = make_receipt(signer, 7, 3)
    for wrong in (
        replace(made, index=2),
        replace(made, leaf=b"4"),
        replace(made, path=made.path[::-1]),
    ):
        with pytest.raises(receipt.ReceiptRefused):
            receipt.check(wrong, signer.key.vkey)


def test_a_commitment_hides_and_binds() -> None:
    """Equal contents look different, so a guess cannot be checked; another content cannot be opened."""
    first, second = commit(b"17"), commit(b"17")
    assert first.digest != second.digest
    assert opens(first.digest, first.salt, b"17")
    assert not opens(first.digest, first.salt, b"18")
    assert not opens(first.digest, second.salt, b"17")
    # Moving a byte from the content into the salt must not open it either.
    assert not opens(first.digest, first.salt + b"1", b"7")


def test_shapes_are_named_under_a_key_that_stays(tmp_path: Path) -> None:
    key_bytes = load_shape_key(tmp_path / "shape.key")
    assert load_shape_key(tmp_path / "shape.key") == key_bytes
    assert stat.S_IMODE((tmp_path / "shape.key").stat().st_mode) == 0o600
    assert shape_tag(key_bytes, b"shape") == shape_tag(key_bytes, b"shape")
    assert shape_tag(key_bytes, b"shape") != shape_tag(bytes(32), b"shape")
    with pytest.raises(ValueError, match="at least 32"):
        shape_tag(b"short", b"shape")
