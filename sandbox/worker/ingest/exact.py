"""Read a value as its declared type, or not at all.

Rule  A value stands in the snapshot only if the declared type holds it exactly. `12.345` is not a DECIMAL(12,2) and 1.5
      is no whole number: DuckDB would round both without a word, and the sums would be wrong without a trace.

Text in a column of text is kept as it is, in Unicode's composed form (NFC), so that one name is one key however it was
typed. In any other column, spaces around a value are ignored, and an empty field or one of `MISSING` is NULL.
"""

import re

from policies.terms import SqlType, TypeKind

MISSING = (
    "",
    "NA",
    "N/A",
    "NULL",
    "null",
    "\\N",
)  # what spreadsheets, R and databases write for no value

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBERS = (*_WHOLE, *(f"U{name}" for name in _WHOLE), "DECIMAL", "FLOAT", "DOUBLE")
_MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_TEXTS = ("VARCHAR", "ENUM", "UUID")

_FAMILY: dict[TypeKind, tuple[str, ...]] = {
    TypeKind.BOOLEAN: ("BOOLEAN",),
    TypeKind.INTEGER: _NUMBERS,
    TypeKind.BIGINT: _NUMBERS,
    TypeKind.HUGEINT: _NUMBERS,
    TypeKind.DECIMAL: _NUMBERS,
    TypeKind.DOUBLE: _NUMBERS,
    TypeKind.VARCHAR: (),
    TypeKind.DATE: _MOMENTS,
    TypeKind.TIMESTAMP: _MOMENTS,
}

# A whole number may carry zeros after the point or a positive exponent: pandas writes 517.0 and R writes 1e+05.
_WHOLE_TEXT = r"[+-]?\d+(\.0*)?([eE]\+?\d{1,2})?"
_DOUBLE_TEXT = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?([iI]nf(inity)?|[nN]a[nN])"
_DATE_TEXT = r"\d{4}-\d{2}-\d{2}"
# Z says UTC, which is what a TIMESTAMP means here. Any other offset would be dropped silently, so it is refused.
_TIMESTAMP_TEXT = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z?)?"


def plain_kind(found: str) -> str:
    """Return the first word of an engine's type name: an ENUM's full name lists its values."""
    match = re.match(r"[A-Z_]+(?: WITH TIME ZONE)?", found)
    name = match[0] if match else found[:20]
    return "LIST" if found.endswith("]") else name


def readable(found: str, declared: SqlType) -> bool:
    """Tell whether a column of the engine's type `found` can hold the declared type."""
    kind = plain_kind(found)
    return kind in _TEXTS or kind in _FAMILY[declared.kind]


def given(column: str, found: str, declared: SqlType) -> str:
    """Return the SQL for the value as the file means it: settled NULLs, no spaces around what is no text."""
    if plain_kind(found) not in _TEXTS:
        return column
    written = f"CAST({column} AS VARCHAR)"
    if declared.kind is TypeKind.VARCHAR:
        return written
    missing = ", ".join("'" + word + "'" for word in MISSING)
    return f"CASE WHEN trim({written}) NOT IN ({missing}) THEN trim({written}) END"


def exact(value: str, found: str, declared: SqlType) -> str:
    """Return the SQL for the value in its declared type, NULL if that type cannot hold it."""
    kind = plain_kind(found)
    if kind in _TEXTS:
        return _from_text(value, declared)
    if found == str(declared):
        return value
    read = f"TRY_CAST({value} AS {declared})"
    back = f"TRY_CAST({read} AS {found})"
    return f"CASE WHEN {back} IS NOT DISTINCT FROM {value} THEN {read} END"


def _from_text(value: str, declared: SqlType) -> str:
    if declared.kind is TypeKind.VARCHAR:
        return f"nfc_normalize({value})"
    read = f"TRY_CAST({value} AS {declared})"
    form = _form(declared)
    return f"CASE WHEN regexp_full_match({value}, '{form}') THEN {read} END" if form else read


def _form(declared: SqlType) -> str | None:
    match declared.kind:
        case TypeKind.INTEGER | TypeKind.BIGINT | TypeKind.HUGEINT:
            return _WHOLE_TEXT
        case TypeKind.DECIMAL:
            return _decimal_text(declared.scale)
        case TypeKind.DOUBLE:
            return _DOUBLE_TEXT
        case TypeKind.DATE:
            return _DATE_TEXT
        case TypeKind.TIMESTAMP:
            return _TIMESTAMP_TEXT
        case _:
            return None


def _decimal_text(scale: int) -> str:
    if scale == 0:
        return _WHOLE_TEXT
    return rf"[+-]?(\d+(\.\d{{0,{scale}}}0*)?|\.\d{{1,{scale}}}0*|\d+[eE]\+?\d{{1,2}})"
