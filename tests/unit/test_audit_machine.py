"""Any order of steps leaves the ledger where a ten-line oracle and the log itself say it must be."""

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.outcomes import Failed
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from audit.charge import Charge, Ending, Unit
from audit.fold import fold
from audit.log import events
from audit.request import Insufficient, NotStored, Posting, Reserved, Reused
from audit.store.entries import EventConflict
from audit.store.operations import FenceRejected
from tests.unit.audit_world import EPS, FEE, World, ask, ask_again, furnish, open_world

EPS_CAP, FEE_CAP = 2_000_000_000, 12_000_000


@dataclass
class Model:
    """What one query is believed to be, and its price."""

    fence: str
    epsilon: int
    due: int
    state: str


class LedgerMachine(RuleBasedStateMachine):
    """Clients reserve, start, post, fail, crash and ask again, with fences that are right, old or another's."""

    names = Bundle("names")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.world: World = open_world(self.folder)
        furnish(self.world.ledger, EPS_CAP, FEE_CAP)
        self.queries: dict[str, Model] = {}
        self.spent = {EPS: 0, FEE: 0}

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.store.close()
            shutil.rmtree(self.folder)

    def held(self) -> tuple[int, int]:
        open_now = [
            query for query in self.queries.values() if query.state in ("reserved", "running")
        ]
        return sum(query.epsilon for query in open_now), sum(query.due for query in open_now)

    @rule(target=names, epsilon=st.sampled_from([1, 300_000_000, 700_000_000, 1_900_000_000]))
    def reserve(self, epsilon: int) -> str:
        name = f"n{len(self.queries)}"
        request = ask(name, epsilon)
        due = request.terms.quote.due_uy
        held_eps, held_fee = self.held()
        fits = (
            self.spent[EPS] + held_eps + epsilon <= EPS_CAP
            and self.spent[FEE] + held_fee + due <= FEE_CAP
        )
        result = self.world.ledger.reserve(request)
        assert isinstance(result, Reserved if fits else Insufficient)
        fence = result.fence if isinstance(result, Reserved) else "none"
        self.queries[name] = Model(fence, epsilon, due, "reserved" if fits else "refused")
        return name

    @rule(name=names)
    def start(self, name: str) -> None:
        query = self.queries[name]
        if query.state == "reserved":
            self.world.ledger.start(f"q-{name}", query.fence)
            query.state = "running"
        else:
            with pytest.raises(FenceRejected):
                self.world.ledger.start(f"q-{name}", query.fence)

    @rule(name=names)
    def post(self, name: str) -> None:
        query = self.queries[name]
        if query.state == "running":
            self.world.ledger.post(
                Posting(f"q-{name}", query.fence, name.encode(), f"cell-{query.epsilon}", None)
            )
            query.state = "released"
            self.spent[EPS] += query.epsilon
            self.spent[FEE] += query.due
        else:
            with pytest.raises(FenceRejected):
                self.world.ledger.post(
                    Posting(f"q-{name}", query.fence, b"late", "cell-late", None)
                )

    @rule(name=names, other=names)
    def post_with_another_fence(self, name: str, other: str) -> None:
        if name != other:
            with pytest.raises(FenceRejected):
                self.world.ledger.post(
                    Posting(
                        f"q-{name}", self.queries[other].fence + "x", b"foreign", "cell-x", None
                    )
                )

    @rule(name=names, touched=st.booleans())
    def fail(self, name: str, touched: bool) -> None:
        query = self.queries[name]
        reason = "worker_died" if touched else "runtime_unavailable"
        if query.state == "running" or (query.state == "reserved" and not touched):
            self.world.ledger.fail(f"q-{name}", query.fence, reason, touched)
            query.state = "failed"
            self.spent[EPS] += query.epsilon if touched else 0
        else:
            with pytest.raises((FenceRejected, ValueError)):
                self.world.ledger.fail(f"q-{name}", query.fence, reason, touched)

    @rule(name=names)
    def ask_again(self, name: str) -> None:
        stored = [query for query in self.queries.values() if query.state == "released"]
        epsilon = self.queries[name].epsilon
        again = f"r{len(self.queries)}"
        request = ask_again(again)
        result = self.world.ledger.reuse(request, f"cell-{epsilon}")
        due = request.terms.quote.due_uy
        if self.spent[FEE] + self.held()[1] + due > FEE_CAP:
            assert isinstance(result, Insufficient)
        elif not any(query.epsilon == epsilon for query in stored):
            assert isinstance(result, NotStored)
        else:
            assert isinstance(result, Reused)
            self.spent[FEE] += due
            self.queries[again] = Model("none", 0, due, "reused")

    @rule()
    def crash_and_recover(self) -> None:
        self.world.store.close()
        self.world = open_world(self.folder)
        self.world.ledger.recover()
        for query in self.queries.values():
            if query.state == "running":
                self.spent[EPS] += query.epsilon
            if query.state in ("reserved", "running"):
                query.state = "failed"

    @invariant()
    def oracle_and_log_agree_with_the_rows(self) -> None:
        if not hasattr(self, "world"):
            return
        journal, balances = self.world.journal, self.world.ledger.balances()
        held = dict(zip((EPS, FEE), self.held(), strict=True))
        found = {balance.account_id: (balance.posted, balance.held) for balance in balances}
        assert found == {name: (self.spent[name], held[name]) for name in (EPS, FEE)}
        folded = fold(enumerate(events.decode(leaf) for leaf in journal.entries(0, journal.size())))
        assert folded.findings == ()
        assert folded.balances == balances


def refund_on_failure(unit: Unit, ending: Ending) -> bool:
    return ending is Ending.RELEASED


def forget_what_is_held(tx: sqlite3.Connection, charges: tuple[Charge, ...]) -> None:
    return None


@pytest.mark.parametrize(
    ("place", "bug"),
    [
        ("audit.store.accounts.is_spent", refund_on_failure),
        ("audit.store.accounts.first_short", forget_what_is_held),
        ("audit.store.operations.end", lambda tx, operation, index: None),
        ("audit.ledger.Ledger.recover", lambda ledger: None),
    ],
)
def test_a_seeded_bug_is_found(place: str, bug: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has power: each of these four lines would cost somebody privacy or money."""
    monkeypatch.setattr(place, bug)
    quick = settings(
        max_examples=60,
        stateful_step_count=25,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
    )
    # An oracle that differs, a fence that gives way or a row that a constraint refuses: each is a find.
    with pytest.raises((AssertionError, Failed, sqlite3.IntegrityError, EventConflict)):
        run_state_machine_as_test(LedgerMachine, settings=quick)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=30, stateful_step_count=25)
