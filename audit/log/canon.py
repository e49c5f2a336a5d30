"""One byte string for one value: RFC 8785 with rules that remove its traps.

Source      RFC 8785 (JSON Canonicalization Scheme).
Refuses     floats (two spellings of one number), integers beyond 2**53 - 1 (a JavaScript reader would round them),
            keys outside [a-z0-9_] (UTF-16 order and code point order differ outside ASCII), text that is not NFC (two
            spellings of one word), and more than LEAF_BYTES_MAX bytes.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import NoReturn

import rfc8785

# A tlog-tiles bundle prefixes each entry with 16 bits of length; a quarter of that is ample for a leaf without text.
LEAF_BYTES_MAX = 16 * 1024
# A statement over a year lists the entry behind every fen.
DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
INTEGER_MAX = 2**53 - 1
# Python's own JSON reader recurses; a hostile leaf must be refused before it can exhaust the stack.
DEPTH_MAX = 8

# Under the rules below Python's own encoder writes exactly what RFC 8785 asks for, eight times as fast as the
# library; a test holds one to the other.
_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_KEY_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


class NotCanonical(ValueError):
    """The value has no place in the log, or the bytes are not the one spelling of their value."""


def encode(value: dict[str, object]) -> bytes:
    """Return the one byte string that stands for `value`, or refuse it."""
    _check(value, "leaf", DEPTH_MAX)
    try:
        encoded = _SPELLING.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("leaf has half a surrogate pair") from None
    if len(encoded) > LEAF_BYTES_MAX:
        raise NotCanonical(
            f"leaf has {len(encoded)} bytes, at most {LEAF_BYTES_MAX}; move detail beside the log"
        )
    return encoded


def decode(encoded: bytes) -> dict[str, object]:
    """Read bytes written by `encode`, and refuse every other spelling of the same value."""
    value = _parse(encoded, LEAF_BYTES_MAX)
    # Pair assertion: what was read must print to exactly what was signed, or two readers could see two leaves.
    if encode(value) != encoded:
        raise NotCanonical("leaf is valid JSON in another spelling than RFC 8785")
    return value


def encode_document(value: Mapping[str, object]) -> bytes:
    """Return the canonical bytes of a document kept beside the log: plain RFC 8785, any keys."""
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(f"document has no canonical form: {error}") from None


def decode_document(encoded: bytes) -> dict[str, object]:
    """Read a document kept beside the log, and refuse every other spelling of it."""
    value = _parse(encoded, DOCUMENT_BYTES_MAX)
    if encode_document(value) != encoded:
        raise NotCanonical("document is valid JSON in another spelling than RFC 8785")
    return value


def digest(encoded: bytes) -> str:
    """Name canonical bytes that anybody may know, such as a price plan's. Never for anything computed from data."""
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


def _parse(encoded: bytes, bytes_max: int) -> dict[str, object]:
    if len(encoded) > bytes_max:
        raise NotCanonical(f"text has {len(encoded)} bytes, at most {bytes_max}")
    try:
        value = json.loads(
            encoded.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical("text is not UTF-8 JSON") from error
    if not isinstance(value, dict):
        raise NotCanonical("text is not an object")
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON readers disagree on which duplicate wins, so one leaf could show an auditor something else than a clerk.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical("text has a duplicate key")
    return found


def _no_float(text: str) -> NoReturn:
    raise NotCanonical(
        f"number `{text[:32]}` is not a whole number; write quantities as decimal strings"
    )


def _check(value: object, where: str, depth: int) -> None:
    # `where` is the nearest key: enough to find the fault; a whole path would cost a verifier of millions of leaves
    # dearly.
    if depth == 0:
        raise NotCanonical(f"`{where}` is nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, str):
        if not value.isascii() and not unicodedata.is_normalized("NFC", value):
            raise NotCanonical(f"`{where}` is not in Unicode form NFC; normalise it first")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_key(key, where)
            _check(inner, key, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, where, depth - 1)
    else:
        _check_scalar(value, where)


def _check_key(key: object, where: str) -> None:
    if not isinstance(key, str) or not key or not _KEY_ALPHABET.issuperset(key):
        raise NotCanonical(
            f"key `{key}` in `{where}` is not lower-case ASCII, digits and underscores"
        )


def _check_scalar(value: object, where: str) -> None:
    if value is None:
        return
    if not isinstance(value, int):
        kind = type(value).__name__
        raise NotCanonical(
            f"`{where}` has type {kind}; use whole numbers, text, booleans, lists, objects"
        )
    if abs(value) > INTEGER_MAX:
        raise NotCanonical(f"`{where}` is beyond 2**53 - 1; write it as a decimal string")
