"""Operations that are asked as one: all are held, started, posted and failed together, or none of them is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit.charge import Charge, Unit
from audit.request import Insufficient, Posting, Replayed, Request
from audit.store.operations import FenceRejected, State
from tests.unit.audit_steps import assert_folds, stands
from tests.unit.audit_world import EPS, FEE, World, ask, furnish, open_world, totals_of

FAILURES = "failures/op-1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    furnish(opened.ledger, eps_cap=1_000)
    opened.ledger.open_account(FAILURES, Unit.FAILURES, 3, "policy@1")
    yield opened
    opened.store.close()


def several(*epsilons: int) -> tuple[Request, ...]:
    """Requests of one client; the first sets the one failure aside."""
    asks = [ask(f"m{number}", epsilon) for number, epsilon in enumerate(epsilons)]
    failure = Charge(FAILURES, Unit.FAILURES, 1)
    return (replace(asks[0], charges=(*asks[0].charges, failure)), *asks[1:])


def opened(world: World, *epsilons: int) -> tuple[tuple[str, str], ...]:
    asks = several(*epsilons)
    reserved = world.ledger.reserve_all(asks)
    assert isinstance(reserved, tuple)
    return tuple((a.operation_id, r.fence) for a, r in zip(asks, reserved, strict=True))


def postings(fences: tuple[tuple[str, str], ...]) -> tuple[Posting, ...]:
    return tuple(
        Posting(name, fence, name.encode(), f"cell-{name}", totals_of(name))
        for name, fence in fences
    )


def states(world: World, fences: tuple[tuple[str, str], ...]) -> list[State]:
    outcomes = [world.ledger.outcome_of(name) for name, _ in fences]
    return [outcome.state for outcome in outcomes if outcome is not None]


def test_the_sum_must_fit_or_nothing_is_held(world: World) -> None:
    """Each of the three would fit by itself."""
    before = world.journal.size()
    short = world.ledger.reserve_all(several(400, 400, 400))
    assert isinstance(short, Insufficient)
    assert (short.account_id, short.asked, short.available) == (EPS, 1_200, 1_000)
    assert stands(world, EPS) == (0, 0) and stands(world, FEE) == (0, 0)
    assert world.journal.size() == before
    fences = opened(world, 400, 400, 200)
    assert stands(world, EPS) == (0, 1_000)
    assert states(world, fences) == [State.RESERVED] * 3
    assert_folds(world)


def test_all_are_posted_or_none(world: World) -> None:
    fences = opened(world, 100, 200)
    world.ledger.start_all(fences)
    stolen = (fences[0], (fences[1][0], "0" * 32))
    with pytest.raises(FenceRejected):
        world.ledger.post_all(postings(stolen))
    assert states(world, fences) == [State.RUNNING] * 2
    assert world.ledger.totals(fences[0][0]) is None
    posted = world.ledger.post_all(postings(fences))
    assert states(world, fences) == [State.RELEASED] * 2
    assert stands(world, EPS) == (300, 0)
    assert len({done.index for done in posted}) == 2
    with pytest.raises(FenceRejected):
        world.ledger.post_all(postings(fences))
    assert_folds(world)


def test_one_permission_is_for_all_of_them(world: World) -> None:
    fences = opened(world, 100, 200)
    with pytest.raises(FenceRejected):
        world.ledger.start_all((fences[0], (fences[1][0], "0" * 32)))
    assert states(world, fences) == [State.RESERVED] * 2
    world.ledger.start_all(fences)
    with pytest.raises(FenceRejected):
        world.ledger.start_all(fences)


def test_failing_together_spends_all_and_is_one_failure(world: World) -> None:
    fences = opened(world, 100, 200, 300)
    world.ledger.start_all(fences)
    world.ledger.fail_all(fences, "run_failed", touched=True)
    assert stands(world, EPS) == (600, 0)
    assert stands(world, FAILURES) == (1, 0)
    assert world.ledger.failures("op-1", "hn_person") == 1
    # Two batches are two failures, however many questions they had.
    more = tuple(
        replace(a, operation_id=f"{a.operation_id}-b", idempotency_key=f"{a.idempotency_key}-b")
        for a in several(1, 1)
    )
    reserved = world.ledger.reserve_all(more)
    assert isinstance(reserved, tuple)
    again = tuple((a.operation_id, r.fence) for a, r in zip(more, reserved, strict=True))
    world.ledger.start_all(again)
    world.ledger.fail_all(again, "run_failed", touched=True)
    assert world.ledger.failures("op-1", "hn_person") == 2
    assert_folds(world)


def test_a_crash_ends_all_of_them_alike(world: World) -> None:
    never, started = opened(world, 100, 200), None
    world.ledger.recover()
    assert states(world, never) == [State.VOIDED] * 2
    assert stands(world, EPS) == (0, 0)
    asks = tuple(
        replace(a, operation_id=f"{a.operation_id}-c", idempotency_key=f"{a.idempotency_key}-c")
        for a in several(100, 200)
    )
    reserved = world.ledger.reserve_all(asks)
    assert isinstance(reserved, tuple)
    started = tuple((a.operation_id, r.fence) for a, r in zip(asks, reserved, strict=True))
    world.ledger.start_all(started)
    world.ledger.recover()
    assert states(world, started) == [State.FAILED] * 2
    assert stands(world, EPS) == (300, 0)
    with pytest.raises(FenceRejected):
        world.ledger.post_all(postings(started))
    assert_folds(world)


def test_a_key_of_any_of_them_brings_back_what_became_of_it(world: World) -> None:
    opened(world, 100, 200)
    again = world.ledger.reserve_all(several(100, 200))
    assert isinstance(again, Replayed)
    assert stands(world, EPS) == (0, 300)
    alone = world.ledger.reserve(several(100, 200)[1])
    assert isinstance(alone, Replayed)
