"""Names for things that must not be guessed: hiding commitments and keyed tags.

A plain hash of a small count confirms a guess: hash 0, 1, 2 … until one fits. So a leaf names a release by SHA-256 over
32 random bytes and the content, and a query's shape by an HMAC under a key that stays in the domain.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

SALT_BYTES = 32
_COMMITMENT_PREFIX = "commit-sha256:"
_TAG_PREFIX = "hmac-sha256:"


@dataclass(frozen=True, slots=True)
class Commitment:
    """What the log shows (`digest`) and what opens it (`salt`), which stays beside the content."""

    digest: str
    salt: bytes


def commit(content: bytes) -> Commitment:
    """Commit to `content` under fresh randomness."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Commitment(_digest(salt, content), salt)


def opens(digest: str, salt: bytes, content: bytes) -> bool:
    """Return whether `salt` and `content` are what `digest` was made from."""
    return len(salt) == SALT_BYTES and hmac.compare_digest(digest, _digest(salt, content))


def shape_tag(key: bytes, shape: bytes) -> str:
    """Name a query's shape so that equal shapes look equal to the key's owner and random to everybody else."""
    if len(key) < SALT_BYTES:
        raise ValueError(f"shape key has {len(key)} bytes; use at least {SALT_BYTES}")
    return _TAG_PREFIX + hmac.new(key, shape, hashlib.sha256).hexdigest()


def load_shape_key(path: Path) -> bytes:
    """Read the domain's shape key, making it at first use with mode 0600."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        refuse_open_to_others(path)
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SALT_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return path.read_bytes()


def refuse_open_to_others(path: Path) -> None:
    """Refuse a secret that another account of the machine can read."""
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"`{path.name}` can be read by others; set its mode to 0600")


def _digest(salt: bytes, content: bytes) -> str:
    return _COMMITMENT_PREFIX + hashlib.sha256(salt + content).hexdigest()
