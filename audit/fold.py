"""Replay the log: balances come out, and so does every step that no correct ledger would have taken.

The ledger keeps balances as rows; this computes them from the leaves alone. `fold(log) == balances` is a test of the
ledger and, on an export, an auditor's check of the node.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from audit.charge import (
    PRIVACY_UNITS,
    UNTOUCHED_REASONS,
    Balance,
    Charge,
    Ending,
    Unit,
    is_spent,
)
from audit.log.events import Event


@dataclass(frozen=True, slots=True)
class Finding:
    """Something an auditor must see. An `error` cannot come from a correct node; a `notice` can, and wants a look."""

    severity: Literal["error", "notice"]
    code: str
    index: int
    detail: str


@dataclass(frozen=True, slots=True)
class Folded:
    """What the log adds up to. `open_operations` were accepted and had not ended when the log was read."""

    balances: tuple[Balance, ...]
    open_operations: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Accepted:
    index: int
    event: Event
    charges: tuple[Charge, ...]


def fold(events: Iterable[tuple[int, Event]]) -> Folded:
    """Replay (index, event) pairs in order."""
    replay = _Replay()
    for index, event in events:
        replay.take(index, event)
    return replay.finish()


class _Replay:
    """The state of a replay. Private to `fold`: nobody else holds a balance that can change."""

    def __init__(self) -> None:
        self._accounts: dict[str, Balance] = {}
        self._open: dict[str, _Accepted] = {}
        self._operations: set[str] = set()
        # index -> (answer, the terms it was given under), until its usage record comes
        self._unmetered: dict[int, tuple[Event, Event]] = {}
        # index -> what a stored answer must repeat; kept for ever, so kept small
        self._released: dict[int, tuple[str, ...]] = {}
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._ids: dict[str, set[str]] = {}
        self._documents: set[str] = set()
        self._snapshots: set[str] = set()
        self._times: dict[str, str] = {}
        self._findings: list[Finding] = []

    def take(self, index: int, event: Event) -> None:
        ids = self._ids.setdefault(event.source, set())
        if event.id in ids:
            detail = f"event `{event.id}` of `{event.source}` is in the log twice"
            self._error("event_repeated", index, detail)
        ids.add(event.id)
        if event.time < self._times.get(event.source, ""):
            self._notice("clock_stepped_back", index, f"clock of `{event.source}` went backwards")
        self._times[event.source] = event.time
        step = _STEPS.get(event.kind)
        if step is not None:
            step(self, index, event)

    def finish(self) -> Folded:
        for index in sorted(self._unmetered):
            self._error("usage_missing", index, "answer has no usage record")
        balances = tuple(self._accounts[name] for name in sorted(self._accounts))
        return Folded(balances, tuple(sorted(self._open)), tuple(self._findings))

    def account_opened(self, index: int, event: Event) -> None:
        name = str(event.data["account"])
        if name in self._accounts:
            self._error("account_repeated", index, f"account `{name}` was open")
            return
        self._accounts[name] = Balance(
            name, Unit(str(event.data["unit"])), int(str(event.data["cap"])), 0, 0
        )

    def cap_changed(self, index: int, event: Event) -> None:
        name = str(event.data["account"])
        before = self._accounts.get(name)
        if before is None or (before.unit, str(before.cap)) != (
            event.data["unit"],
            event.data["cap_before"],
        ):
            self._error("cap_unfounded", index, f"account `{name}` did not have this cap")
            return
        cap = int(str(event.data["cap"]))
        self._accounts[name] = Balance(name, before.unit, cap, before.posted, before.held)

    def accepted(self, index: int, event: Event) -> None:
        charges = self._charges_of(event)
        if not any(charge.unit in PRIVACY_UNITS for charge in charges):
            self._error("loss_missing", index, "query was accepted without privacy loss")
        self._check_new(index, event, charges)
        for charge in charges:
            self._move(index, charge, posted=0, held=charge.amount)
        self._open[str(event.data["operation"])] = _Accepted(index, event, charges)

    def ended(self, index: int, event: Event) -> None:
        operation = str(event.data["operation"])
        accepted = self._open.pop(operation, None)
        if (
            accepted is None
            or accepted.index != event.data["accepted"]
            or (accepted.event.source, accepted.event.subject) != (event.source, event.subject)
        ):
            self._error("ending_unpaired", index, f"operation `{operation}` was not open")
            return
        ending = _ending(event)
        if ending is Ending.FAILED_UNTOUCHED and event.data["reason"] not in UNTOUCHED_REASONS:
            self._error(
                "refund_unfounded",
                index,
                f"reason `{event.data['reason']}` cannot show that nothing was read",
            )
        for charge in accepted.charges:
            spent = charge.amount if is_spent(charge.unit, ending) else 0
            self._move(index, charge, posted=spent, held=-charge.amount)
        if ending is Ending.RELEASED:
            self._released[index] = self._repeatable(event, accepted.event)
            self._unmetered[index] = (event, accepted.event)

    def reused(self, index: int, event: Event) -> None:
        self._again(index, event)
        original = self._released.get(cast("int", event.data["released"]))
        if original != self._repeatable(event, event):
            detail = "no such answer of this family and snapshot before this entry"
            self._error("reuse_unfounded", index, detail)

    def derived(self, index: int, event: Event) -> None:
        self._again(index, event)
        wanted = self._repeatable(event, event)
        for source in cast("list[int]", event.data["released"]):
            # Another answer has another commitment; family and snapshots must be those of its noisy totals.
            if self._released.get(source, ())[1:] != wanted[1:]:
                detail = (
                    f"entry {source} is no answer of this family and snapshot before this entry"
                )
                self._error("reuse_unfounded", index, detail)

    def _again(self, index: int, event: Event) -> None:
        charges = self._charges_of(event)
        self._check_new(index, event, charges)
        if any(charge.unit is not Unit.MICRO_YUAN for charge in charges):
            self._error("reuse_charged", index, "a stored answer was charged a loss")
        for charge in charges:
            self._move(index, charge, posted=charge.amount, held=0)
        self._unmetered[index] = (event, event)

    def usage(self, index: int, event: Event) -> None:
        of = cast("int", event.data["of"])
        if of not in self._unmetered:
            detail = f"entry {of} is not an answer that lacks its usage record"
            self._error("usage_unpaired", index, detail)
            return
        answer, terms = self._unmetered.pop(of)
        same_terms = _same(("operation", "plan", "agreement", "usage", "quote"), event, terms)
        if not same_terms or event.subject != answer.subject:
            self._error(
                "usage_differs",
                index,
                f"usage record differs from what was accepted for entry {of}",
            )

    def document(self, _index: int, event: Event) -> None:
        self._documents.add(str(event.data["digest"]))

    def dataset(self, _index: int, event: Event) -> None:
        self._snapshots.add(str(event.data["commitment"]))

    def _repeatable(self, answer: Event, terms: Event) -> tuple[str, ...]:
        of = (str(terms.data["family"]), *cast("list[str]", terms.data["snapshots"]))
        return (str(answer.data["commitment"]), *self._same.setdefault(of, of))

    def _check_new(self, index: int, event: Event, charges: tuple[Charge, ...]) -> None:
        operation = str(event.data["operation"])
        if operation in self._operations:
            self._error("operation_repeated", index, f"operation `{operation}` was accepted before")
        self._operations.add(operation)
        due = cast("Mapping[str, str]", event.data["quote"])["due_uy"]
        if any(charge.unit is Unit.MICRO_YUAN and str(charge.amount) != due for charge in charges):
            self._error("fee_differs", index, "charged fee differs from the quote")
        for digest in (str(event.data["plan"]), str(event.data["agreement"])):
            if digest not in self._documents:
                self._notice(
                    "document_unlogged", index, f"`{digest}` was not activated before its use"
                )
        for snapshot in cast("list[str]", event.data["snapshots"]):
            if snapshot not in self._snapshots:
                self._notice(
                    "snapshot_unlogged", index, f"`{snapshot}` was not registered before its use"
                )

    def _move(self, index: int, charge: Charge, *, posted: int, held: int) -> None:
        before = self._accounts.get(charge.account_id)
        if before is None or before.unit is not charge.unit:
            self._error(
                "account_unknown", index, f"no account `{charge.account_id}` counts {charge.unit}"
            )
            return
        if posted + held > 0 and before.available < posted + held:
            self._error(
                "overspent", index, f"account `{charge.account_id}` could not bear its charge"
            )
        self._accounts[charge.account_id] = Balance(
            before.account_id, before.unit, before.cap, before.posted + posted, before.held + held
        )

    def _charges_of(self, event: Event) -> tuple[Charge, ...]:
        raw = cast("list[dict[str, str]]", event.data["charges"])
        return tuple(
            Charge(item["account"], Unit(item["unit"]), int(item["amount"])) for item in raw
        )

    def _error(self, code: str, index: int, detail: str) -> None:
        self._findings.append(Finding("error", code, index, detail))

    def _notice(self, code: str, index: int, detail: str) -> None:
        self._findings.append(Finding("notice", code, index, detail))


def _same(names: tuple[str, ...], left: Event, right: Event) -> bool:
    return all(left.data[name] == right.data[name] for name in names)


def _ending(event: Event) -> Ending:
    if event.kind == "query.released":
        return Ending.RELEASED
    if event.kind == "query.voided":
        return Ending.VOIDED
    return Ending.FAILED_TOUCHED if event.data["touched"] else Ending.FAILED_UNTOUCHED


_STEPS: Mapping[str, Callable[[_Replay, int, Event], None]] = {
    "account.opened": _Replay.account_opened,
    "account.cap_changed": _Replay.cap_changed,
    "query.accepted": _Replay.accepted,
    "query.released": _Replay.ended,
    "query.failed": _Replay.ended,
    "query.voided": _Replay.ended,
    "query.reused": _Replay.reused,
    "query.derived": _Replay.derived,
    "usage.recorded": _Replay.usage,
    "plan.activated": _Replay.document,
    "agreement.activated": _Replay.document,
    "dataset.registered": _Replay.dataset,
}
