"""A gateway that asks and acknowledges until it is killed. Run as `python -m tests.unit.audit_child FOLDER SOURCE POINT`.

It writes one line to its output after each step that the ledger acknowledged, as a client would have seen it. `POINT` is a
fault point with the number of times to pass it first, as `post.written:2`, or `-` to run until it is killed from outside.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from audit.journal import Journal
from audit.ledger import Ledger
from audit.log.signer import Signer, load_key
from audit.request import Insufficient, Posting, Reserved
from audit.store.sqlite import Store
from tests.unit.audit_world import HandClock, ask, ask_again, furnish, totals_of

EPSILON = 10_000_000


def killing(point: str) -> Callable[[str], None]:
    """Kill this process when `point` is reached for the given time, as a power cut would."""
    wanted, _, count = point.partition(":")
    left = [int(count or "0")]

    def fault(reached: str) -> None:
        if reached == wanted:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    return fault


def acknowledge(*words: object) -> None:
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def one_query(ledger: Ledger, source: str, number: int) -> bool:
    """Take one query through the life that its number picks; return whether there is budget left."""
    name = f"{source}-{number}"
    reserved = ledger.reserve(ask(name, EPSILON))
    if isinstance(reserved, Insufficient):
        return False
    assert isinstance(reserved, Reserved)
    acknowledge("reserved", name)
    if number % 5 == 4:
        ledger.fail(f"q-{name}", reserved.fence, "cancelled", touched=False)
        acknowledge("voided", name)
        return True
    ledger.start(f"q-{name}", reserved.fence)
    acknowledge("started", name)
    if number % 5 == 3:
        ledger.fail(f"q-{name}", reserved.fence, "worker_died", touched=True)
        acknowledge("failed", name)
    else:
        ledger.post(
            Posting(f"q-{name}", reserved.fence, name.encode(), f"cell-{name}", totals_of(name))
        )
        acknowledge("released", name)
        ledger.reuse(ask_again(f"{name}-again"), f"cell-{name}")
        acknowledge("reused", f"{name}-again")
        other = f"{name}-other"
        ledger.derive(ask_again(other), (other.encode(), (f"q-{name}",)))
        acknowledge("derived", other)
    return True


def main(folder: Path, source: str, point: str) -> None:
    store = Store(folder / "ledger.db")
    ledger = Ledger(store, source, HandClock(), killing(point))
    journal = Journal(store, Signer(load_key(folder / "log.key"), folder / "guard"))
    ledger.recover()
    if journal.size() == 0:
        furnish(ledger)
    acknowledge("ready")
    first = journal.size()
    number = first
    while one_query(ledger, source, number) and number < first + 40:
        number += 1
        if number % 4 == 0:
            acknowledge("checkpoint", journal.checkpoint().encode().hex())
    acknowledge("done")
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
