"""Nobody publishes alone, and an approval is of one exact text."""

import base64
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from policies.approvals import Act, Approval, State, act, draft
from policies.refusals import Refused
from policies.signing import (
    Signature,
    key_name,
    new_private_key,
    public_key,
    sign,
    verify,
)

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
PEOPLE = ("author", "first", "second", "third")


def walk(quorum: int, *steps: tuple[Act, str]) -> Approval:
    approval = draft("p", DIGEST, "author", quorum)
    for what, person in steps:
        approval = act(approval, what, person, DIGEST)
    return approval


def published() -> Approval:
    return walk(
        2,
        (Act.SUBMIT, "author"),
        (Act.APPROVE, "first"),
        (Act.APPROVE, "second"),
        (Act.PUBLISH, "first"),
    )


def test_the_straight_way() -> None:
    assert published().state is State.PUBLISHED
    assert published().approvers == ("first", "second")


def test_one_approval_of_two_is_not_enough() -> None:
    approval = walk(2, (Act.SUBMIT, "author"), (Act.APPROVE, "first"))
    assert approval.state is State.SUBMITTED
    with pytest.raises(Refused):
        act(approval, Act.PUBLISH, "second", DIGEST)


@pytest.mark.parametrize("what", [Act.APPROVE, Act.PUBLISH, Act.RESUME])
def test_the_author_does_not_judge_the_authors_work(what: Act) -> None:
    steps: dict[Act, tuple[tuple[Act, str], ...]] = {
        Act.APPROVE: ((Act.SUBMIT, "author"),),
        Act.PUBLISH: ((Act.SUBMIT, "author"), (Act.APPROVE, "first")),
        Act.RESUME: (
            (Act.SUBMIT, "author"),
            (Act.APPROVE, "first"),
            (Act.PUBLISH, "first"),
            (Act.SUSPEND, "author"),
        ),
    }
    approval = walk(1, *steps[what])
    with pytest.raises(Refused) as caught:
        act(approval, what, "author", DIGEST)
    assert caught.value.code == "four_eyes_required"
    assert act(approval, what, "third", DIGEST).state is not approval.state


def test_nobody_approves_twice() -> None:
    approval = walk(2, (Act.SUBMIT, "author"), (Act.APPROVE, "first"))
    with pytest.raises(Refused) as caught:
        act(approval, Act.APPROVE, "first", DIGEST)
    assert caught.value.code == "four_eyes_required"


def test_another_text_needs_another_approval() -> None:
    with pytest.raises(Refused) as caught:
        act(walk(1, (Act.SUBMIT, "author")), Act.APPROVE, "first", OTHER)
    assert caught.value.code == "four_eyes_required"


def test_a_rejected_document_loses_its_approvals() -> None:
    approval = walk(2, (Act.SUBMIT, "author"), (Act.APPROVE, "first"), (Act.REJECT, "second"))
    assert approval == draft("p", DIGEST, "author", 2)


def test_a_revoked_document_stays_revoked() -> None:
    gone = act(published(), Act.REVOKE, "author", DIGEST)
    for what in Act:
        with pytest.raises(Refused) as caught:
            act(gone, what, "third", DIGEST)
        assert caught.value.code == "approval_out_of_turn"
        assert "nothing" in caught.value.message("en")


@pytest.mark.parametrize("quorum", [0, -1])
def test_a_quorum_of_nobody_is_none(quorum: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        draft("p", DIGEST, "author", quorum)


def histories(quorum: int, steps: list[tuple[Act, str, str]]) -> Iterator[Approval]:
    approval = draft("p", DIGEST, "author", quorum)
    for what, person, digest in steps:
        try:
            approval = act(approval, what, person, digest)
        except Refused:
            continue
        yield approval


steps = st.lists(
    st.tuples(st.sampled_from(Act), st.sampled_from(PEOPLE), st.sampled_from([DIGEST, OTHER])),
    max_size=40,
)


@given(st.integers(1, 3), steps)
def test_no_history_publishes_without_a_quorum_of_others(
    quorum: int, steps: list[tuple[Act, str, str]]
) -> None:
    for approval in histories(quorum, steps):
        if approval.state in (State.APPROVED, State.PUBLISHED, State.SUSPENDED):
            assert len(set(approval.approvers)) >= quorum
            assert approval.author not in approval.approvers


# ---- signatures


def test_a_signature_is_over_one_digest_by_one_key() -> None:
    private, stranger = new_private_key(), new_private_key()
    signature = sign(DIGEST, private)
    verify(signature, DIGEST, public_key(private))
    forged = Signature(OTHER, signature.key, signature.value)
    renamed = Signature(DIGEST, key_name(public_key(stranger)), signature.value)
    cut = Signature(DIGEST, signature.key, signature.value[:-4])
    for bad, digest, key in (
        (signature, OTHER, public_key(private)),
        (signature, DIGEST, public_key(stranger)),
        (forged, OTHER, public_key(private)),
        (renamed, DIGEST, public_key(stranger)),
        (cut, DIGEST, public_key(private)),
        (signature, DIGEST, b"short"),
    ):
        with pytest.raises(Refused) as caught:
            verify(bad, digest, key)
        assert caught.value.code == "signature_invalid"


def test_only_a_digest_is_signed() -> None:
    for text in ("", "sha256:abc", DIGEST + "\n", "kind: AccessPolicy"):
        with pytest.raises(ValueError, match="digest"):
            sign(text, new_private_key())


def test_the_signature_is_that_of_rfc_8032() -> None:
    """Outsiders check it with any Ed25519 tool over the stated bytes."""
    private = bytes(range(32))
    signature = sign(DIGEST, private)
    Ed25519PublicKey.from_public_bytes(public_key(private)).verify(
        base64.b64decode(signature.value), b"keyong/v1 document\n" + DIGEST.encode()
    )
    assert signature == sign(DIGEST, private)
