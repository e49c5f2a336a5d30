"""Prices, shares and statements: exact to the micro-yuan, to the fen, and the same when done again."""

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.money.channel import Channel, UnknownJurisdiction, route
from audit.money.metering import Usage, usage_from
from audit.money.rating import Quote, half_up, parts, price
from audit.money.split import Share, split
from audit.money.statement import StatementRefused, Terms, UsageEntry, draw_up, take_back
from policies.pricing import (
    AgreementStage,
    DocumentRefused,
    Party,
    PlatformFirst,
    SplitAgreement,
    StageShare,
    agreement_from,
    plan_from,
)
from policies.terms import NANO, PartyType, PurposeClass
from tests.unit.audit_world import (
    AGREEMENT,
    AGREEMENT_DIGEST,
    AGREEMENT_DOCUMENT,
    PLAN,
    PLAN_DIGEST,
    PLAN_DOCUMENT,
    usage,
)

INDUSTRY, GOOD = PurposeClass.INDUSTRY, PurposeClass.PUBLIC_GOOD
TERMS = Terms({PLAN_DIGEST: PLAN}, {AGREEMENT_DIGEST: AGREEMENT})


def test_a_price_is_the_sum_of_what_the_plan_names() -> None:
    rated = {part.name: part.amount_uy for part in parts(PLAN, usage(500_000_000, INDUSTRY))}
    assert rated == {
        "queries": 1_000_003,
        "cells": 48 * 1_250,
        "columns": 3 * 333,
        "epsilon": 1_000_001,  # 1,000,000.5 is rounded up, against nobody's interest to shave it
        "rho": 0,
        "size_class": 500_000,
        "minimum": 0,
    }
    assert price(PLAN, usage(500_000_000, INDUSTRY)) == Quote(2_561_003, 0, 2_561_003)


def test_free_use_is_rated_in_full_and_waived() -> None:
    for purpose in (GOOD, PurposeClass.GOVERNANCE):
        assert price(PLAN, usage(NANO, purpose)) == Quote(3_561_003, 3_561_003, 0)


def test_a_small_sum_is_lifted_to_the_minimum() -> None:
    cheap = replace(PLAN, per_query_uy=1, per_cell_uy=0, per_column_uy=0, per_epsilon_uy=0)
    small = replace(usage(1, INDUSTRY), size_class="S")
    assert price(cheap, small).gross_uy == 500_000
    assert parts(cheap, small)[-1].amount_uy == 499_999


@given(st.integers(1, 20 * NANO), st.integers(2, 50))
def test_many_cheap_answers_never_undercut_a_dear_one(epsilon: int, count: int) -> None:
    """The mean of k answers at epsilon/sqrt(k) each is as good as one at epsilon, and must not be cheaper."""
    whole = price(PLAN, usage(epsilon, INDUSTRY)).due_uy
    each = max(1, int(epsilon / count**0.5))
    assert count * price(PLAN, usage(each, INDUSTRY)).due_uy >= whole


def test_only_data_independent_quantities_have_a_field() -> None:
    """A bill is public to buyer and holders; this is the closed list of what it may depend on."""
    assert set(Usage.__dataclass_fields__) == {
        "queries",
        "cells_declared",
        "tables",
        "columns",
        "epsilon_nano",
        "rho_nano",
        "size_class",
        "purpose_class",
    }
    recorded = usage(NANO, INDUSTRY)
    assert usage_from(recorded.fields()) == recorded


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_half_up_is_the_nearest_and_odd(numerator: int, denominator: int) -> None:
    rounded = half_up(numerator, denominator)
    assert abs(Fraction(numerator, denominator) - rounded) <= Fraction(1, 2)
    assert half_up(-numerator, denominator) == -rounded


def random_agreement(dice: random.Random) -> SplitAgreement:
    parties = [f"p{number}" for number in range(dice.randint(1, 6))]
    paid = [dice.sample(parties, dice.randint(1, len(parties))) for _ in range(dice.randint(1, 4))]
    paid.append([party for party in parties if not any(party in stage for stage in paid)])
    stages = tuple(
        AgreementStage(
            f"s{number}",
            dice.randint(1, 50),
            tuple(StageShare(party, dice.randint(1, 97)) for party in stage),
        )
        for number, stage in enumerate(paid)
        if stage
    )
    payees = tuple(Party(name, name, PartyType.ENTERPRISE, "CN-430000") for name in parties)
    first = PlatformFirst("p0", dice.randint(1, 9_999)) if dice.random() < 0.5 else None
    return SplitAgreement("AG", 1, payees, first, stages)


