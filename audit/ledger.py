"""Set privacy loss and money aside before a row is read, and settle them exactly once, in the log's own transactions.

    reserve   holds the charges on every account or on none; durable on return            query.accepted
    start     the one permission to start a worker; a second caller is refused
    post      answer, totals, loss, fee, usage and commitment become durable together     query.released, usage.recorded
    fail      after rows were touched it spends the loss; money always comes back         query.failed, query.voided
    reuse     the stored answer again: a fee of its own, no loss                          query.reused, usage.recorded
    derive    another answer from stored totals: a fee of its own, no loss                query.derived, usage.recorded
    recover   at start-up, what a crash left open, by the same path as `fail`
    sweep     what its deadline left open, likewise

    Ledger(store, source, clock, fault=no_fault)     one process for each `source`, which names the gateway
    open_account(account_id, unit, cap, authority) -> index | None        idempotent; None when nothing changed
    reserve(Request) -> Reserved(fence, index) | Insufficient | Replayed(Outcome) | Conflict
    reserve_all, start_all, post_all, fail_all      the same for questions that are asked as one: all of them or none
    start(operation_id, fence) -> None                                     raises FenceRejected
    post(Posting) -> Posted(index, usage_index)                            raises FenceRejected
    fail(operation_id, fence, reason, touched) -> index                    raises FenceRejected
    reuse(Request, cell_digest) -> Reused(index, release) | NotStored | Insufficient | Replayed | Conflict
    derive(Request, (content, operation ids)) -> Reused | Insufficient | Replayed | Conflict
    refuse(operation_id, client_id, stage, code) -> index
    record(kind, event_id, subject, data) -> index                         documents, statements, holders' acts
    review_failures(client_id, family, authority) -> index
    outcome(client_id, idempotency_key), outcome_of(operation_id) -> Outcome | None
    cell(cell_digest) -> StoredRelease | None      balance(account_id) -> Balance | None
    vectors(name) -> tuple[StoredVector, ...]      totals(operation_id) -> bytes | None
    balances() -> tuple[Balance, ...]
    failures(client_id, family) -> int       shape_failures(shape) -> int

Quote = hold = bill: the usage record and the price are fixed by `reserve`, so `post` has nothing to add to them.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from sqlite3 import Connection

from audit import again, settle
from audit.charge import Balance, Unit, added_up
from audit.log import events
from audit.log.fields import spell_time
from audit.request import (
    Conflict,
    Insufficient,
    NotStored,
    Outcome,
    Posted,
    Posting,
    Recovered,
    Replayed,
    Request,
    Reserved,
    Reused,
    check_request,
    check_reuse,
)
from audit.store import accounts, cells, entries, operations
from audit.store.cells import StoredVector
from audit.store.operations import FenceRejected, Operation, State, StoredRelease
from audit.store.sqlite import Store

# Named so that a crash test can stop the process at each; between two of them nothing is half done.
FAULT_POINTS = tuple(
    f"{step}.{moment}"
    for step in ("reserve", "start", "post", "fail", "reuse", "derive", "recover")
    for moment in ("begun", "written", "committed")
)
_CRASH, _EXPIRED, _TIMEOUT = "crash", "expired", "timeout"


def no_fault(point: str) -> None:
    """Do nothing at a fault point."""


class Ledger:
    """See the module. Threads may share one; each public method is one transaction."""

    def __init__(
        self,
        store: Store,
        source: str,
        clock: Callable[[], datetime],
        fault: Callable[[str], None] = no_fault,
    ) -> None:
        store.claim(source)
        self._store = store
        self._source = source
        self._clock = clock
        self._fault = fault

    def open_account(self, account_id: str, unit: Unit, cap: int, authority: str) -> int | None:
        """Open an account, or set the cap of an open one; `authority` names the document that says so."""
        with self._store.write() as tx:
            before = accounts.open_row(tx, account_id, unit, cap, authority)
            data = {
                "account": account_id,
                "unit": unit.value,
                "cap": str(cap),
                "authority": authority,
            }
            number = entries.size(tx)
            if before is None:
                return self._append(tx, "account.opened", f"{account_id}.opened", "domain", data)
            if before.cap == cap:
                return None
            data["cap_before"] = str(before.cap)
            return self._append(
                tx, "account.cap_changed", f"{account_id}.cap.{number}", "domain", data
            )

    def reserve(self, request: Request) -> Reserved | Insufficient | Replayed | Conflict:
        """Hold every charge or none. When `Reserved` is returned a power cut cannot undo it."""
        done = self.reserve_all((request,))
        return done[0] if isinstance(done, tuple) else done

    def reserve_all(
        self, requests: tuple[Request, ...]
    ) -> tuple[Reserved, ...] | Insufficient | Replayed | Conflict:
        """Hold every charge of every request or none: the sum must fit. Failures of one count once for all."""
        for request in requests:
            check_request(request)
        with self._step("reserve") as tx:
            refused = self._known_or_short(tx, *requests)
            if refused is not None:
                return refused
            together = requests[0].operation_id if len(requests) > 1 else None
            reserved = tuple(self._reserved(tx, request, together) for request in requests)
        # A crash from here on leaves a hold that `recover` voids: the caller never learned the fence, so nothing ran.
        return reserved

    def start(self, operation_id: str, fence: str) -> None:
        """Permit one worker, ever. Durable before it starts, so that a crash cannot permit a second one."""
        self.start_all(((operation_id, fence),))

    def start_all(self, opened: tuple[tuple[str, str], ...]) -> None:
        """Permit one worker for each (operation, fence), or none."""
        with self._step("start") as tx:
            for operation_id, fence in opened:
                operation = operations.take(tx, operation_id, fence)
                if operation.deadline < self._now():
                    raise FenceRejected(f"operation `{operation_id}` is past its deadline")
                operations.start(tx, operation_id)

    def post(self, posting: Posting) -> Posted:
        """Make the answer durable together with its totals, its loss, its fee and its leaf. Only then may it be shown."""
        return self.post_all((posting,))[0]

    def post_all(self, postings: tuple[Posting, ...]) -> tuple[Posted, ...]:
        """Make all these answers durable at once, or none."""
        with self._step("post") as tx:
            return tuple(settle.posted(tx, posting, self._now()) for posting in postings)

    def fail(self, operation_id: str, fence: str, reason: str, touched: bool) -> int:
        """Settle an operation that releases nothing. `touched` says that rows may have been read."""
        return self.fail_all(((operation_id, fence),), reason, touched)[0]

    def fail_all(
        self, opened: tuple[tuple[str, str], ...], reason: str, touched: bool
    ) -> tuple[int, ...]:
        """Settle operations that release nothing, all with one word: which of them failed is nobody's to know."""
        with self._step("fail") as tx:
            taken = [operations.take(tx, operation_id, fence) for operation_id, fence in opened]
            return tuple(
                settle.unanswered(tx, operation, reason, touched, self._now())
                for operation in taken
            )

    def recover(self) -> Recovered:
        """Settle what this source left open when it last stopped. Call once, before the first request."""
        with self._step("recover") as tx:
            return self._settle_all(tx, operations.open_of(tx, self._source), (_CRASH, _CRASH))

    def sweep(self) -> Recovered:
        """Settle what is past its deadline, whichever source accepted it."""
        with self._store.write() as tx:
            return self._settle_all(tx, operations.overdue(tx, self._now()), (_EXPIRED, _TIMEOUT))

    def reuse(
        self, request: Request, cell_digest: str
    ) -> Reused | NotStored | Insufficient | Replayed | Conflict:
        """Answer from the noisy-cell store. The caller has decided anew that this client may ask."""
        check_reuse(request)
        with self._step("reuse") as tx:
            refused = self._known_or_short(tx, request)
            if refused is not None:
                return refused
            release = operations.cell(tx, cell_digest)
            if release is None:
                return NotStored()
            row = self._row(request, State.REUSED, entries.size(tx))
            index = again.repeat(tx, request, row, release, self._now())
        return Reused(index, release)

    def derive(
        self, request: Request, made: tuple[bytes, tuple[str, ...]]
    ) -> Reused | Insufficient | Replayed | Conflict:
        """Keep and give an answer made from stored totals. The caller has decided anew that this client may ask."""
        check_reuse(request)
        with self._step("derive") as tx:
            refused = self._known_or_short(tx, request)
            if refused is not None:
                return refused
            row = self._row(request, State.REUSED, entries.size(tx))
            release = again.derive(tx, request, row, made, self._now())
            # No cell: asked again it is made again, of less noisy totals if there are some by then.
            operations.insert_release(tx, release)
        return Reused(release.index, release)

    def refuse(self, operation_id: str, client_id: str, stage: str, code: str) -> int:
        """Log that a query was refused; nothing was reserved and the idempotency key stays free."""
        data = {"operation": operation_id, "stage": stage, "code": code}
        with self._store.write() as tx:
            return self._append(tx, "query.refused", f"{operation_id}.refused", client_id, data)

    def record(self, kind: str, event_id: str, subject: str, data: Mapping[str, object]) -> int:
        """Log an event that moves no account. The same event again returns the index it has."""
        if kind.startswith(("query.", "account.", "usage.", "recovery.", "failures.")):
            raise ValueError(f"`{kind}` is written by the ledger's own steps")
        with self._store.write() as tx:
            return self._append(tx, kind, event_id, subject, data)

    def review_failures(self, client_id: str, family: str, authority: str) -> int:
        """Let the holder's review set an operator's count of failures back to none."""
        data = {"client": client_id, "family": family, "authority": authority}
        with self._store.write() as tx:
            event_id = f"review.{entries.size(tx)}"
            index = self._append(tx, "failures.reviewed", event_id, client_id, data)
            operations.review(tx, client_id, family, index)
            return index

    def outcome(self, client_id: str, idempotency_key: str) -> Outcome | None:
        """Return what became of a client's request under a key."""
        with self._store.read() as tx:
            operation = operations.by_key(tx, client_id, idempotency_key)
            return None if operation is None else _outcome(tx, operation)

    def outcome_of(self, operation_id: str) -> Outcome | None:
        """Return what became of an operation."""
        with self._store.read() as tx:
            operation = operations.by_id(tx, operation_id)
            return None if operation is None else _outcome(tx, operation)

    def cell(self, cell_digest: str) -> StoredRelease | None:
        """Return the stored answer to a question."""
        with self._store.read() as tx:
            return operations.cell(tx, cell_digest)

    def vectors(self, name: str) -> tuple[StoredVector, ...]:
        """Return the stored vectors of a name, oldest first."""
        with self._store.read() as tx:
            return cells.vectors(tx, name)

    def totals(self, operation_id: str) -> bytes | None:
        """Return the noisy totals of an operation."""
        with self._store.read() as tx:
            return cells.totals(tx, operation_id)

    def balance(self, account_id: str) -> Balance | None:
        """Return where one account stands."""
        with self._store.read() as tx:
            return accounts.find(tx, account_id)

    def balances(self) -> tuple[Balance, ...]:
        """Return where every account stands, by id."""
        with self._store.read() as tx:
            return accounts.all_rows(tx)

    def failures(self, client_id: str, family: str) -> int:
        """Count an operator's failures that may each have revealed one bit, since the holder's last review."""
        with self._store.read() as tx:
            return operations.failures(tx, client_id, family)

    def shape_failures(self, shape: str) -> int:
        """Count such failures of one query shape, so that the shape can be quarantined."""
        with self._store.read() as tx:
            return operations.shape_failures(tx, shape)

    @contextmanager
    def _step(self, name: str) -> Iterator[Connection]:
        self._fault(f"{name}.begun")
        with self._store.write() as tx:
            yield tx
            self._fault(f"{name}.written")
        self._fault(f"{name}.committed")

    def _now(self) -> str:
        return spell_time(self._clock())

    def _append(
        self, tx: Connection, kind: str, event_id: str, subject: str, data: Mapping[str, object]
    ) -> int:
        return entries.append(
            tx, events.Event(kind, event_id, self._source, self._now(), subject, data)
        )

    def _reserved(self, tx: Connection, request: Request, together: str | None) -> Reserved:
        fence = secrets.token_hex(16)
        data = {
            "operation": request.operation_id,
            "charges": request.charge_fields(),
            "deadline": spell_time(request.deadline),
            **request.terms.fields(),
        }
        event_id = f"{request.operation_id}.accepted"
        index = self._append(tx, "query.accepted", event_id, request.client_id, data)
        row = replace(self._row(request, State.RESERVED, index), together=together)
        terms = (request.terms.family, request.terms.shape)
        operations.insert(tx, row, request.idempotency_key, fence, terms)
        accounts.hold(tx, request.operation_id, request.charges)
        return Reserved(fence, index)

    def _known_or_short(
        self, tx: Connection, *requests: Request
    ) -> Insufficient | Replayed | Conflict | None:
        for request in requests:
            known = operations.by_key(tx, request.client_id, request.idempotency_key)
            if known is not None:
                if known.request_digest != request.request_digest:
                    return Conflict(known.id)
                return Replayed(_outcome(tx, known))
            if operations.by_id(tx, request.operation_id) is not None:
                return Conflict(request.operation_id)
        short = accounts.first_short(tx, added_up(*(request.charges for request in requests)))
        if short is None:
            return None
        charge, balance = short
        return Insufficient(charge.account_id, charge.amount, balance.available, balance.cap)

    def _row(self, request: Request, state: State, index: int) -> Operation:
        return Operation(
            id=request.operation_id,
            client_id=request.client_id,
            request_digest=request.request_digest,
            source=self._source,
            state=state,
            deadline=spell_time(request.deadline),
            accepted_index=index,
            ended_index=None,
            reason=None,
            touched=None,
            release_of=None,
            together=None,
        )

    def _settle_all(
        self, tx: Connection, open_now: tuple[Operation, ...], reasons: tuple[str, str]
    ) -> Recovered:
        never_started, started = reasons
        now = self._now()
        voided = failed = 0
        for operation in open_now:
            if operation.state is State.RUNNING:
                # Whether the worker had read a row when it was cut off cannot be known, so it counts as if it had.
                settle.unanswered(tx, operation, started, True, now)
                failed += 1
            else:
                settle.unanswered(tx, operation, never_started, False, now)
                voided += 1
        if open_now:
            data = {"voided": voided, "failed": failed}
            self._append(tx, "recovery.completed", f"recovery.{entries.size(tx)}", "domain", data)
        return Recovered(voided, failed)


def _outcome(tx: Connection, operation: Operation) -> Outcome:
    release = (
        None if operation.release_of is None else operations.release_of(tx, operation.release_of)
    )
    index = operation.accepted_index if operation.ended_index is None else operation.ended_index
    return Outcome(
        operation.id, operation.state, index, operation.reason, operation.touched, release
    )
