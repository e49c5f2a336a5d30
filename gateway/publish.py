"""Bring a document into force: lint, compare with the dataset, four eyes, log.

Who acts is a client of the register, so that two people of one holder are two pairs of eyes.
"""

import secrets
from typing import Any

from gateway.free_of_charge import (
    agreement_digest,
    free_agreement,
    free_plan,
    plan_digest,
)
from gateway.identity.clients import Client
from gateway.node import Node
from gateway.register import Known
from policies.access.fit import fit
from policies.access.model import AccessPolicy, DocumentReference
from policies.approvals import Act, State, act
from policies.documents import (
    document_digest,
    lint,
    load_access_policy,
    load_price_plan,
    load_split_agreement,
)
from policies.findings import Finding
from policies.pricing import PricePlan, SplitAgreement
from policies.reading.nodes import Mapping, Scalar
from policies.reading.parse import load_yaml
from policies.refusals import Refused, Stage

NAME = "document"
# What the log holds of an account's name.
ACCOUNT_CHARACTERS_MAX = 128
Signable = AccessPolicy | PricePlan | SplitAgreement


class Faulty(Exception):
    """A document with faults, from the top of the text down."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__(findings[0].code)


def lint_first(text: bytes) -> dict[str, Any]:
    """Return every finding of a document."""
    return {"findings": [_finding(found) for found in lint(text, NAME)]}


def submit(node: Node, client: Client, text: bytes) -> dict[str, Any]:
    """Keep a document and record who wrote it.

    Refuses  a document with a fault, with the first of them; a policy of another holder or one that asks for more than
             the dataset declares; a version that is not newer than the one in force.
    """
    document = load(text)
    with node.acting:
        known = node.register.known()
        _refuse_unfit(node, known, client, document)
        digest = document_digest(text, NAME)
        if digest in known.approvals and known.approvals[digest].state is not State.DRAFT:
            state = known.approvals[digest].state
            raise _out_of_turn(name_of(document), state, Act.SUBMIT)
        # The text is durable before the log names it; a crash between them leaves a file that nothing refers to.
        node.shelf.put(text, NAME)
        _act(node, client, "document_submitted", digest)
    return _shown(document, digest, "submitted")


def approve(node: Node, client: Client, name: str, digest: str) -> dict[str, Any]:
    """Approve a document and, as the quorum is then met, publish it.

    Refuses  the author's own hand, a digest that was never submitted, and what no longer fits the dataset.
    """
    with node.acting:
        known = node.register.known()
        document = _submitted(node, known, name, digest)
        _refuse_unfit(node, known, client, document)
        approved = act(known.approvals[digest], Act.APPROVE, client.id, digest)
        act(approved, Act.PUBLISH, client.id, digest)
        _act(node, client, "document_approved", digest)
        _publish_free_papers(node, known, client, document)
        # A crash here leaves an approved document that is not in force; approving again is out of turn, so the author
        # submits the next version. Nothing is in force that only one person has seen.
        _publish(node, client, document, digest)
    return _shown(document, digest, "published")


def reject(node: Node, client: Client, name: str, digest: str) -> dict[str, Any]:
    """Send a document back."""
    with node.acting:
        known = node.register.known()
        document = _submitted(node, known, name, digest)
        act(known.approvals[digest], Act.REJECT, client.id, digest)
        _act(node, client, "document_rejected", digest)
    return _shown(document, digest, "draft")


def revoke(node: Node, client: Client, name: str) -> dict[str, Any]:
    """Take a policy out of force for good. It only takes away, so one person may; what was spent stays spent."""
    with node.acting:
        found = node.register.known().policies.get(name)
        if found is None or found.holder.id != client.party:
            raise Refused("not_found", Stage.DOOR)
        data = {"document": name, "version": found.metadata.version, "digest": found.digest}
        event = f"policy.revoked.{found.digest.removeprefix('sha256:')[:32]}"
        node.ledger.record("policy.revoked", event, client.id, data)
    return _shown(found, found.digest, "revoked")


def load(text: bytes) -> Signable:
    """Read a policy, a price plan or a split agreement, whichever the text says it is.

    Refuses  with all faults at once, so that its author mends them in one go.
    """
    findings = lint(text, NAME)
    if findings:
        raise Faulty(findings)
    node = load_yaml(text, NAME)
    kind = node.entries.get("kind") if isinstance(node, Mapping) else None
    named = kind.text if isinstance(kind, Scalar) else ""
    if named == "PricePlan":
        return load_price_plan(text, NAME)
    if named == "SplitAgreement":
        return load_split_agreement(text, NAME)
    return load_access_policy(text, NAME)


def name_of(document: Signable) -> str:
    """Return the id of a document."""
    return document.metadata.id if isinstance(document, AccessPolicy) else document.id


def version_of(document: Signable) -> int:
    """Return the version of a document."""
    return document.metadata.version if isinstance(document, AccessPolicy) else document.version


def _publish(node: Node, client: Client, document: Signable, digest: str) -> None:
    kinds = {AccessPolicy: "policy.published", PricePlan: "plan.activated"}
    kind = kinds.get(type(document), "agreement.activated")
    data = {"document": name_of(document), "version": version_of(document), "digest": digest}
    event = f"{kind}.{digest.removeprefix('sha256:')[:32]}"
    node.ledger.record(kind, event, client.id, data)


def _publish_free_papers(node: Node, known: Known, client: Client, document: Signable) -> None:
    if not isinstance(document, AccessPolicy):
        return
    papers: list[bytes] = []
    if document.price is None and plan_digest(document) not in known.plans:
        papers.append(free_plan())
    if document.revenue is None and agreement_digest(document) not in known.agreements:
        papers.append(free_agreement(document))
    for text in papers:
        _publish(node, client, load(text), node.shelf.put(text, NAME))


def _submitted(node: Node, known: Known, name: str, digest: str) -> Signable:
    if digest not in known.approvals:
        raise Refused("not_found", Stage.DOOR)
    document = load(node.shelf.text(digest))
    if name_of(document) != name:
        raise Refused("not_found", Stage.DOOR)
    return document


def _refuse_unfit(node: Node, known: Known, client: Client, document: Signable) -> None:
    if not isinstance(document, AccessPolicy):
        return
    if document.holder.id != client.party:
        raise _invalid(
            "parties.holder", f"is `{document.holder.id}`; you sign for `{client.party}`"
        )
    current = known.policies.get(document.metadata.id)
    if current is not None and current.metadata.version >= document.metadata.version:
        raise _invalid(
            "metadata.version", f"must be above {current.metadata.version}, now in force"
        )
    node.check_runtime(document)
    _refuse_unknown(known.plans, document.price, "price")
    _refuse_unknown(known.agreements, document.revenue, "revenue")
    own = [d for d in known.datasets.values() if d.catalogue.dataset.holder == document.holder]
    names = {grant.name for grant in document.tables}
    about = [d for d in own if names <= {table.name for table in d.catalogue.dataset.tables}]
    if not about:
        raise _invalid("tables", "are not all of one registered dataset of this holder")
    for served in about:
        _refuse_long_names(document, served.catalogue.dataset.family.id)
        for problem in fit(document, served.catalogue.dataset):
            params = (("path", NAME), *problem.params)
            raise Finding(problem.code, Stage.DOCUMENT, None, params, ()).refused()


def _refuse_long_names(policy: AccessPolicy, family: str) -> None:
    """Refuse names that would not fit into an account's, while there is somebody to shorten them."""
    purpose = max((purpose.code for purpose in policy.purposes), key=len)
    longest = (
        ("metadata.id", f"allowance/{policy.metadata.id}/{purpose}/2026-11-21"),
        ("parties.operator.id", f"failures/{policy.operator.id}/{family}"),
    )
    for field, account in longest:
        if len(account) > ACCOUNT_CHARACTERS_MAX:
            raise _invalid(
                field, f"makes an account's name of {len(account)} characters; shorten it"
            )