def exact_shares(amount: int, agreement: SplitAgreement) -> dict[tuple[str, str], Fraction]:
    """The same agreement in fractions, written down without a common scale."""
    first = agreement.platform_first
    rest = Fraction(amount) * (1 - Fraction(first.basis_points, 10_000) if first else 1)
    weights = sum(stage.weight for stage in agreement.stages)
    shares = {
        (stage.name, share.party): rest
        * Fraction(stage.weight, weights)
        * Fraction(share.weight, sum(other.weight for other in stage.shares))
        for stage in agreement.stages
        for share in stage.shares
    }
    if first:
        shares["platform_first", first.party] = Fraction(amount) * Fraction(
            first.basis_points, 10_000
        )
    return shares


def largest_remainder(
    exact: dict[tuple[str, str], Fraction], amount: int
) -> dict[tuple[str, str], int]:
    floors = {key: int(value) for key, value in exact.items()}
    order = sorted(exact, key=lambda key: (-(exact[key] - floors[key]), key[1], key[0]))
    for key in order[: amount - sum(floors.values())]:
        floors[key] += 1
    return floors


def test_ten_thousand_splits_are_exact_and_equal_a_fraction_oracle() -> None:
    dice = random.Random(20260301)
    rounded_away = 0
    for _ in range(10_000):
        agreement = random_agreement(dice)
        amount = dice.choice([0, 1, 7, 99, dice.randint(0, 10**6), dice.randint(0, 10**15)])
        shares = {(s.stage, s.party): s.amount_fen for s in split(amount, agreement)}
        exact = exact_shares(amount, agreement)
        assert sum(shares.values()) == amount
        assert shares == largest_remainder(exact, amount)
        assert all(abs(shares[key] - exact[key]) < 1 for key in exact)
        # Power: how often the obvious rounding of each share by itself would have lost or made a fen.
        rounded_away += sum(half_up(v.numerator, v.denominator) for v in exact.values()) != amount
    assert rounded_away > 1_000


@given(st.integers(-(10**12), 10**12))
def test_a_credit_is_the_exact_opposite_of_its_charge(amount: int) -> None:
    opposite = tuple(Share(s.stage, s.party, -s.amount_fen) for s in split(amount, AGREEMENT))
    assert split(-amount, AGREEMENT) == opposite


def test_ties_go_to_the_smaller_party_id() -> None:
    parties = tuple(
        Party(name, name, PartyType.ENTERPRISE, "CN-430000") for name in ("b", "a", "c")
    )
    shares = tuple(StageShare(name, 1) for name in ("b", "a", "c"))
    even = SplitAgreement("AG", 1, parties, None, (AgreementStage("s", 1, shares),))
    assert [(s.party, s.amount_fen) for s in split(100, even)] == [("b", 33), ("a", 34), ("c", 33)]


def entries(count: int) -> list[UsageEntry]:
    dice = random.Random(7)
    made = []
    for index in range(count):
        metered = replace(
            usage(dice.randint(1, NANO), dice.choice([INDUSTRY, GOOD])),
            cells_declared=dice.randint(1, 99),
        )
        buyer = dice.choice(["op-1", "op-2"])
        made.append(
            UsageEntry(index, buyer, PLAN_DIGEST, AGREEMENT_DIGEST, metered, price(PLAN, metered))
        )
    return made


def test_a_statement_adds_up_and_names_every_entry() -> None:
    used = entries(100)
    statement = draw_up("ST-1", (10, 90), used, TERMS)
    assert sorted(i for line in statement.lines for i in line.indices) == list(range(10, 90))
    for line in statement.lines:
        assert sum(share.amount_fen for share in line.shares) == line.amount_fen
        assert line.amount_fen * 10_000 == line.due_uy + line.rounding_uy
        assert abs(line.rounding_uy) <= 5_000
        assert line.gross_uy == line.waived_uy + line.due_uy
        assert line.waived_uy > 0, "the value of free use stays on the bill"
    assert draw_up("ST-1", (10, 90), used[::-1], TERMS) == statement


