"""What is declared about a column: bounds and domains, from the policy and from public tables. Never from data."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import islice, product

from policies.access.model import AccessPolicy, ColumnGrant, ListDomain, RangeDomain, RefDomain
from policies.catalogue import Catalogue
from policies.terms import Scalar, TypeKind, ValueBound
from sandbox.algebra import DERIVED_FIRST, Call, Column, Expr, Group, Project
from sandbox.boundary import ListedValues, ValueSeries
from sandbox.compiler.contributions import Contributions
from sandbox.compiler.derived_facts import Domain, domain_of, interval_of, of_numbers
from sandbox.compiler.intervals import EVERYTHING, Interval
from sandbox.compiler.lineage import Aggregated, Definition, Either, Listed, OverRows, nullable
from sandbox.compiler.listed_keys import ties
from sandbox.compiler.narrowing import both, narrowed
from sandbox.compiler.resolve import ResolvedQuery

SPELLINGS_MAX = 64  # of one expression; set operations double them


class DeclaredFacts:
    """Looks up declarations for the columns of one query, registered or derived."""

    def __init__(self, policy: AccessPolicy, catalogue: Catalogue, query: ResolvedQuery) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self._query = query
        self._narrowed = narrowed(query.relation)
        self._nullable = nullable(query.relation)
        self.contributions = Contributions(policy, query.tables, query.known)

    def bounds(self, column: Column) -> Interval:
        """Return the declared interval of a column: numbers as they are, days and instants as years.

        The query's own conditions narrow it.
        """
        narrowed_to = self._narrowed.get(column, EVERYTHING)
        if column.scan < DERIVED_FIRST:
            return both(self._registered(column), narrowed_to)
        definition = self._query.known[column]
        return both(interval_of(definition, self.bounds, self._rows(definition)), narrowed_to)

    def ends(self, column: Column) -> tuple[date, date] | None:
        """Return the first and the last declared day or instant of a column, or None without a declaration.

        A derived column has those of the columns of its own type that its values are taken from.
        """
        sources = self.spelt_out(column)
        if any(not isinstance(s, Column) or s.type != column.type for s in sources):
            return None
        found = [self._registered_ends(s) for s in sources if isinstance(s, Column)]
        known = [each for each in found if each is not None]
        if not known or len(known) < len(found):
            return None
        return min(low for low, _ in known), max(high for _, high in known)

    def domain(self, column: Column) -> Domain | None:
        """Return the declared domain of a column and whether NULL is declared in it, or None without a declaration.

        A column that an outer join may leave empty has NULL among its values.
        """
        if column.scan < DERIVED_FIRST:
            found = self._declared(column)
        else:
            definition = self._query.known[column]
            found = domain_of(definition, self.domain, self._rows(definition))
        if found is not None and column.scan in self._nullable:
            return found[0], True
        return found

    def bin(self, column: Column) -> Decimal | None:
        """Return the declared width by which a column is coarsened before it may be a group key."""
        grant = self._grant(column)
        return grant.bin if grant is not None else None

    def grouped_by(self, key: Expr) -> tuple[Expr, ...]:
        """Return what decides in which group of a key a row is, in every way it can be spelt out."""
        tied = ties(key, self._query.relation, self._query.known)
        return tuple(found for expr in (key, *tied) for found in self.spelt_out(expr))

    def spelt_out(self, expr: Expr) -> tuple[Expr, ...]:
        """Return an expression with derived columns replaced by what they stand for, in every way they can stand for it."""
        if isinstance(expr, Column):
            return self._spelt_column(expr)
        if not isinstance(expr, Call):
            return (expr,)
        args = product(*(self.spelt_out(arg) for arg in expr.args))
        return tuple(replace(expr, args=found) for found in islice(args, SPELLINGS_MAX))

    def _spelt_column(self, column: Column) -> tuple[Expr, ...]:
        definition = self._query.known.get(column)
        if definition is None or isinstance(definition, Listed):
            return (column,)
        if isinstance(definition, Either):
            return (*self.spelt_out(definition.left), *self.spelt_out(definition.right))
        if isinstance(definition, Aggregated):
            args = definition.aggregation.args
        elif isinstance(definition, OverRows):
            args = definition.windowed.args
        else:
            return self.spelt_out(definition)
        return tuple(found for arg in args for found in self.spelt_out(arg))

    def _rows(self, definition: Definition) -> int | None:
        """Return how many rows of one unit a derived column is computed from; None where they are nobody's."""
        if not isinstance(definition, Aggregated | OverRows):
            return None
        relation: Group | Project = (
            definition.group if isinstance(definition, Aggregated) else definition.project
        )
        return self.contributions.of(relation.input).rows_per_unit_max if relation.unit else None

    def _registered(self, column: Column) -> Interval:
        """Return the declared bounds, else the ends of a declared range, else those of a public table's published domain."""
        grant = self._grant(column)
        declared = grant.bounds if grant is not None else None
        if declared is not None:
            return Interval(_number(declared.lower), _number(declared.upper))
        domain = grant.domain if grant is not None else None
        if isinstance(domain, RangeDomain):
            return Interval(_number(domain.lower), _number(domain.upper))
        return of_numbers(self._published(column))

    def _registered_ends(self, column: Column) -> tuple[date, date] | None:
        grant = self._grant(column)
        found: ValueBound | RangeDomain | None = None
        if grant is not None:
            domain = grant.domain if isinstance(grant.domain, RangeDomain) else None
            found = grant.bounds or domain
        if found is None or not isinstance(found.lower, date) or not isinstance(found.upper, date):
            return None
        return found.lower, found.upper

    def _declared(self, column: Column) -> Domain | None:
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

    def _grant(self, column: Column) -> ColumnGrant | None:
        if column.scan >= DERIVED_FIRST:
            return None
        table = self._policy.table(self._query.tables[column.scan].table.name)
        return table.column(column.name) if table is not None else None

    def _published(self, column: Column) -> tuple[Scalar, ...]:
        table = self._query.tables[column.scan].table
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
