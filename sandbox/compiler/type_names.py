"""The types an operator may cast to, by the parser's names for them."""

from collections.abc import Mapping
from types import MappingProxyType

from policies.terms import SqlType, TypeKind
from sandbox.compiler.types import decimal_type

_TYPES: Mapping[str, SqlType] = MappingProxyType(
    {
        "BOOLEAN": SqlType(TypeKind.BOOLEAN),
        "INT": SqlType(TypeKind.INTEGER),
        "BIGINT": SqlType(TypeKind.BIGINT),
        "INT128": SqlType(TypeKind.HUGEINT),
        "DOUBLE": SqlType(TypeKind.DOUBLE),
        "VARCHAR": SqlType(TypeKind.VARCHAR),
        "TEXT": SqlType(TypeKind.VARCHAR),
        "DATE": SqlType(TypeKind.DATE),
        "TIMESTAMPNTZ": SqlType(TypeKind.TIMESTAMP),
    }
)

TYPE_NAMES = ", ".join(sorted({str(kind) for kind in _TYPES.values()} | {"DECIMAL"}))


def named_type(name: str, sizes: tuple[int, ...]) -> SqlType | None:
    """Return the type of that name; DECIMAL without sizes is DECIMAL(18,3), as in DuckDB.

    Refuses: a DECIMAL of more than 38 digits (`TooWide`).
    """
    if name == "DECIMAL" and len(sizes) <= 2:
        digits, scale = (*sizes, 0)[:2] if sizes else (18, 3)
        return decimal_type(digits, scale)
    return None if sizes else _TYPES.get(name)
