"""The register of clients: who may come in, in which roles, for which party. Secrets are stored as scrypt hashes.

Source  RFC 7914 (scrypt); parameters as OWASP's Password Storage Cheat Sheet (N=2**15, r=8, p=3 costs the node 0.1 s).
"""

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from audit.log.commitment import refuse_open_to_others
from audit.log.durable import replace_file
from policies.refusals import Refused, Stage

_N, _R, _P, _BYTES = 1 << 15, 8, 3, 32
_MEMORY_BYTES = 64 << 20
_SALT_BYTES = 16
# Each hash takes 32 MiB; a flood of wrong secrets waits here instead of filling the memory.
_AT_ONCE = threading.BoundedSemaphore(2)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Role(StrEnum):
    """What a client is for. No role may both ask and hold, or spend and audit: a register that says so is refused."""

    OPERATOR = "operator"
    HOLDER = "holder"
    FINANCE = "finance"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `party` is the operator or holder it acts for, as policies and datasets name it.

    Units  `credit_uy`: how much an operator may owe, in micro-yuan; 0 for everybody else.
    """

    id: str
    party: str
    roles: tuple[Role, ...]
    credit_uy: int
    salt: str
    hash: str


class ClientsRefused(ValueError):
    """The register cannot be read, or names somebody who may not be in it."""


def new_client(
    client_id: str, party: str, roles: Iterable[Role], credit_uy: int
) -> tuple[Client, str]:
    """Return a client and its secret, which is shown once and never stored."""
    secret = secrets.token_urlsafe(32)
    salt = secrets.token_hex(_SALT_BYTES)
    client = Client(client_id, party, tuple(roles), credit_uy, salt, _hashed(secret, salt))
    _check(client)
    return client, secret


def write_clients(path: Path, clients: Iterable[Client]) -> None:
    """Write the register, readable by the node's own account only."""
    plain = {
        client.id: {
            "party": client.party,
            "roles": [role.value for role in client.roles],
            "credit_uy": client.credit_uy,
            "salt": client.salt,
            "hash": client.hash,
        }
        for client in clients
    }
    if not path.exists():
        path.touch(mode=0o600)
    replace_file(path, (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode())
    path.chmod(0o600)


def load_clients(path: Path) -> tuple[Client, ...]:
    """Read the register, refusing one that other accounts of the machine can read."""
    try:
        refuse_open_to_others(path)
        plain = json.loads(path.read_text(encoding="utf-8"))
        clients = tuple(
            Client(
                id=name,
                party=str(entry["party"]),
                roles=tuple(Role(role) for role in entry["roles"]),
                credit_uy=int(entry["credit_uy"]),
                salt=str(entry["salt"]),
                hash=str(entry["hash"]),
            )
            for name, entry in plain.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClientsRefused(f"`{path.name}` is not a register of clients: {error}") from None
    for client in clients:
        _check(client)
    return clients


def authenticate(clients: Iterable[Client], client_id: str, secret: str) -> Client:
    """Return the client whose secret this is.

    Refuses  an unknown id and a wrong secret alike, after the same work: the time must not tell which ids exist.
    """
    found = next((client for client in clients if client.id == client_id), None)
    salt = found.salt if found else "00" * _SALT_BYTES
    wanted = found.hash if found else ""
    if not hmac.compare_digest(_hashed(secret, salt), wanted) or found is None:
        raise Refused("client_unknown", Stage.DOOR)
    return found


def _hashed(secret: str, salt: str) -> str:
    encoded = secret.encode("utf-8", "surrogatepass")
    with _AT_ONCE:
        return hashlib.scrypt(
            encoded, salt=bytes.fromhex(salt), n=_N, r=_R, p=_P, maxmem=_MEMORY_BYTES, dklen=_BYTES
        ).hex()


def _check(client: Client) -> None:
    if _ID.fullmatch(client.id) is None or _ID.fullmatch(client.party) is None:
        raise ClientsRefused(
            f"`{client.id}` of `{client.party}`: letters, digits and _.- only, at most 64"
        )
    roles = set(client.roles)
    if not roles:
        raise ClientsRefused(f"`{client.id}` has no role")
    # Who asks must not decide what may be asked, and who audits must not act: separation of duty.
    if len(roles) > 1 and roles != {Role.HOLDER, Role.FINANCE}:
        raise ClientsRefused(
            f"`{client.id}` has roles that one client may not join: {sorted(roles)}"
        )
    if client.credit_uy < 0 or (client.credit_uy and Role.OPERATOR not in roles):
        raise ClientsRefused(f"`{client.id}` has credit but is no operator")
