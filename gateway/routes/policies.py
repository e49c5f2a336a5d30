"""/v1/policies: documents come in by one holder's hand and into force by another's."""

from typing import Any

from fastapi import APIRouter

from gateway.amounts import time_text
from gateway.caller import AnyNode, HolderClient
from gateway.publish import approve, lint_first, reject, revoke, submit
from gateway.schemas import ApprovalBody, DocumentBody
from policies.refusals import Refused, Stage

router = APIRouter(prefix="/v1/policies", tags=["policy"])


@router.post("", status_code=201)
def submit_document(body: DocumentBody, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Lint a policy, price plan or split agreement and lay it before another holder's eyes."""
    return submit(node, client, body.text.encode("utf-8", "surrogatepass"))


@router.post(":lint")
def lint_document(body: DocumentBody, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Return every fault of a document, with its place; nothing is kept."""
    return lint_first(body.text.encode("utf-8", "surrogatepass"))


@router.post("/{document}:approve")
def approve_document(
    document: str, body: ApprovalBody, client: HolderClient, node: AnyNode
) -> dict[str, Any]:
    """Approve exactly one version; with that it is in force. Its author cannot."""
    return approve(node, client, document, body.digest)


@router.post("/{document}:reject")
def reject_document(
    document: str, body: ApprovalBody, client: HolderClient, node: AnyNode
) -> dict[str, Any]:
    """Send a document back to its author."""
    return reject(node, client, document, body.digest)


@router.post("/{policy}:revoke")
def revoke_policy(policy: str, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Take a policy out of force for good."""
    return revoke(node, client, policy)


@router.get("/{policy}")
def one_policy(policy: str, client: HolderClient, node: AnyNode) -> dict[str, Any]:
    """Return the policy in force under an id, as its author wrote it."""
    found = node.register.known().policies.get(policy)
    if found is None or found.holder.id != client.party:
        raise Refused("not_found", Stage.DOOR)
    return {
        "id": found.metadata.id,
        "version": found.metadata.version,
        "digest": found.digest,
        "operator": found.operator.id,
        "effective": {
            "from": time_text(found.effective.start),
            "to": time_text(found.effective.end),
        },
        "text": node.shelf.text(found.digest).decode("utf-8"),
    }
