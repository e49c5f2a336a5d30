"""The canonical bytes of a group key, computed by the engine: equal to `keys.canonical` of the same value, and total.

Groups that nobody declared are too many to be spelled outside the engine, and the keyed choices hang on their bytes: if the
two spellings differed, a unit would keep other groups whenever a policy declares a domain or takes it back.
"""

from policies.terms import SqlType, TypeKind
from sandbox.worker.keys import settled
from sandbox.worker.sql_types import NotRenderable, is_integer

_NULL = "encode('n') || unhex('00000000')"
_MANTISSA = 2**52


def settled_key(text: str, type_: SqlType) -> str:
    """Return a key's text with one spelling for each value: NaN is NULL, -0 is 0, text is composed (NFC)."""
    if type_.kind is TypeKind.VARCHAR:
        return f"nfc_normalize({text})"
    return settled(text, type_)


def canonical_sql(text: str, type_: SqlType) -> str:
    """Return the SQL for the canonical bytes of a settled key within the years 1 to 9999."""
    kind, spelling = _spelled(text, type_)
    # strlen counts bytes; length would count characters.
    size = f"unhex(lpad(to_hex(strlen({spelling})), 8, '0'))"
    return f"(CASE WHEN {text} IS NULL THEN {_NULL} ELSE encode('{kind}') || {size} || encode({spelling}) END)"


def _spelled(text: str, type_: SqlType) -> tuple[str, str]:
    written = f"CAST({text} AS VARCHAR)"
    if is_integer(type_):
        return "i", written
    match type_.kind:
        case TypeKind.BOOLEAN:
            return "b", f"CASE WHEN {text} THEN '1' ELSE '0' END"
        case TypeKind.DECIMAL:
            # The engine writes a fraction without its leading 0, and only where the type has no place for one.
            return "m", f"regexp_replace({written}, '^(-?)[.]', '\\10.')"
        case TypeKind.VARCHAR:
            return "s", text
        case TypeKind.DATE:
            return "t", written
        case TypeKind.TIMESTAMP:
            return "z", f"strftime({text}, '%Y-%m-%dT%H:%M:%S.%f')"
        case TypeKind.DOUBLE:
            return "f", _hexadecimal(text)
    raise NotRenderable("a group key has a type of the domain")


def _hexadecimal(text: str) -> str:
    """Return the SQL for Python's `float.hex()` of a DOUBLE that is not NaN, taken from its 64 bits."""
    bits = f"CAST(CAST({text} AS BIT) AS UBIGINT)"
    exponent = f"CAST(({bits} >> 52) & 2047 AS INTEGER)"
    mantissa = f"lpad(lower(to_hex({bits} & {_MANTISSA - 1})), 13, '0')"
    power = f"printf('%+d', {exponent} - 1023)"
    return (
        f"CASE WHEN {text} = 0 THEN '0x0.0p+0'"
        f" WHEN isinf({text}) THEN CASE WHEN {text} > 0 THEN 'inf' ELSE '-inf' END"
        f" ELSE CASE WHEN {text} < 0 THEN '-' ELSE '' END || CASE WHEN {exponent} = 0"
        f" THEN '0x0.' || {mantissa} || 'p-1022' ELSE '0x1.' || {mantissa} || 'p' || {power} END END"
    )
