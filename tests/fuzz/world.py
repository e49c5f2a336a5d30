"""A made-up domain: tables with declared facts, as the Dataset a holder would write and a policy that grants all of it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from policies.access.model import (
    AccessPolicy,
    Budget,
    Classification,
    ColumnGrant,
    Fee,
    JoinGrant,
    JoinKind,
    Level,
    ListDomain,
    Metadata,
    Operator,
    Output,
    Period,
    PurposeGrant,
    QueryLimits,
    RangeDomain,
    ResultFormat,
    TableGrant,
    UnitGrant,
)
from policies.dataset import Column, Dataset, Family, Holder, SizeClass, Table, UnitPath
from policies.terms import (
    NANO,
    Accountant,
    AggregateName,
    ColumnUse,
    ContributionBound,
    PartyType,
    PrivacyLoss,
    PurposeClass,
    Scalar,
    SqlType,
    TypeKind,
    ValueBound,
)

PURPOSE = "research"
LOSS = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
WHOLE = (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT)
NUMERIC = (*WHOLE, TypeKind.DECIMAL, TypeKind.DOUBLE)
_HOLDER = Holder("holder", PartyType.ADMIN_UNIT)

Bound = Decimal | date | datetime


@dataclass(frozen=True, slots=True)
class Field:
    """A column with what is declared of it: a list of values, an interval, or nothing."""

    name: str
    type: SqlType
    listed: tuple[Scalar, ...] = ()
    bounds: tuple[Bound, Bound] | None = None

    @property
    def numeric(self) -> bool:
        return self.type.kind in NUMERIC


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. `unit` is the column that leads to the unit, `parent` the table it leads through; public without it."""

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    unit: str | None = None
    parent: str | None = None
    contribution: ContributionBound | None = None

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


@dataclass(frozen=True, slots=True)
class World:
    """Tables of one family, public tables, and the column pairs on which they may be joined."""

    sheets: tuple[Sheet, ...]
    joins: tuple[tuple[str, str, str, str], ...]
    accountant: Accountant = Accountant.PURE_EPS

    def sheet(self, name: str) -> Sheet:
        return next(sheet for sheet in self.sheets if sheet.name == name)

    @property
    def private(self) -> tuple[Sheet, ...]:
        return tuple(sheet for sheet in self.sheets if sheet.unit is not None)

    @property
    def public(self) -> tuple[Sheet, ...]:
        return tuple(sheet for sheet in self.sheets if sheet.unit is None)

    @property
    def delta_total(self) -> int:
        return 0 if self.accountant is Accountant.PURE_EPS else 10**10

    def dataset(self) -> Dataset:
        """Return the declaration; sources are left to the bench."""
        family = Family(
            "family", "person", 10**6, self.accountant, 2 * NANO, 10**6 * NANO, self.delta_total
        )
        tables = tuple(_table(sheet) for sheet in self.sheets)
        return Dataset("world", 1, _HOLDER, family, SizeClass.S, tables, "sha256:" + "0" * 64)

    def policy(self) -> AccessPolicy:
        """Return a policy that grants every use of every column, and every join that the world knows."""
        return AccessPolicy(
            metadata=Metadata("everything", "CN-430000", 1, None, ()),
            holder=_HOLDER,
            operator=Operator("operator", "LIC-1"),
            effective=Period(datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)),
            classification=Classification(Level.GENERAL, 1, False, False, False),
            purposes=(PurposeGrant(PURPOSE, PurposeClass.PUBLIC_GOOD, Fee.FREE),),
            tables=tuple(self._grant(sheet) for sheet in self.sheets),
            query=QueryLimits(tuple(AggregateName), 5_000, 1_000, 3, False),
            output=Output(None, (ResultFormat.JSON,)),
            budget=Budget(
                "person", self.accountant, 2 * NANO, 10**6 * NANO, self.delta_total, 0, ()
            ),
            price=None,
            revenue=None,
            obligations=(),
            tests=(),
            digest="sha256:" + "1" * 64,
        )

    def _grant(self, sheet: Sheet) -> TableGrant:
        unit = None
        if sheet.unit is not None and sheet.contribution is not None:
            unit = UnitGrant(sheet.unit, sheet.contribution)
        pairs: dict[str, list[tuple[str, str]]] = {}
        for left, own, right, theirs in self.joins:
            if left == sheet.name:
                pairs.setdefault(right, []).append((own, theirs))
        joins = [JoinGrant(to, tuple(using), JoinKind.FULL) for to, using in pairs.items()]
        joins += [JoinGrant(other.name, (), JoinKind.CROSS) for other in self.public]
        columns = tuple(_column(field, unit is not None) for field in sheet.fields)
        return TableGrant(sheet.name, unit, columns, tuple(joins))


def loss_under(policy: AccessPolicy) -> PrivacyLoss:
    """Return a loss of 1 under the policy's accountant."""
    return PrivacyLoss(policy.budget.accountant, NANO, 0)


def _table(sheet: Sheet) -> Table:
    private = sheet.unit is not None
    return Table(
        name=sheet.name,
        private=private,
        columns=tuple(Column(field.name, field.type) for field in sheet.fields),
        primary_key=sheet.key,
        unit=UnitPath(sheet.unit, sheet.parent, False) if sheet.unit is not None else None,
        contribution=sheet.contribution,
        foreign_keys=(),
        epoch=None,
        provenance=None if private else "made up",
        source=None,
    )


def _column(field: Field, private: bool) -> ColumnGrant:
    bounds = ValueBound(*field.bounds) if field.bounds is not None else None
    domain: ListDomain | RangeDomain | None = None
    if field.listed and private:
        domain = ListDomain(field.listed)
    elif field.bounds is not None and field.type.kind is TypeKind.DATE:
        first, last = field.bounds
        assert isinstance(first, date) and isinstance(last, date)
        domain = RangeDomain(first, last)
    return ColumnGrant(field.name, tuple(ColumnUse), domain, bounds, None)
