"""Losses are exact, windows do not overlap, accounts bear what they must."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.charge import Unit
from gateway.accounts import (
    Moment,
    allowance_accounts,
    credit_load,
    epoch_account,
    failure_load,
    loss_loads,
)
from gateway.amounts import decimal_text, loss_text, read_loss
from gateway.windows import window_label
from keyong.demo.domain import document
from policies.access.model import Window
from policies.documents import load_access_policy, load_dataset
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss

PURE, ZCDP = Accountant.PURE_EPS, Accountant.APPROX_ZCDP
POLICY = load_access_policy(document("policy.yaml"), "policy.yaml")
STRICTER = load_access_policy(
    document("policy.yaml").replace("lifetime_per_epoch: 20", "lifetime_per_epoch: 7"), "stricter"
)
DATASET = load_dataset(document("dataset.yaml"), "dataset.yaml")


@given(st.integers(1, 10**18 - 1))
def test_a_loss_is_read_as_it_is_written(nano: int) -> None:
    text = loss_text(nano)
    assert Decimal(text) * NANO == nano and "E" not in text
    if nano < 10**18:
        assert read_loss(PURE, text, None, None).primary == nano


@pytest.mark.parametrize(
    "text", ["0", "0.0", "-1", "+1", "1e1", ".5", "5.", " 1", "1 ", "NaN", "inf", "１", "1_0", ""]
)
def test_what_is_no_loss_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_loss(PURE, text, None, None)
    assert refused.value.code == "loss_not_positive"


def test_a_finer_loss_is_refused_and_never_rounded() -> None:
    with pytest.raises(Refused) as refused:
        read_loss(PURE, "0.1234567891", None, None)
    assert refused.value.code == "request_invalid"


@pytest.mark.parametrize(
    ("accountant", "epsilon", "rho"),
    [(PURE, None, "1"), (ZCDP, "1", None), (PURE, "1", "1"), (ZCDP, "1", "1"), (PURE, None, None)],
)
def test_an_epsilon_is_never_taken_for_a_rho(
    accountant: Accountant, epsilon: str | None, rho: str | None
) -> None:
    with pytest.raises(Refused) as refused:
        read_loss(accountant, epsilon, rho, None)
    assert refused.value.code == "loss_missing"


@given(st.integers(0, 10**24), st.sampled_from([10**6, 10**9, 10**18]))
def test_small_units_are_written_exactly(value: int, units: int) -> None:
    assert Decimal(decimal_text(value, units)) * units == value


def test_a_window_begins_where_the_node_s_calendar_says() -> None:
    late = datetime(2026, 12, 31, 16, 30, tzinfo=UTC)  # already the new year in China
    labels = [window_label(w, late, 480) for w in Window]
    assert labels == ["2027-01-01", "2026-W53", "2027-01", "2027-Q1", "2027"]
    assert window_label(Window.YEAR, late, 0) == "2026"


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(list(Window)),
    st.integers(-720, 840),
)
def test_time_never_returns_to_a_window(now: datetime, window: Window, offset: int) -> None:
    later = now + timedelta(days=400)
    assert window_label(window, later, offset) > window_label(window, now, offset)


def test_every_epoch_bears_the_whole_loss() -> None:
    loss = PrivacyLoss(PURE, 5 * 10**8, 0)
    loads = loss_loads(DATASET, (POLICY,), ("2024", "always"), loss)
    assert {load.account.id: load.amount for load in loads} == {
        "family/hn_person/lifetime": loss.primary,
        "family/hn_person/epoch/2024": loss.primary,
        "family/hn_person/epoch/always": loss.primary,
    }


def test_the_strictest_policy_caps_an_epoch_for_all() -> None:
    assert epoch_account(DATASET, "2024", (POLICY,)).cap == 20 * NANO
    assert epoch_account(DATASET, "2024", (POLICY, STRICTER)).cap == 7 * NANO


def test_an_allowance_is_of_its_purpose_and_window() -> None:
    moment = Moment(datetime(2026, 11, 21, tzinfo=UTC), 480)
    found = allowance_accounts(POLICY, "insurance_pricing", moment)
    assert [(a.id, a.cap) for a in found] == [
        ("allowance/hn-health-op-xinyi/insurance_pricing/2026-11", 4 * NANO)
    ]
    assert allowance_accounts(POLICY, "advertising", moment) == ()


def test_failures_and_money_have_accounts_of_their_own() -> None:
    load = failure_load("op", POLICY, "fam", seen=2)
    assert (load.account.unit, load.account.cap, load.amount) == (Unit.FAILURES, 5, 1)
    assert credit_load("op", 10, 3).charge.amount == 3
