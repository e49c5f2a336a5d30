"""GET /v1/me: whom the node takes the caller for."""

from typing import Any

from fastapi import APIRouter

from gateway.caller import AnyClient, AnyNode

router = APIRouter(prefix="/v1", tags=["auth"])


@router.get("/me")
def me(client: AnyClient, node: AnyNode) -> dict[str, Any]:
    """Return the caller's own entry in the register, without its secret."""
    return {
        "client": client.id,
        "party": client.party,
        "roles": [role.value for role in client.roles],
        "node": node.settings.name,
        "log_key": node.journal.vkey,
        "warnings": list(node.warnings),
    }