def _refuse_unknown(active: Any, reference: DocumentReference | None, field: str) -> None:
    if reference is not None and reference.digest not in active:
        raise _invalid(
            f"{field}.digest", f"names `{reference.id}`, which is not in force; publish it first"
        )


def _act(node: Node, client: Client, action: str, digest: str) -> None:
    data = {"actor": client.id, "action": action, "subject": digest}
    node.ledger.record("domain.acted", f"act.{secrets.token_hex(8)}", client.id, data)


def _out_of_turn(name: str, state: State, what: Act) -> Refused:
    return Refused(
        "approval_out_of_turn",
        Stage.DOOR,
        document=name,
        state=state.value,
        act=what.value,
        allowed="a new version",
    )


def _invalid(field: str, problem: str) -> Refused:
    return Refused(
        "document_field_invalid", Stage.DOCUMENT, path=NAME, field=field, problem=problem
    )


def _shown(document: Signable, digest: str, state: str) -> dict[str, Any]:
    return {
        "id": name_of(document),
        "version": version_of(document),
        "digest": digest,
        "state": state,
    }


def _finding(found: Finding) -> dict[str, Any]:
    place = {"line": found.at.line, "column": found.at.column} if found.at else None
    return {
        "code": found.code,
        "at": place,
        "message_en": found.message("en"),
        "message_zh": found.message("zh-CN"),
    }
