"""The family's secret as the two padded keys of HMAC-SHA256, with a label for each kind of choice.

What a choice may depend on is said where it is made; here is only that no two kinds of choice ever see the same message.

Source   RFC 2104, section 2.
"""

import hashlib

import duckdb

_HMAC_BLOCK_BYTES = 64  # of SHA-256
_SECRET_BYTES = 32


def hmac_pads(connection: duckdb.DuckDBPyConnection, label: bytes) -> tuple[bytes, bytes]:
    """Return the two padded keys, the first with the choice's own label."""
    secret = _family_secret(connection)
    key = secret if len(secret) <= _HMAC_BLOCK_BYTES else hashlib.sha256(secret).digest()
    key = key.ljust(_HMAC_BLOCK_BYTES, b"\0")
    return bytes(b ^ 0x36 for b in key) + label, bytes(b ^ 0x5C for b in key)


def _family_secret(connection: duckdb.DuckDBPyConnection) -> bytes:
    found = connection.execute("SELECT value FROM _ky_meta WHERE name = 'family_secret'").fetchall()
    secret = bytes.fromhex(found[0][0])
    if len(found) != 1 or len(secret) != _SECRET_BYTES:
        raise ValueError("a snapshot holds one family secret of 32 bytes")
    return secret
