"""GET /healthz and /readyz: for whoever watches the node. They tell nothing about load or data."""

from fastapi import APIRouter

from gateway.caller import AnyNode

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(node: AnyNode) -> dict[str, str]:
    """Say that log, documents and snapshots can be read."""
    node.register.known()
    return {"status": "ready"}
