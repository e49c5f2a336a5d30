"""Who calls: from the header of a request to a client of the register, with the role the route needs."""

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.identity.clients import Client, Role
from gateway.node import Node
from policies.refusals import Refused, Stage

_bearer = HTTPBearer(auto_error=False, description="a token from POST /oauth/token")


def node_of(request: Request) -> Node:
    """Return the node that this application is the door of."""
    return cast("Node", request.app.state.node)


def caller(
    node: Annotated[Node, Depends(node_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Client:
    """Return the client behind a token, as the register knows it at this moment."""
    if credentials is None:
        raise Refused("token_missing", Stage.DOOR)
    name = node.tokens.read(credentials.credentials, node.clock())
    found = next((client for client in node.clients() if client.id == name), None)
    if found is None:
        raise Refused("token_invalid", Stage.DOOR, why="its client is no longer registered")
    return found


def needs(*roles: Role) -> Callable[[Client], Client]:
    """Make a dependency that lets one of these roles through."""

    def check(client: Annotated[Client, Depends(caller)]) -> Client:
        if not set(roles) & set(client.roles):
            raise Refused(
                "role_not_allowed",
                Stage.DOOR,
                role=" or ".join(role.value for role in roles),
                roles=", ".join(f"`{role.value}`" for role in client.roles),
            )
        return client

    return check


AnyNode = Annotated[Node, Depends(node_of)]
AnyClient = Annotated[Client, Depends(caller)]
OperatorClient = Annotated[Client, Depends(needs(Role.OPERATOR))]
HolderClient = Annotated[Client, Depends(needs(Role.HOLDER))]
FinanceClient = Annotated[Client, Depends(needs(Role.FINANCE))]
AuditorClient = Annotated[Client, Depends(needs(Role.AUDITOR))]
