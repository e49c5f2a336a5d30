"""Four eyes on a document: a pure state machine that never decides alone.

    draft ──submit──▶ submitted ──approve × quorum──▶ approved ──publish──▶ published ⇄ suspended
                          │                               │                     │          │
                          └──────────reject──▶ draft ◀────┘                     └──revoke──┴──▶ revoked

Whoever wrote the document may not approve or publish it, nobody approves twice, and every approval
is of one digest: a document that changed by one character has to be approved again.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from policies.refusals import Refused, Stage


class State(StrEnum):
    """Where a document stands; only a published one decides queries."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    PUBLISHED = "published"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Act(StrEnum):
    """What a person may do with a document."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    PUBLISH = "publish"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Approval:
    """The progress of one version of one document."""

    document: str
    digest: str
    author: str
    quorum: int
    approvers: tuple[str, ...]
    state: State


# Suspending and revoking only take away, so one person may; giving back takes another again.
_TURNS: dict[tuple[State, Act], State] = {
    (State.DRAFT, Act.SUBMIT): State.SUBMITTED,
    (State.SUBMITTED, Act.APPROVE): State.SUBMITTED,
    (State.SUBMITTED, Act.REJECT): State.DRAFT,
    (State.APPROVED, Act.REJECT): State.DRAFT,
    (State.APPROVED, Act.PUBLISH): State.PUBLISHED,
    (State.PUBLISHED, Act.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Act.RESUME): State.PUBLISHED,
    (State.PUBLISHED, Act.REVOKE): State.REVOKED,
    (State.SUSPENDED, Act.REVOKE): State.REVOKED,
}
_NOT_BY_AUTHOR = frozenset({Act.APPROVE, Act.PUBLISH, Act.RESUME})


def draft(document: str, digest: str, author: str, quorum: int) -> Approval:
    """Start the way of a document. Refuses a quorum below 1."""
    if quorum < 1:
        raise ValueError("a quorum is at least 1")
    return Approval(document, digest, author, quorum, (), State.DRAFT)


def act(approval: Approval, what: Act, person: str, digest: str) -> Approval:
    """Return the approval after the person did something to exactly that version.

    Refuses  an act out of turn, the author judging the author's own work, the same person twice,
             and a digest that is not the one under approval.
    """
    following = _TURNS.get((approval.state, what))
    if following is None:
        allowed = ", ".join(a.value for state, a in _TURNS if state is approval.state) or "nothing"
        raise Refused(
            "approval_out_of_turn",
            Stage.DOOR,
            document=approval.document,
            state=approval.state.value,
            act=what.value,
            allowed=allowed,
        )
    if digest != approval.digest:
        raise _four_eyes(person, what, "the document has changed since it was submitted")
    if what in _NOT_BY_AUTHOR and person == approval.author:
        raise _four_eyes(person, what, "it is their own work")
    if what is Act.APPROVE:
        return _approved(approval, person)
    if following is State.DRAFT:
        return replace(approval, state=following, approvers=())
    return replace(approval, state=following)


def _approved(approval: Approval, person: str) -> Approval:
    if person in approval.approvers:
        raise _four_eyes(person, Act.APPROVE, "they have approved already")
    approvers = (*approval.approvers, person)
    done = len(approvers) >= approval.quorum
    return replace(approval, approvers=approvers, state=State.APPROVED if done else State.SUBMITTED)


def _four_eyes(person: str, what: Act, why: str) -> Refused:
    return Refused("four_eyes_required", Stage.DOOR, person=person, act=what.value, why=why)
