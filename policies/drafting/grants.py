"""Draft what a policy may grant of each table."""

from decimal import Decimal

from policies.access.model import ListDomain, RangeDomain, RefDomain
from policies.dataset import Column
from policies.drafting.declarations import GUESSED, contribution
from policies.drafting.schema import (
    PublicFacts,
    SchemaTable,
    Sorted,
    columns_of,
    shared_with_public,
)
from policies.reading.render import Pointer
from policies.reading.values import day_of
from policies.terms import Scalar, SqlType, TypeKind, ValueBound

_WHOLE = (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT)
_NUMERIC = (*_WHOLE, TypeKind.DECIMAL, TypeKind.DOUBLE)
_NO_DOMAIN = (TypeKind.DOUBLE, TypeKind.DECIMAL, TypeKind.TIMESTAMP)
# A range is written as a domain only if its values can still be groups of one answer.
_RANGE_VALUES_MAX = 10_000


def draft_grants(
    found: Sorted, facts: PublicFacts, remarks: dict[Pointer, str]
) -> dict[str, object]:
    """Return the `tables` of a policy and add what a reviewer must know to the remarks."""
    return {table.name: _table(found, facts, table, remarks) for table in found.tables}


def _table(
    found: Sorted, facts: PublicFacts, table: SchemaTable, remarks: dict[Pointer, str]
) -> dict[str, object]:
    way = found.unit_ways.get(table.name)
    at: Pointer = ("tables", table.name)
    granted: dict[str, object] = {}
    if way is None:
        granted["public"] = True
    else:
        bound = contribution(found, table)
        limits = {f"max_{name}": value for name, value in bound.items()}
        granted["privacy_unit"] = {"column": way, **limits, "overflow": "sample"}
        if bound == GUESSED:
            remarks[(*at, "privacy_unit")] = "REVIEW: a declaration, not a measurement"
    columns = columns_of(table)
    omitted = sorted({name for name, _ in table.columns} - {column.name for column in columns})
    if omitted:
        remarks[at] = f"left out, with names or types not supported: {', '.join(omitted)}"
    keys = _join_keys(found, table)
    granted["columns"] = {
        column.name: _column(found, facts, table, column, keys) for column in columns
    }
    for column in columns:
        full = f"{table.name}.{column.name}"
        if column.type.kind in _NUMERIC and column.name != way and full not in facts.bounds:
            remarks[(*at, "columns", column.name)] = (
                f"no aggregate: give public bounds of `{full}`, then grant it"
            )
    if joins := _joins(found, table):
        granted["joins"] = joins
    return granted


def _join_keys(found: Sorted, table: SchemaTable) -> frozenset[str]:
    way = found.unit_ways.get(table.name)
    if way is not None:
        return frozenset({way, *(name for name, _ in shared_with_public(found, table))})
    return frozenset(
        name
        for other in found.tables
        if other.name in found.unit_ways
        for name, home in shared_with_public(found, other)
        if home == table.name
    )


def _joins(found: Sorted, table: SchemaTable) -> list[object]:
    way = found.unit_ways.get(table.name)
    if way is None:
        return []
    joins: list[object] = [
        {"to": other, "using": [way if way == theirs else [way, theirs]], "kind": "left"}
        for other, theirs in found.unit_ways.items()
        if other != table.name
    ]
    to_public: dict[str, list[str]] = {}
    for name, home in shared_with_public(found, table):
        to_public.setdefault(home, []).append(name)
    joins += [{"to": home, "using": names, "kind": "left"} for home, names in to_public.items()]
    return joins


def _column(
    found: Sorted, facts: PublicFacts, table: SchemaTable, column: Column, keys: frozenset[str]
) -> dict[str, object]:
    if column.name == found.unit_ways.get(table.name):
        return {"use": ["filter", "join_key", "count_distinct"]}
    uses = ["group", "filter", *(["join_key"] if column.name in keys else [])]
    granted: dict[str, object] = {"use": uses}
    bounds = facts.bounds.get(f"{table.name}.{column.name}")
    if column.type.kind not in _NUMERIC:
        uses.append("count_distinct")
    elif bounds is not None:
        uses.append("aggregate")
        granted["bounds"] = [bounds.lower, bounds.upper]
    domain = _domain(found, facts, table, column)
    if domain is not None:
        granted["domain"] = domain
    return granted


def _domain(found: Sorted, facts: PublicFacts, table: SchemaTable, column: Column) -> object:
    full = f"{table.name}.{column.name}"
    match facts.domains.get(full):
        case ListDomain(values):
            return [_typed(value, column.type) for value in values]
        case RangeDomain(lower, upper):
            return {"range": [lower, upper]}
        case RefDomain(home, name):
            return {"ref": f"{home}.{name}"}
    if column.type.kind is TypeKind.BOOLEAN:
        return [False, True]
    bounds = facts.bounds.get(full)
    if bounds is not None:
        return _range(bounds, column.type)
    if column.type.kind in _NO_DOMAIN:
        return None
    if table.name in found.public:
        return {"ref": full}
    homes = dict(reversed(shared_with_public(found, table)))
    return {"ref": f"{homes[column.name]}.{column.name}"} if column.name in homes else None


def _typed(value: Scalar, kind: SqlType) -> Scalar:
    """Read a day that came as JSON text; anything else stays as it was written."""
    if kind.kind is TypeKind.DATE and isinstance(value, str):
        return day_of(value) or value
    return value


def _range(bounds: ValueBound, kind: SqlType) -> object:
    lower, upper = bounds.lower, bounds.upper
    if kind.kind is TypeKind.DATE and not isinstance(lower, Decimal):
        return {"range": [lower, upper]}
    if kind.kind in _WHOLE and isinstance(lower, Decimal) and isinstance(upper, Decimal):
        first, last = int(lower.to_integral_value("ROUND_CEILING")), int(upper // 1)
        if first <= last < first + _RANGE_VALUES_MAX:
            return {"range": [first, last]}
    return None
