"""Policies and requests over a small vocabulary, so that random grants and random facts meet."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

from policies.access.model import (
    AccessPolicy,
    Allowance,
    Budget,
    Classification,
    ColumnGrant,
    DocumentReference,
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
    RefDomain,
    ResultFormat,
    TableGrant,
    UnitGrant,
    Window,
)
from policies.access.request import AccessRequest, JoinAsk, UseAsk
from policies.dataset import Holder
from policies.refusals import Position
from policies.terms import (
    NANO,
    Accountant,
    AggregateName,
    ColumnUse,
    ContributionBound,
    PartyType,
    PurposeClass,
    ValueBound,
)

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "policies"

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TABLES = ("persons", "claims", "weather")
COLUMNS = ("id", "region", "amount")
PURPOSES = ("health", "pricing", "research")
OPERATORS = ("op-a", "op-b")

positions = st.builds(Position, st.integers(1, 3), st.integers(1, 9))
domains = st.one_of(
    st.just(ListDomain(("a", "b"))),
    st.just(RangeDomain(1, 9)),
    st.just(RefDomain("weather", "region")),
)
bounds = st.builds(
    lambda low, width: ValueBound(Decimal(low), Decimal(low + width)),
    st.integers(-5, 5),
    st.integers(0, 9),
)


def subset(values: tuple[object, ...], least: int = 0) -> st.SearchStrategy:
    """Some of the values, in any order, each once."""
    return st.lists(st.sampled_from(values), unique=True, min_size=least).map(tuple)


@st.composite
def columns(draw: st.DrawFn, name: str, *, rich: bool) -> ColumnGrant:
    uses = draw(subset(tuple(ColumnUse)))
    if not rich:
        return ColumnGrant(name, uses, None, None, None)
    return ColumnGrant(
        name=name,
        uses=uses,
        domain=draw(st.none() | domains),
        bounds=draw(st.none() | bounds),
        bin=draw(st.none() | st.integers(1, 9).map(Decimal)),
    )


joins = st.builds(
    JoinGrant,
    st.sampled_from(TABLES),
    subset((("id", "id"), ("region", "region"), ("id", "region"))),
    st.sampled_from(JoinKind),
)


@st.composite
def tables(draw: st.DrawFn, name: str, *, rich: bool) -> TableGrant:
    most = 3 if rich else 1
    bound = st.builds(ContributionBound, *[st.integers(1, most)] * 3)
    return TableGrant(
        name=name,
        unit=draw(st.none() | st.builds(UnitGrant, st.just("id"), bound)),
        columns=tuple(draw(columns(name, rich=rich)) for name in draw(subset(COLUMNS))),
        joins=tuple(draw(st.lists(joins, max_size=2))),
    )


@st.composite
def policies(draw: st.DrawFn, *, rich: bool = False) -> AccessPolicy:
    """Draw a policy; what only `diff` looks at is drawn only if `rich`."""
    start = NOON + timedelta(days=draw(st.integers(-3, 3)))
    purposes = draw(subset(PURPOSES))
    names = draw(subset(TABLES))
    policy = AccessPolicy(
        metadata=Metadata("p", "CN-430000", draw(st.integers(1, 3)), None, ()),
        holder=Holder("holder", PartyType.ADMIN_UNIT),
        operator=Operator(draw(st.sampled_from(OPERATORS)), "L"),
        effective=Period(start, start + timedelta(days=draw(st.integers(0, 6)))),
        classification=Classification(Level.GENERAL, 3, True, False, False),
        purposes=tuple(PurposeGrant(p, PurposeClass.PUBLIC_GOOD, Fee.FREE) for p in purposes),
        tables=tuple(draw(tables(name, rich=rich)) for name in names),
        query=QueryLimits(
            draw(subset(tuple(AggregateName))),
            draw(st.integers(1, 5)),
            draw(st.integers(0, 5)),
            draw(st.integers(1, 3)),
            draw(st.booleans()),
        ),
        output=Output(draw(st.none() | st.integers(1, 9)), draw(subset(tuple(ResultFormat)))),
        budget=Budget(
            "person",
            Accountant.PURE_EPS,
            draw(st.integers(1, 9)) * NANO,
            draw(st.integers(1, 9)) * NANO,
            0,
            0,
            tuple(Allowance(p, Window.MONTH, draw(st.integers(1, 9))) for p in purposes),
        ),
        price=None,
        revenue=draw(st.none() | st.just(DocumentReference("AG@1", "sha256:" + "0" * 64))),
        obligations=draw(subset(("log_decision", "annual_disclosure"))),
        tests=(),
        digest="",
    )
    return named(policy)


def named(policy: AccessPolicy) -> AccessPolicy:
    """Give the policy a digest of its content, as a document has."""
    content = repr(replace(policy, digest=""))
    return replace(policy, digest="sha256:" + hashlib.sha256(content.encode()).hexdigest())


use_asks = st.builds(
    UseAsk,
    st.sampled_from(TABLES),
    st.sampled_from(COLUMNS),
    st.sampled_from(ColumnUse),
    positions,
)
join_asks = st.builds(
    JoinAsk,
    st.sampled_from(TABLES),
    st.sampled_from(TABLES),
    st.sampled_from(JoinKind),
    subset((("id", "id"), ("region", "region"), ("region", "id"))),
    positions,
)
requests = st.builds(
    AccessRequest,
    operator=st.sampled_from(OPERATORS),
    purpose=st.sampled_from(PURPOSES),
    now=st.integers(-4, 8).map(lambda days: NOON + timedelta(days=days)),
    tables=subset(TABLES),
    column_uses=st.lists(use_asks, max_size=3).map(tuple),
    aggregates=subset(tuple(AggregateName)),
    joins=st.lists(join_asks, max_size=2).map(tuple),
    groups_declared=st.none() | st.integers(1, 6),
    literals=st.integers(0, 6),
    suspended=st.booleans(),
)


def health(name: str) -> str:
    """Read a document of a health commission, with people, money and pure epsilon."""
    return (FIXTURES / f"v1-health-{name}").read_text(encoding="utf-8")


def flights(name: str) -> str:
    """Read a document about aeroplanes, under zCDP."""
    return (FIXTURES / f"v1-flights-{name}").read_text(encoding="utf-8")
