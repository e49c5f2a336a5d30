"""Documents of version 1 read the same for ever: what was signed keeps its meaning and its name."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from policies.access.model import (
    AccessPolicy,
    Allowance,
    Basis,
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
    Window,
)
from policies.dataset import Holder
from policies.documents import document_digest, lint, load_access_policy
from policies.terms import (
    Accountant,
    AggregateName,
    ColumnUse,
    PartyType,
    PurposeClass,
    ValueBound,
)
from tests.unit.policies_world import FIXTURES

PINNED = {
    "v1-flights-dataset.yaml": "sha256:d958c7b378eb1ca35ed60f565da7c9da790d34f3ef6efa30e7c7b57acc356eb8",
    "v1-flights-policy.yaml": "sha256:35a7f2647982e3633df2f4d13d76f259403d95c9c14fd0cd5890829fb909fa47",
    "v1-health-dataset.yaml": "sha256:dab4bd4dd86e4342cae77690ca050deeee29ac545d2e4a65a8828d7209f64426",
    "v1-health-policy.yaml": "sha256:23e5526482f494d110845a8ae050c12617596887179fdd3a32c627500b1956dc",
    "v1-health-price-plan.yaml": "sha256:4026da8657bbccfc9ecbffcb93fabbac18ff97fee70ca983c97ad4913b45799f",
    "v1-health-split-agreement.yaml": "sha256:d3dd8ee23c719e6247c303b1b7752e50a8260dd29e8ffd1538801e4cd6c0dc19",
    "v1-weather.yaml": "sha256:d77a0cea6e600ea86a56e232153b67c1d06d601040606fbca7da8e7364df5aab",
}


def load(name: str) -> AccessPolicy:
    return load_access_policy((FIXTURES / name).read_bytes(), name)


@pytest.mark.parametrize("name", PINNED)
def test_an_old_document_keeps_its_digest(name: str) -> None:
    text = (FIXTURES / name).read_bytes()
    assert lint(text, name) == ()
    assert document_digest(text, name) == PINNED[name]


def test_every_fixture_is_pinned() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == set(PINNED)


def test_an_old_document_keeps_its_meaning() -> None:
    """Field by field, so that a reader of a later version cannot quietly read less."""
    east = timezone(timedelta(hours=8))
    uses = (ColumnUse.GROUP, ColumnUse.FILTER, ColumnUse.JOIN_KEY)
    assert load("v1-weather.yaml") == AccessPolicy(
        metadata=Metadata(
            "weather-op-xinyi",
            "CN-430000",
            2,
            "sha256:" + "0" * 64,
            (
                Basis(
                    "气象数据开放协议",
                    "sm3:66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
                ),
            ),
        ),
        holder=Holder("weather-bureau", PartyType.PUBLIC_INSTITUTION),
        operator=Operator("op-xinyi", "LIC-2026-031"),
        effective=Period(
            datetime(2025, 12, 31, 16, tzinfo=UTC),
            datetime(2026, 12, 31, 23, 59, 59, 500_000, tzinfo=east),
        ),
        classification=Classification(Level.GENERAL, 1, False, False, False),
        purposes=(PurposeGrant("public_health", PurposeClass.PUBLIC_GOOD, Fee.FREE),),
        tables=(
            TableGrant(
                "weather",
                None,
                (
                    ColumnGrant("region", uses, ListDomain(("长沙", "株洲")), None, None),
                    ColumnGrant("day", (ColumnUse.FILTER, ColumnUse.JOIN_KEY), None, None, None),
                    ColumnGrant("wet", (ColumnUse.GROUP,), ListDomain((True, False)), None, None),
                    ColumnGrant(
                        "rain_mm",
                        (ColumnUse.GROUP, ColumnUse.AGGREGATE),
                        None,
                        ValueBound(Decimal("-0.5"), Decimal(500)),
                        Decimal("2.5"),
                    ),
                ),
                (
                    JoinGrant("stations", (("region", "place"),), JoinKind.FULL),
                    JoinGrant("calendar", (), JoinKind.CROSS),
                ),
            ),
        ),
        query=QueryLimits((AggregateName.COUNT, AggregateName.AVG), 100, 0, 1, False),
        output=Output(None, (ResultFormat.JSON, ResultFormat.CSV)),
        budget=Budget(
            "person",
            Accountant.APPROX_ZCDP,
            1,
            10**9,
            1,
            0,
            (Allowance("public_health", Window.DAY, 250_000_000),),
        ),
        price=None,
        revenue=None,
        obligations=(),
        tests=(),
        digest=PINNED["v1-weather.yaml"],
    )


def test_the_other_fixtures_keep_their_size() -> None:
    """Counts alone, for what the whole comparison above has shown field by field."""
    for name, tables, columns, joins in (
        ("v1-health-policy.yaml", 3, 13, 3),
        ("v1-flights-policy.yaml", 5, 29, 5),
    ):
        policy = load(name)
        assert len(policy.tables) == tables
        assert sum(len(table.columns) for table in policy.tables) == columns
        assert sum(len(table.joins) for table in policy.tables) == joins
