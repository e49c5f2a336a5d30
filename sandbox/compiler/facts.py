"""What is declared about a column: bounds and domains, from the policy and from public tables. Never from data."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from math import isfinite

from policies.access.model import AccessPolicy, ColumnGrant, ListDomain, RangeDomain, RefDomain
from policies.catalogue import Catalogue
from policies.terms import Scalar, TypeKind, ValueBound
from sandbox.algebra import Column
from sandbox.boundary import ListedValues, ValueSeries
from sandbox.compiler.intervals import EVERYTHING, Interval
from sandbox.compiler.scope import ScopedTable


class DeclaredFacts:
    """Looks up declarations for the tables of one query."""

    def __init__(
        self, policy: AccessPolicy, catalogue: Catalogue, tables: Sequence[ScopedTable]
    ) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self._tables = tables

    def bounds(self, column: Column) -> Interval:
        """Return the declared interval of a column: numbers as they are, days and instants as years.

        Without bounds a declared range counts as them, and a numeric column of a public table has those of its published
        domain.
        """
        grant = self._grant(column)
        declared = grant.bounds if grant is not None else None
        if declared is not None:
            return Interval(_number(declared.lower), _number(declared.upper))
        domain = grant.domain if grant is not None else None
        if isinstance(domain, RangeDomain):
            return Interval(_number(domain.lower), _number(domain.upper))
        values = self._published(column)
        numbers = [v for v in values if _is_number(v)]
        if not numbers:
            return EVERYTHING
        exact = [Fraction(v) for v in numbers]  # type: ignore[arg-type]
        return Interval(min(exact), max(exact))

    def domain(self, column: Column) -> tuple[ListedValues | ValueSeries, bool] | None:
        """Return the declared domain of a column and whether NULL is declared in it, or None without a declaration."""
        grant = self._grant(column)
        declared = grant.domain if grant is not None else None
        if isinstance(declared, ListDomain):
            return _listed(declared.values)
        if isinstance(declared, RangeDomain):
            return ValueSeries(declared.lower, declared.upper), False
        if isinstance(declared, RefDomain):
            values = self._catalogue.public_domains.get(f"{declared.table}.{declared.column}")
            return _listed(values) if values else None
        if column.type.kind is TypeKind.BOOLEAN:
            return ListedValues((False, True)), False
        if published := self._published(column):
            return _listed(published)
        return _series(grant.bounds if grant is not None else None, column)

    def bin(self, column: Column) -> Decimal | None:
        """Return the declared width by which a column is coarsened before it may be a group key."""
        grant = self._grant(column)
        return grant.bin if grant is not None else None

    def _grant(self, column: Column) -> ColumnGrant | None:
        table = self._policy.table(self._tables[column.scan].table.name)
        return table.column(column.name) if table is not None else None

    def _published(self, column: Column) -> tuple[Scalar, ...]:
        table = self._tables[column.scan].table
        if table.private:
            return ()
        return tuple(self._catalogue.public_domains.get(f"{table.name}.{column.name}", ()))


def _listed(values: Sequence[Scalar]) -> tuple[ListedValues, bool]:
    return ListedValues(tuple(v for v in values if v is not None)), None in values


def _series(bounds: ValueBound | None, column: Column) -> tuple[ValueSeries, bool] | None:
    if bounds is None:
        return None
    whole = column.type.kind in (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT)
    if whole and isinstance(bounds.lower, Decimal) and isinstance(bounds.upper, Decimal):
        return ValueSeries(int(bounds.lower), int(bounds.upper)), False
    if column.type.kind is TypeKind.DATE:
        return ValueSeries(bounds.lower, bounds.upper), False
    return None


def _number(value: int | Decimal | date | datetime) -> Fraction:
    return Fraction(value.year) if isinstance(value, date) else Fraction(value)


def _is_number(value: Scalar) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)
