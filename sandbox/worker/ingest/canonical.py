"""Canonical text of unit keys and rows, and the keyed rank that decides which rows of one unit stay.

A keyed choice may depend on the unit's original key, on what its own rows hold, and on the family's secret. Anything
else, such as a dense code or the place of a row in its file, shifts for everybody when one person is removed.

    unit key    kind, length in bytes, `:`, text          i2:17  t6:长沙
    row         columns by name: `n` for NULL, else `v`, length in bytes, `:`, text
"""

from policies.dataset import Column
from policies.terms import TypeKind
from sandbox.worker.ingest.names import KEY, quoted

SECRET_BYTES = 32
_BLOCK_BYTES = 64
# One person must look the same in every table of a family, so all whole numbers share a kind.
_KINDS = {
    TypeKind.INTEGER: "i",
    TypeKind.BIGINT: "i",
    TypeKind.HUGEINT: "i",
    TypeKind.VARCHAR: "t",
}


def unit_key(column: Column) -> str:
    """Return the SQL for the canonical text of a unit key.

    Refuses  other types: a DOUBLE has two zeros and a NaN, so "the same person" would have no meaning.
    """
    if column.type.kind not in _KINDS:
        raise ValueError(f"a unit key is whole numbers or text, not {column.type}")
    written = f"CAST({quoted(column.name)} AS VARCHAR)"
    return f"'{_KINDS[column.type.kind]}' || {_sized(written)}"


def row_content(columns: tuple[Column, ...]) -> str:
    """Return the SQL for the canonical text of a row; the declared order of columns does not matter."""
    parts = []
    for column in sorted(columns, key=lambda each: each.name):
        name = quoted(column.name)
        parts.append(
            f"CASE WHEN {name} IS NULL THEN 'n' ELSE 'v' || {_sized(f'CAST({name} AS VARCHAR)')} END"
        )
    return " || ".join(parts)


def keyed_rank(columns: tuple[Column, ...]) -> str:
    """Return the SQL for a row's rank within its unit, with parameters `$inner` and `$outer` of `pads`.

    Rows of equal rank have equal content, so which of them stays cannot be seen.

    Source  HMAC-SHA256 (RFC 2104, section 2) over canonical unit key and row content.
    """
    message = f"encode({KEY} || {row_content(columns)})"
    return f"sha256($outer::BLOB || unhex(sha256($inner::BLOB || {message})))"


def pads(secret: bytes) -> dict[str, bytes]:
    """Return the two padded keys of HMAC-SHA256."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"the family's secret has {SECRET_BYTES} bytes, not {len(secret)}")
    block = secret.ljust(_BLOCK_BYTES, b"\0")
    return {
        "inner": bytes(byte ^ 0x36 for byte in block),
        "outer": bytes(byte ^ 0x5C for byte in block),
    }


def _sized(written: str) -> str:
    # strlen counts bytes; length would count characters.
    return f"strlen({written}) || ':' || {written}"
