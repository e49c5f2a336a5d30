"""What the node serves: datasets, policies, plans, agreements and holds, folded from the log.

The log says which; the shelf and the snapshots' folders hold the content, and each is compared with what the log says.
Another process of the same node (an ingest) may append; `catch_up` reads what is new.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from audit.journal import Journal
from audit.log.events import Event
from gateway.home import Home
from gateway.shelf import Shelf
from policies.access.model import AccessPolicy
from policies.approvals import Act, Approval, act, draft
from policies.catalogue import Catalogue, from_json
from policies.documents import load_access_policy, load_price_plan, load_split_agreement
from policies.pricing import PricePlan, SplitAgreement
from policies.refusals import Refused, Stage

QUORUM = 1  # besides the author
EVERYTHING = "node"

_KINDS = (
    "dataset.registered",
    "policy.published",
    "policy.revoked",
    "plan.activated",
    "agreement.activated",
    "domain.acted",
)


class RegisterRefused(Exception):
    """What lies on disk is not what the log says; serving it could break a promise."""


@dataclass(frozen=True, slots=True)
class Served:
    """A dataset's newest snapshot. `commitment` is how the log names it."""

    catalogue: Catalogue
    snapshot: Path
    commitment: str


@dataclass(frozen=True, slots=True)
class Known:
    """Everything the log says is in force, at one size of the log.

    `reviewed` counts, for a question by its shape, the failed runs that a holder has looked at.
    """

    size: int
    datasets: Mapping[str, Served]
    policies: Mapping[str, AccessPolicy]
    plans: Mapping[str, PricePlan]
    agreements: Mapping[str, SplitAgreement]
    approvals: Mapping[str, Approval]
    held: frozenset[str]
    reviewed: Mapping[str, int]


@dataclass(slots=True)
class _Fold:
    """The same while it is being read."""

    datasets: dict[str, Served] = field(default_factory=dict)
    policies: dict[str, AccessPolicy] = field(default_factory=dict)
    plans: dict[str, PricePlan] = field(default_factory=dict)
    agreements: dict[str, SplitAgreement] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    reviewed: dict[str, int] = field(default_factory=dict)


class Register:
    """Folds the log as far as it goes and no further. Threads may share one."""

    def __init__(self, home: Home, journal: Journal, shelf: Shelf) -> None:
        self._home = home
        self._journal = journal
        self._shelf = shelf
        self._turn = threading.Lock()
        self._known = Known(0, {}, {}, {}, {}, {}, frozenset(), {})

    def known(self) -> Known:
        """Return what is in force now, reading what was appended since the last look."""
        with self._turn:
            size = self._journal.size()
            if size > self._known.size:
                self._known = self._caught_up(self._known, size)
            return self._known

    def _caught_up(self, known: Known, size: int) -> Known:
        fold = _Fold(
            dict(known.datasets),
            dict(known.policies),
            dict(known.plans),
            dict(known.agreements),
            dict(known.approvals),
            set(known.held),
            dict(known.reviewed),
        )
        found = [
            pair for kind in _KINDS for pair in self._journal.events_of(kind, known.size, size)
        ]
        for _, event in sorted(found, key=lambda pair: pair[0]):
            self._take(fold, event)
        return Known(
            size,
            fold.datasets,
            fold.policies,
            fold.plans,
            fold.agreements,
            fold.approvals,
            frozenset(fold.held),
            fold.reviewed,
        )

    def _take(self, fold: _Fold, event: Event) -> None:
        if event.kind == "dataset.registered":
            name = str(event.data["dataset"])
            fold.datasets[name] = self._served(event)
        elif event.kind == "domain.acted":
            _act(fold, event)
        else:
            self._publish(fold, event)

    def _publish(self, fold: _Fold, event: Event) -> None:
        name, digest = str(event.data["document"]), str(event.data["digest"])
        if event.kind == "policy.revoked":
            fold.policies.pop(name, None)
            return
        text = self._shelf.text(digest)
        if event.kind == "policy.published":
            fold.policies[name] = load_access_policy(text, name)
        elif event.kind == "plan.activated":
            fold.plans[digest] = load_price_plan(text, name)
        else:
            fold.agreements[digest] = load_split_agreement(text, name)
        if digest in fold.approvals:
            approval = fold.approvals[digest]
            # Whoever approved last published it: the two acts are one step of the route.
            person = approval.approvers[-1]
            fold.approvals[digest] = act(approval, Act.PUBLISH, person, digest)

    def _served(self, event: Event) -> Served:
        name, version = str(event.data["dataset"]), cast("int", event.data["version"])
        folder = self._home.dataset(name, version)
        try:
            catalogue = from_json((folder / "catalogue.json").read_bytes())
        except (OSError, Refused):
            raise RegisterRefused(
                f"catalogue of `{name}` version {version} is missing or damaged; restore `{folder}`"
            ) from None
        commitment = snapshot_commitment(catalogue)
        if (commitment, catalogue.dataset.digest) != (
            event.data["commitment"],
            event.data["digest"],
        ):
            raise RegisterRefused(
                f"`{folder}` is not the snapshot that was registered; restore the one that was"
            )
        return Served(catalogue, folder / "snapshot.duckdb", commitment)


def snapshot_commitment(catalogue: Catalogue) -> str:
    """Name a snapshot as the log does."""
    return f"commit-sha256:{catalogue.snapshot_id}"


def policy_for(known: Known, operator: str, served: Served, purpose: str) -> AccessPolicy:
    """Return the policy by which an operator may ask about a dataset.

    Refuses  with the very words for a dataset that does not exist: names alone are no business of strangers.
    """
    candidates = policies_of(known, operator, served)
    if not candidates:
        raise Refused("not_found", Stage.DOOR)
    fitting = [policy for policy in candidates if policy.purpose(purpose) is not None]
    return (fitting or candidates)[0]


def policies_of(known: Known, operator: str, served: Served) -> list[AccessPolicy]:
    """Return the published policies of one operator over a dataset, by id."""
    return [policy for policy in policies_over(known, served) if policy.operator.id == operator]


def policies_over(known: Known, served: Served) -> tuple[AccessPolicy, ...]:
    """Return every published policy over a dataset, whoever it is made out to."""
    dataset = served.catalogue.dataset
    return tuple(
        known.policies[name]
        for name in sorted(known.policies)
        if known.policies[name].holder == dataset.holder
        and all(dataset.table(grant.name) is not None for grant in known.policies[name].tables)
    )


def is_held(known: Known, dataset: str) -> bool:
    """Tell whether a holder has stopped this dataset, or everything."""
    return EVERYTHING in known.held or f"dataset/{dataset}" in known.held


def _act(fold: _Fold, event: Event) -> None:
    actor, action = str(event.data["actor"]), str(event.data["action"])
    subject = str(event.data["subject"])
    if action == "hold_suspended":
        fold.held.add(subject)
    elif action == "hold_resumed":
        fold.held.discard(subject)
    elif action == "question_reviewed":
        shape, _, count = subject.rpartition("/")
        fold.reviewed[shape] = int(count)
    elif action == "document_submitted":
        made = draft(subject, subject, actor, QUORUM)
        fold.approvals[subject] = act(made, Act.SUBMIT, actor, subject)
    elif action == "document_approved":
        fold.approvals[subject] = act(fold.approvals[subject], Act.APPROVE, actor, subject)
    elif action == "document_rejected":
        rejected = act(fold.approvals[subject], Act.REJECT, actor, subject)
        fold.approvals[subject] = replace(rejected, approvers=())
