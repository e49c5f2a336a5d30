"""What the ledger adds up is what an outside accountant says the composed mechanisms lose."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit.charge import Charge, Unit
from audit.request import Posting, Request, Reserved
from policies.terms import DELTA_UNIT, NANO
from tests.unit.audit_world import EPS, World, ask, furnish, open_world

dp_accounting = pytest.importorskip(
    "dp_accounting", reason="dp-accounting is not installed; it is an outside oracle only"
)
from dp_accounting import pld, rdp  # noqa: E402

RHO, DELTA = "family/hn_person/rho", "family/hn_person/delta"
LOSSES = (0.05, 0.1, 0.25, 0.5, 0.7)
TOLERANCE = 0.01


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    furnish(opened.ledger)
    opened.ledger.open_account(RHO, Unit.RHO_NANO, 40 * NANO, "hn_visits@1")
    opened.ledger.open_account(DELTA, Unit.DELTA_E18, DELTA_UNIT // 10**9, "hn_visits@1")
    yield opened
    opened.store.close()


def spend(world: World, request: Request, ending: str) -> None:
    """Take one reservation to an ending; all but `void` have shown something that depends on data."""
    reserved = world.ledger.reserve(request)
    assert isinstance(reserved, Reserved)
    if ending == "void":
        world.ledger.fail(request.operation_id, reserved.fence, "cancelled", touched=False)
        return
    world.ledger.start(request.operation_id, reserved.fence)
    if ending == "fail":
        world.ledger.fail(request.operation_id, reserved.fence, "worker_died", touched=True)
    else:
        world.ledger.post(
            Posting(
                request.operation_id, reserved.fence, b"x", f"cell-{request.operation_id}", None
            )
        )


def posted(world: World, account: str) -> int:
    balance = world.ledger.balance(account)
    assert balance is not None
    return balance.posted


def in_rho(name: str, rho: float) -> Request:
    request = ask(name, NANO)
    metered = replace(request.terms.usage, epsilon_nano=0, rho_nano=int(rho * NANO))
    charges = (Charge(RHO, Unit.RHO_NANO, int(rho * NANO)), Charge(DELTA, Unit.DELTA_E18, 10**6))
    return replace(request, charges=charges, terms=replace(request.terms, usage=metered))


def test_pure_losses_add_as_composed_laplace_noise_does(world: World) -> None:
    """At tiny delta the composition of Laplace mechanisms loses the plain sum, and never more."""
    for number, epsilon in enumerate(LOSSES):
        spend(world, ask(f"a{number}", int(epsilon * NANO)), "fail" if number == 2 else "post")
        spend(world, ask(f"v{number}", int(epsilon * NANO)), "void")
    ours = posted(world, EPS) / NANO
    accountant = pld.PLDAccountant(value_discretization_interval=1e-3)
    for epsilon in LOSSES:
        accountant.compose(dp_accounting.LaplaceDpEvent(1 / epsilon))
    theirs = accountant.get_epsilon(1e-9)
    assert ours == pytest.approx(sum(LOSSES))
    assert theirs <= ours + TOLERANCE
    assert theirs >= ours - TOLERANCE
    # Power: had the failed query been given back, the outside accountant would find more than we recorded.
    assert theirs > ours - LOSSES[2] + TOLERANCE


@pytest.mark.parametrize("delta", [1e-6, 1e-9])
def test_zcdp_losses_add_as_composed_gaussian_noise_does(world: World, delta: float) -> None:
    """The sum of rho, converted once, is what the same Gaussian mechanisms give an RDP accountant."""
    for number, rho in enumerate(LOSSES):
        spend(world, in_rho(f"g{number}", rho), "fail" if number == 1 else "post")
        spend(world, in_rho(f"w{number}", rho), "void")
    orders = [1 + step / 50 for step in range(1, 2_000)]
    mechanisms, recorded, refunded = (rdp.RdpAccountant(orders) for _ in range(3))
    for rho in LOSSES:
        mechanisms.compose(dp_accounting.GaussianDpEvent(math.sqrt(1 / (2 * rho))))
    recorded.compose(dp_accounting.ZCDpEvent(posted(world, RHO) / NANO, 0.0))
    refunded.compose(dp_accounting.ZCDpEvent(sum(LOSSES) - LOSSES[1], 0.0))
    theirs = mechanisms.get_epsilon(delta)
    assert recorded.get_epsilon(delta) == pytest.approx(theirs, rel=1e-6)
    assert refunded.get_epsilon(delta) < theirs * (1 - TOLERANCE)
    assert posted(world, DELTA) == len(LOSSES) * 10**6


def test_converting_back_and_forth_would_cost_more(world: World) -> None:
    """Why accounts never convert: four answers at 0.5 lose 2.0 pure, far more through rho."""
    for number in range(4):
        spend(world, ask(f"p{number}", NANO // 2), "post")
    pure = posted(world, EPS) / NANO
    through_rho = rdp.RdpAccountant([1 + step / 50 for step in range(1, 2_000)])
    through_rho.compose(dp_accounting.ZCDpEvent(4 * 0.5**2 / 2, 0.0))
    assert pure == 2.0
    assert through_rho.get_epsilon(1e-9) > 1.5 * pure
