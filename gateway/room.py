"""How many more questions like one there is room for, account by account. All of them must bear it, so the fewest count."""

from dataclasses import dataclass

from audit.charge import Unit
from gateway.accounts import Load
from gateway.node import Node


@dataclass(frozen=True, slots=True)
class Room:
    """What one account bears. `times` is None where answered questions leave nothing on it and it bears this one."""

    load: Load
    available: int
    times: int | None

    @property
    def fits(self) -> bool:
        """Tell whether the question fits as things stand."""
        return self.available >= self.load.amount


def room(node: Node, loads: tuple[Load, ...]) -> tuple[Room, ...]:
    """Return the room on each account that a question charges."""
    found = []
    for load in loads:
        balance = node.ledger.balance(load.account.id)
        available = max(0, balance.available if balance else load.account.cap)
        found.append(Room(load, available, _times(load, available)))
    return tuple(found)


def fewest(rooms: tuple[Room, ...]) -> tuple[int | None, tuple[str, ...]]:
    """Return how many more questions all accounts bear together, and the accounts that bear no more than that."""
    counted = [each for each in rooms if each.times is not None]
    if not counted:
        return None, ()
    least = min(each.times for each in counted if each.times is not None)
    return least, tuple(each.load.account.id for each in counted if each.times == least)


def _times(load: Load, available: int) -> int | None:
    if load.amount == 0:
        return None
    if load.account.unit is Unit.FAILURES:
        # Set aside while a question is being answered and given back with its answer.
        return None if available >= load.amount else 0
    return available // load.amount
