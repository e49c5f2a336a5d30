"""The declared keys of a plan: computed from public facts alone, in one order, with one spelling in bytes.

Statement   The keys depend on the plan and not on any row.
Reason      They are the values of the key's expression over declared domains, or declared constants; the snapshot's
            tables are not read here.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import product

import duckdb

from policies.terms import Scalar, SqlType, TypeKind
from sandbox.algebra import Column
from sandbox.boundary import (
    KEYS_MAX,
    DomainSource,
    EitherValues,
    GroupKey,
    ImageValues,
    ListedValues,
    ValueSeries,
)
from sandbox.privacy.domain_size import Values, domain_size
from sandbox.worker.scalars import Reference, Rendering, scalars
from sandbox.worker.scalars.dates import within_years
from sandbox.worker.sql_types import DATE, NotRenderable, is_integer, listed, name_of

# Declared combinations of source values that one key is computed from: bounds the time a hostile plan can take.
SOURCE_ROWS_MAX = 2_000_000


class TooManyKeys(ValueError):
    """The plan declares more groups than one release holds. Follows from the plan alone."""


@dataclass(frozen=True, slots=True)
class KeyDomain:
    """The declared values of one key, in canonical order (NULL last), and their canonical bytes."""

    type: SqlType
    values: tuple[Scalar, ...]
    canon: tuple[bytes, ...]


def declared_keys(
    keys: tuple[GroupKey, ...], connection: duckdb.DuckDBPyConnection
) -> tuple[KeyDomain, ...]:
    """Return the domain of each key. Refuses (TooManyKeys) more than KEYS_MAX groups."""
    domains = []
    groups = 1
    for key in keys:
        values = _values(key, connection)
        groups *= len(values)
        if groups > KEYS_MAX:
            raise TooManyKeys("the declared keys make more groups than a release holds")
        domains.append(
            KeyDomain(key.expr.type, values, tuple(canonical(value) for value in values))
        )
    return tuple(domains)


def groups_of(domains: tuple[KeyDomain, ...]) -> Iterator[tuple[Scalar, ...]]:
    """Return every combination of key values, the last key running fastest; without keys, one empty group."""
    return product(*(domain.values for domain in domains))


def canonical(value: Scalar) -> bytes:
    """Return a value's bytes: kind, length, text. Lengths first, so that no two key tuples share their bytes."""
    kind, text = _spelling(value)
    encoded = text.encode()
    return kind + struct.pack(">I", len(encoded)) + encoded


def settled(text: str, type_: SqlType) -> str:
    """Return a key's text with NaN as NULL and -0 as 0: one key each, whichever way a row spells it."""
    if type_.kind is not TypeKind.DOUBLE:
        return text
    return f"(CASE WHEN isnan({text}) THEN NULL ELSE {text} + 0.0::DOUBLE END)"


def _spelling(value: Scalar) -> tuple[bytes, str]:
    if value is None:
        return b"n", ""
    if isinstance(value, bool):
        return b"b", "1" if value else "0"
    if isinstance(value, int):
        return b"i", str(value)
    if isinstance(value, Decimal):
        return b"m", format(value, "f")
    if isinstance(value, float):
        return b"f", value.hex()
    if isinstance(value, str):
        return b"s", value
    if isinstance(value, datetime):
        return b"z", value.isoformat(timespec="microseconds")
    return b"t", value.isoformat()


def _values(key: GroupKey, connection: duckdb.DuckDBPyConnection) -> tuple[Scalar, ...]:
    rendering = scalars(_source_reference(key.sources), {})
    if key.outcomes:
        source, expr = f"({_listed(key.outcomes, key.expr.type, rendering)})", "x"
    else:
        source = _sources(key.sources, rendering)
        expr = rendering.render(key.expr)
    found = connection.execute(
        f"SELECT DISTINCT {settled('x', key.expr.type)} AS x FROM (SELECT {expr} AS x FROM {source})"  # noqa: S608
        f" WHERE {within_years('x', key.expr.type)} ORDER BY x NULLS LAST LIMIT {KEYS_MAX + 2}",
        rendering.parameters,
    ).fetchall()
    values = tuple(value for (value,) in found if value is not None)
    if len(values) > KEYS_MAX:
        raise TooManyKeys("one key declares more values than a release holds")
    return (*values, None) if key.with_null else values


def _source_reference(sources: tuple[DomainSource, ...]) -> Callable[[Reference], str]:
    names = {source.column: f"s{index}.x" for index, source in enumerate(sources)}

    def refer(reference: Reference) -> str:
        if not isinstance(reference, Column) or reference not in names:
            raise NotRenderable("a key is computed from columns with a declared domain")
        return names[reference]

    return refer


def _sources(sources: tuple[DomainSource, ...], rendering: Rendering) -> str:
    rows = 1
    parts = ["(SELECT 1 AS one)"]
    for index, source in enumerate(sources):
        text, size = _values_of(source.values, source.column.type, rendering)
        rows *= size + 1
        if rows > SOURCE_ROWS_MAX:
            raise TooManyKeys("the declared domains of one key have too many combinations")
        # NULL is a value every column may hold; whether it makes a key is the key's own declaration.
        null = f"SELECT CAST(NULL AS {name_of(source.column.type)}) AS x"
        parts.append(f"({text} UNION ALL {null}) AS s{index}")
    return " CROSS JOIN ".join(parts)


def _values_of(values: Values, type_: SqlType, rendering: Rendering) -> tuple[str, int]:
    """Return a query for declared values as column x, and how many rows it has at most."""
    if isinstance(values, ListedValues):
        return _listed(values.values, type_, rendering), len(values.values)
    if isinstance(values, ImageValues):
        return _image(values, type_, rendering)
    if isinstance(values, EitherValues):
        parts = [_values_of(part, type_, rendering) for part in values.parts]
        return " UNION ".join(f"({text})" for text, _ in parts), sum(size for _, size in parts)
    return _series(values, type_, rendering)


def _image(values: ImageValues, type_: SqlType, rendering: Rendering) -> tuple[str, int]:
    if values.expr.type != type_:
        raise NotRenderable("declared values have the type of their column")
    inner = scalars(_source_reference(values.sources), rendering.parameters)
    text = (
        f"SELECT DISTINCT {inner.render(values.expr)} AS x FROM {_sources(values.sources, inner)}"  # noqa: S608
    )
    return text, domain_size(values)


def _series(values: ValueSeries, type_: SqlType, rendering: Rendering) -> tuple[str, int]:
    name = name_of(type_)
    first, last = values.first, values.last
    if is_integer(type_) and type(first) is int and type(last) is int:
        size = last - first + 1
        moved = f"CAST({rendering.constant(first, type_)} + range AS {name})"
    elif type_ == DATE and type(first) is date and type(last) is date:
        size = (last - first).days + 1
        moved = f"({rendering.constant(first, type_)} + CAST(range AS INTEGER))"
    else:
        raise NotRenderable("a series runs over whole numbers or days")
    if not 1 <= size <= SOURCE_ROWS_MAX:
        raise TooManyKeys("a declared series is empty or too long")
    return f"SELECT {moved} AS x FROM range({size})", size  # noqa: S608


def _listed(values: tuple[Scalar, ...], type_: SqlType, rendering: Rendering) -> str:
    parameter = f"p{len(rendering.parameters)}"
    rendering.parameters[parameter] = listed(values, type_)
    return f"SELECT unnest(CAST(${parameter} AS {name_of(type_)}[])) AS x"
