"""The family's secret: 32 random bytes in a file of the holder, made once and kept as long as the family.

Every keyed choice (which of one unit's rows and groups stay) follows from it. A new secret would draw these choices again
for everybody, and two answers over two draws would tell more than either; a known secret lets an operator foresee them.
"""

import os
import secrets
from pathlib import Path

from sandbox.worker.ingest.canonical import SECRET_BYTES
from sandbox.worker.ingest.workshop import sync_file, sync_folder


def family_secret(path: Path) -> bytes:
    """Return the secret in `path`, making it with mode 0600 if there is none.

    Refuses  (PermissionError) a file that other accounts can read; (ValueError) a file of another length.
    """
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"`{path.name}` can be read by others; set its mode to 0600")
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise ValueError(
            f"`{path.name}` has {len(secret)} bytes, not {SECRET_BYTES}; restore it from a backup"
        )
    return secret


def _make(path: Path) -> None:
    # Made whole under another name first: half a secret after a crash would be another secret. The link fails if somebody
    # else was faster, and then theirs is the family's.
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        sync_file(made)
        try:
            path.hardlink_to(made)
        except FileExistsError:
            return
        sync_folder(path.parent)
    finally:
        made.unlink()