def test_two_periods_bill_what_one_would_have_but_for_roundings() -> None:
    used = entries(60)
    whole = draw_up("W", (0, 60), used, TERMS)
    halves = [draw_up(name, span, used, TERMS) for name, span in (("A", (0, 30)), ("B", (30, 60)))]
    due = sum(line.due_uy for half in halves for line in half.lines)
    assert due == sum(line.due_uy for line in whole.lines)
    assert abs(sum(half.total_fen for half in halves) - whole.total_fen) <= 4


def test_taking_back_leaves_nothing() -> None:
    statement = draw_up("ST-1", (0, 40), entries(40), TERMS)
    back = take_back("ST-1-back", statement)
    assert back.corrects == "ST-1"
    assert statement.total_fen + back.total_fen == 0
    for line, opposite in zip(statement.lines, back.lines, strict=True):
        for share, other in zip(line.shares, opposite.shares, strict=True):
            assert (share.party, share.amount_fen) == (other.party, -other.amount_fen)


def test_a_record_priced_otherwise_is_refused() -> None:
    entry = entries(1)[0]
    gross = entry.quote.gross_uy + 1
    cheaper = replace(
        entry, quote=Quote(gross, gross, 0) if entry.quote.due_uy == 0 else Quote(gross, 0, gross)
    )
    with pytest.raises(StatementRefused, match="plan `PP-1` says"):
        draw_up("ST", (0, 1), [cheaper], TERMS)
    with pytest.raises(StatementRefused, match="not at hand"):
        draw_up("ST", (0, 1), [entry], Terms({}, {}))


def test_the_payees_legal_kind_and_place_decide_the_channel() -> None:
    treasury, local, own = Channel.NONTAX_TREASURY, Channel.LOCAL_FINANCE_RULE, Channel.OWN_REVENUE
    expected = {
        "CN-430000": (treasury, treasury, own, own, own),
        "CN-330100": (treasury, local, own, own, own),
    }
    for place, channels in expected.items():
        assert tuple(route(place, kind).channel for kind in PartyType) == channels
    assert route("CN-330100", PartyType.ADMIN_UNIT).draft
    assert not route("CN-430000", PartyType.ADMIN_UNIT).draft
    with pytest.raises(UnknownJurisdiction):
        route("CN-110000", PartyType.ADMIN_UNIT)


@pytest.mark.parametrize(
    "change",
    [
        {"per_cell_uy": -1},
        {"per_cell_uy": 1.5},
        {"per_cell_uy": True},
        {"per_cell_uy": "5"},
        {"per_cell_uy": 10**16},
        {"currency": "USD"},
        {"rounding": "half_even"},
        {"tax": "vat_17"},
        {"kind": "Plan"},
        {"discount": 5},
        {"size_class_uy": {"S": 0, "M": 0}},
        {"size_class_uy": {"S": 0, "M": 0, "L": 0, "XL": 0}},
        {"metadata": {"id": "", "version": 1}},
    ],
)
def test_a_plan_that_says_too_much_or_too_little_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DocumentRefused):
        plan_from(PLAN_DOCUMENT | change)
    for key in change.keys() & PLAN_DOCUMENT.keys():
        with pytest.raises(DocumentRefused):
            plan_from({name: value for name, value in PLAN_DOCUMENT.items() if name != key})


@pytest.mark.parametrize(
    "change",
    [
        {"stages": []},
        {"stages": [{"name": "s", "weight": 1, "shares": []}]},
        {"stages": [{"name": "s", "weight": 0, "shares": [{"party": "health", "weight": 1}]}]},
        {"stages": [{"name": "s", "weight": 1, "shares": [{"party": "nobody", "weight": 1}]}]},
        {"stages": [{"name": "s", "weight": 1, "shares": [{"party": "health", "weight": 1}] * 2}]},
        {"platform_first": {"party": "platform", "basis_points": 10_000}},
        {"platform_first": {"party": "nobody", "basis_points": 1}},
        {"parties": []},
        {"note": "x"},
    ],
)
def test_an_agreement_that_cannot_be_shared_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DocumentRefused):
        agreement_from(AGREEMENT_DOCUMENT | change)
