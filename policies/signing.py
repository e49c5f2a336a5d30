"""Detached signatures over the digest of a document. cryptography's only home in policies.

Source  RFC 8032 (Ed25519). What is signed starts with a fixed line, so that a signature over a
        document can never be taken for one over a checkpoint or a receipt.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from policies.reading.values import SHA256
from policies.refusals import Refused, Stage

_PURPOSE = b"keyong/v1 document\n"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed which digest. `key` names the public key, `value` is base64."""

    digest: str
    key: str
    value: str


def new_private_key() -> bytes:
    """Return the 32 secret bytes of a new key; where to keep them is the caller's care."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def public_key(private: bytes) -> bytes:
    """Return the 32 public bytes that belong to a private key."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_name(public: bytes) -> str:
    """Name a public key by its hash, short enough to read out."""
    return "ed25519:" + hashlib.sha256(_PURPOSE + public).hexdigest()[:16]


def sign(digest: str, private: bytes) -> Signature:
    """Sign the digest of a document. Refuses what is not a digest, such as the document itself."""
    message = _message(digest)
    value = Ed25519PrivateKey.from_private_bytes(private).sign(message)
    return Signature(digest, key_name(public_key(private)), base64.b64encode(value).decode("ascii"))


def verify(signature: Signature, digest: str, public: bytes) -> None:
    """Return if the signature is over this digest by this key, and refuse otherwise."""
    try:
        value = base64.b64decode(signature.value, validate=True)
        if len(public) != _KEY_BYTES or len(value) != _SIGNATURE_BYTES:
            raise InvalidSignature
        if signature.digest != digest or signature.key != key_name(public):
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(public).verify(value, _message(digest))
    except (InvalidSignature, binascii.Error, ValueError):
        raise Refused(
            "signature_invalid", Stage.DOCUMENT, document=digest, key=signature.key
        ) from None


def _message(digest: str) -> bytes:
    if not SHA256.fullmatch(digest):
        raise ValueError("only a digest can be signed")
    return _PURPOSE + digest.encode("ascii")
