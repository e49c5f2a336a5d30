"""An expression in two spellings: as asked, and as plain DuckDB with the written differences applied.

The differences (docs/DIFFERENCES.md), and nothing else, are in `plain`:
    raises → NULL       every operator under TRY, casts as TRY_CAST
    overflow            whole numbers are computed as HUGEINT, decimals with 38 digits
    beyond the calendar date operators are NULL outside the years 1 to 9999
"""

from dataclasses import dataclass

from policies.terms import SqlType, TypeKind
from tests.fuzz.world import WHOLE, Field

IN_CALENDAR = {
    "date": "DATE '0001-01-01' AND DATE '9999-12-31'",
    "instant": "TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
}


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression in both spellings. `kind` is one of int, dec, dbl, text, date, instant, flag; `scale` of a dec."""

    text: str
    plain: str
    kind: str
    productions: frozenset[str]
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A column in reach: how it is written, and its declared facts."""

    written: str
    field: Field


def kind_of(type_: SqlType) -> str:
    """Return the kind of a declared type."""
    if type_.kind in WHOLE:
        return "int"
    return {
        TypeKind.DECIMAL: "dec",
        TypeKind.DOUBLE: "dbl",
        TypeKind.VARCHAR: "text",
        TypeKind.DATE: "date",
        TypeKind.TIMESTAMP: "instant",
        TypeKind.BOOLEAN: "flag",
    }[type_.kind]


def column(named: Named) -> Sql:
    """Return a column as an expression."""
    kind = kind_of(named.field.type)
    return Sql(
        named.written,
        named.written,
        kind,
        frozenset({f"column.{kind}"}),
        named.field.type.scale,
    )


def productions_of(production: str, *parts: Sql) -> frozenset[str]:
    """Return a production with those of its parts."""
    return frozenset({production}).union(*(part.productions for part in parts))


def wide(part: Sql) -> str:
    """Return a whole number in the widest type."""
    return f"({part.plain})::HUGEINT"


def exact(part: Sql, scale: int) -> str:
    """Return a number with all the digits a decimal can have."""
    return f"TRY_CAST({part.plain} AS DECIMAL(38,{scale}))"


def whole(a: Sql, b: Sql, op: str, name: str) -> Sql:
    """Return a sum, difference or product of whole numbers."""
    plain = f"TRY({wide(a)} {op} {wide(b)})"
    return Sql(f"({a.text} {op} {b.text})", plain, "int", productions_of(name, a, b))


def guard(part: Sql, result: str) -> str:
    """Return the result where the date lies in the calendar, NULL elsewhere."""
    return f"(CASE WHEN {part.plain} BETWEEN {IN_CALENDAR[part.kind]} THEN {result} END)"


def dated(part: Sql, form: str) -> str:
    """Return a function of a date, held in the calendar."""
    return guard(part, form.format(part.plain))
