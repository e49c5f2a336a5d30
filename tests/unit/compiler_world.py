"""A small domain for compiler tests: persons and claims of one family, and public weather."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

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
    ResultFormat,
    TableGrant,
    UnitGrant,
)
from policies.catalogue import Catalogue
from policies.dataset import (
    Column,
    Dataset,
    Epoch,
    Family,
    Grain,
    Holder,
    SizeClass,
    Table,
    UnitPath,
)
from policies.terms import (
    NANO,
    Accountant,
    AggregateName,
    ColumnUse,
    ContributionBound,
    PartyType,
    PrivacyLoss,
    PurposeClass,
    SqlType,
    TypeKind,
    ValueBound,
)
from sandbox.boundary import GroupKey
from sandbox.client import Planned, Question, plan
from sandbox.compiler.check import Asker

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BIGINT, DOUBLE, TEXT, DATE, FLAG = (
    SqlType(kind)
    for kind in (
        TypeKind.BIGINT,
        TypeKind.DOUBLE,
        TypeKind.VARCHAR,
        TypeKind.DATE,
        TypeKind.BOOLEAN,
    )
)
MONEY = SqlType(TypeKind.DECIMAL, 12, 2)
COLUMNS = {
    "persons": {
        "person_id": BIGINT,
        "name": TEXT,
        "region": TEXT,
        "birth": DATE,
        "income": DOUBLE,
        "insured": FLAG,
    },
    "claims": {
        "claim_id": BIGINT,
        "person_id": BIGINT,
        "icd": TEXT,
        "amount": MONEY,
        "day": DATE,
    },
    "items": {"item_id": BIGINT, "claim_ref": BIGINT, "price": MONEY},
    "weather": {"region": TEXT, "day": DATE, "rain_mm": DOUBLE},
}
KEYS = {
    "persons": ("person_id",),
    "claims": ("claim_id",),
    "items": ("item_id",),
    "weather": ("region", "day"),
}
UNITS = {
    "persons": UnitPath("person_id", None, False),
    "claims": UnitPath("person_id", None, False),
    "items": UnitPath("claim_ref", "claims", False),
}
CONTRIBUTION = {
    "persons": ContributionBound(1, 1, 1),
    "claims": ContributionBound(100, 20, 5),
    "items": ContributionBound(300, 50, 5),
}
BOUNDS = {
    "persons.income": ValueBound(Decimal(0), Decimal(200_000)),
    "claims.amount": ValueBound(Decimal(0), Decimal(5_000)),
    "claims.day": ValueBound(date(2023, 1, 1), date(2024, 12, 31)),
}
DOMAINS = {
    "persons.region": ListDomain(("north", "south", "east", "west")),
    "claims.icd": ListDomain(("C50", "E11", "I10")),
}
EPOCHS = {"claims": Epoch("day", Grain.YEAR, "2023", "2024")}


def dataset(accountant: Accountant = Accountant.PURE_EPS) -> Dataset:
    """Return the declared tables."""
    delta = 0 if accountant is Accountant.PURE_EPS else 10**12
    family = Family("people", "person", 10_000, accountant, 2 * NANO, 100 * NANO, delta)
    tables = tuple(
        Table(
            name=name,
            private=name in UNITS,
            columns=tuple(Column(c, t) for c, t in columns.items()),
            primary_key=KEYS[name],
            unit=UNITS.get(name),
            contribution=CONTRIBUTION.get(name),
            foreign_keys=(),
            epoch=EPOCHS.get(name),
            provenance=None if name in UNITS else "measured by weather stations",
            source=None,
        )
        for name, columns in COLUMNS.items()
    )
    holder = Holder("holder", PartyType.ADMIN_UNIT)
    return Dataset("corpus", 1, holder, family, SizeClass.S, tables, "sha256:00")


def catalogue(accountant: Accountant = Accountant.PURE_EPS) -> Catalogue:
    """Return what the gateway knows of the snapshot."""
    domains = {"weather.region": ("north", "south", "east", "west")}
    return Catalogue(1, dataset(accountant), "ab" * 32, domains, ("2023", "2024", "always"))


def policy(
    accountant: Accountant = Accountant.PURE_EPS,
    withdrawn: tuple[str, ColumnUse] | None = None,
    bins: Mapping[str, Decimal] = MappingProxyType({}),
    kind: str = "inner",
) -> AccessPolicy:
    """Return a policy that grants everything that can be granted, but for one withdrawn column use, in declared bins.

    `kind` is the most that a join may be.
    """
    return AccessPolicy(
        metadata=Metadata("everything", "CN-430000", 1, None, ()),
        holder=Holder("holder", PartyType.ADMIN_UNIT),
        operator=Operator("operator", "LIC-1"),
        effective=Period(datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)),
        classification=Classification(Level.GENERAL, 1, False, False, False),
        purposes=(PurposeGrant("research", PurposeClass.PUBLIC_GOOD, Fee.FREE),),
        tables=tuple(_table(name, withdrawn, bins, JoinKind(kind)) for name in COLUMNS),
        query=QueryLimits(tuple(AggregateName), 5_000, 50, 3, accountant is Accountant.APPROX_ZCDP),
        output=Output(None, (ResultFormat.JSON,)),
        budget=Budget("person", accountant, NANO, 100 * NANO, *_deltas(accountant), ()),
        price=None,
        revenue=None,
        obligations=(),
        tests=(),
        digest="sha256:01",
    )


def _deltas(accountant: Accountant) -> tuple[int, int]:
    return (0, 0) if accountant is Accountant.PURE_EPS else (10**12, 10**9)


def _table(
    name: str,
    withdrawn: tuple[str, ColumnUse] | None,
    bins: Mapping[str, Decimal],
    kind_of_join: JoinKind,
) -> TableGrant:
    columns = tuple(
        ColumnGrant(
            column,
            tuple(
                use
                for use in ColumnUse
                if (f"{name}.{column}", use) != withdrawn
                and (
                    use is not ColumnUse.AGGREGATE
                    or kind in (BIGINT, DOUBLE, MONEY)
                    or (kind == DATE and f"{name}.{column}" in BOUNDS)
                )
            ),
            DOMAINS.get(f"{name}.{column}"),
            BOUNDS.get(f"{name}.{column}"),
            bins.get(f"{name}.{column}"),
        )
        for column, kind in COLUMNS[name].items()
    )
    unit = UnitGrant(UNITS[name].column, CONTRIBUTION[name]) if name in UNITS else None
    return TableGrant(name, unit, columns, tuple(_joins(name, kind_of_join)))


def _joins(name: str, kind: JoinKind) -> list[JoinGrant]:
    pairs = {
        ("persons", "claims"): ("person_id", "person_id"),
        ("persons", "persons"): ("person_id", "person_id"),
        ("claims", "claims"): ("person_id", "person_id"),
        ("items", "claims"): ("claim_ref", "claim_id"),
        ("persons", "weather"): ("region", "region"),
        ("claims", "weather"): ("day", "day"),
    }
    return [JoinGrant(to, (using,), kind) for (own, to), using in pairs.items() if own == name]


def compiled(
    sql: str,
    accountant: Accountant = Accountant.PURE_EPS,
    primary: int = NANO,
    granted: AccessPolicy | None = None,
    delta: int = 0,
) -> Planned:
    """Compile a question at a loss of 1."""
    asker = Asker("operator", "research", NOW, suspended=False)
    loss = PrivacyLoss(accountant, primary, delta)
    known = catalogue(accountant)
    return plan(Question(sql, granted or policy(accountant), known, asker, loss))


def declared_key(sql: str) -> GroupKey:
    """Return the one group key of a question, which has declared values."""
    (key,) = compiled(sql).plan.measurement.keys
    assert isinstance(key, GroupKey)
    return key
