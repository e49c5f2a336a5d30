"""Short ways to take one step of the ledger and to see where it stands."""

from audit.fold import fold
from audit.log import events
from audit.request import Reserved
from tests.unit.audit_world import (
    World,
    ask,
    terms,
)

HALF = 500_000_000
DUE = terms(HALF).quote.due_uy


def kinds(world: World) -> list[str]:
    return [events.decode(leaf).kind for leaf in world.journal.entries(0, world.journal.size())]


def stands(world: World, account: str) -> tuple[int, int]:
    balance = world.ledger.balance(account)
    assert balance is not None
    return balance.posted, balance.held


def reserved(world: World, name: str, eps: int = HALF) -> Reserved:
    result = world.ledger.reserve(ask(name, eps))
    assert isinstance(result, Reserved)
    return result


def assert_folds(world: World) -> None:
    leaves = world.journal.entries(0, world.journal.size())
    folded = fold(enumerate(events.decode(leaf) for leaf in leaves))
    assert folded.findings == ()
    assert folded.balances == world.ledger.balances()
