"""Signed notes and checkpoints: the two small text formats every tool of the transparency world reads.

Source      c2sp.org/signed-note (text, blank line, signature lines; Ed25519 is type 0x01), c2sp.org/tlog-checkpoint
            (origin, size, root, each on a line).
Refuses     a known key whose signature does not verify (the whole note), base64 in another than its one canonical
            spelling (two unused bits could be flipped unseen), control characters, more than SIGNATURES_MAX lines.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.log.tree import HASH_BYTES, SIZE_MAX

ED25519_TYPE = b"\x01"
KEY_ID_BYTES = 4
# The specification asks for at least 16; witnesses of a city and its auditors stay far below this.
SIGNATURES_MAX = 64
NOTE_BYTES_MAX = 1 << 20
_DASH = "\N{EM DASH} "


class NoteRefused(ValueError):
    """The note is not well-formed, or nobody we trust has signed it."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name and a public key somebody handed over out of band."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519_TYPE + self.public).digest()[
            :KEY_ID_BYTES
        ]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(ED25519_TYPE + self.public)}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's promise at one moment: this many entries, under this root."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """Return the note text."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def parse_vkey(text: str) -> VerifierKey:
    """Read `name+keyid+base64(type || public key)`."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = from_base64(encoded)
    _check_name(name)
    if raw[:1] != ED25519_TYPE or len(raw) != 1 + HASH_BYTES:
        raise NoteRefused("verifier key is not an Ed25519 key of type 1")
    key = VerifierKey(name, raw[1:])
    if key_id != key.key_id.hex():
        raise NoteRefused(
            f"verifier key id `{key_id}` does not belong to name and key; copy the whole line again"
        )
    return key


def sign(text: str, name: str, private: Ed25519PrivateKey) -> str:
    """Return `text` as a note with one signature line."""
    _check_name(name)
    _check_text(text)
    key = VerifierKey(name, private.public_key().public_bytes_raw())
    return f"{text}\n{_DASH}{name} {to_base64(key.key_id + private.sign(text.encode()))}\n"


def open_note(note: str, trusted: Sequence[VerifierKey]) -> str:
    """Return the text of a note signed by at least one trusted key; lines of unknown keys are ignored."""
    text, signatures = _take_apart(note)
    known = {(key.name, key.key_id): key for key in trusted}
    verified = 0
    for name, blob in signatures:
        key = known.get((name, blob[:KEY_ID_BYTES]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(
                blob[KEY_ID_BYTES:], text.encode()
            )
        except InvalidSignature:
            raise NoteRefused(f"signature of `{name}` does not fit the text") from None
        verified += 1
    if not verified:
        raise NoteRefused("no signature by a trusted key")
    return text


def open_checkpoint(note: str, log: VerifierKey) -> Checkpoint:
    """Return the checkpoint that `log` signed."""
    checkpoint = parse_checkpoint(open_note(note, (log,)))
    if checkpoint.origin != log.name:
        raise NoteRefused(f"checkpoint is of log `{checkpoint.origin}`, the key of `{log.name}`")
    return checkpoint


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's body, strictly: three lines, no extension lines, one spelling."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise NoteRefused("checkpoint is not origin, size and root on three lines")
    origin, size, root = lines[0], parse_decimal(lines[1]), from_base64(lines[2])
    if len(root) != HASH_BYTES:
        raise NoteRefused("checkpoint root is not 32 bytes")
    return Checkpoint(origin, size, root)


def parse_decimal(text: str) -> int:
    """Read a whole number in its one ASCII spelling."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or (
        text != "0" and text[0] == "0"
    ):
        raise NoteRefused(f"`{text[:24]}` is not a decimal number without leading zeroes")
    number = int(text)
    if number > SIZE_MAX:
        raise NoteRefused(f"`{text}` is beyond 2**63 - 1")
    return number


def to_base64(raw: bytes) -> str:
    """Spell bytes as standard base64."""
    return base64.b64encode(raw).decode("ascii")


def from_base64(text: str) -> bytes:
    """Read standard base64, refusing every spelling but the canonical one."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise NoteRefused("text is not base64") from None
    if to_base64(raw) != text:
        raise NoteRefused("base64 is not in its canonical spelling")
    return raw


def _take_apart(note: str) -> tuple[str, tuple[tuple[str, bytes], ...]]:
    if len(note) > NOTE_BYTES_MAX:
        raise NoteRefused("note is longer than a mebibyte")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteRefused("note is not text, a blank line and signature lines")
    text += "\n"
    _check_text(text)
    signature_lines = lines[:-1].split("\n")
    if len(signature_lines) > SIGNATURES_MAX:
        raise NoteRefused(f"note has more than {SIGNATURES_MAX} signature lines")
    return text, tuple(_signature(line) for line in signature_lines)


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteRefused("signature line is not an em dash, a name and base64")
    _check_name(name)
    blob = from_base64(encoded)
    if len(blob) <= KEY_ID_BYTES:
        raise NoteRefused("signature is empty")
    return name, blob


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteRefused(f"key name `{name}` is empty or has a space or a plus sign")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise NoteRefused("note text does not end in a newline, or has control characters")
