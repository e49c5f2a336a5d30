"""Short-lived signed tokens: a client shows its secret once in ten minutes and not with every question.

Source  RFC 6749 section 4.4 (client credentials), RFC 9068 (the claims), RFC 8037 and RFC 9864 (Ed25519 in JOSE).
"""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from audit.log.commitment import refuse_open_to_others
from gateway.identity.clients import Client
from policies.refusals import Refused, Stage

LIFETIME_S = 600
_ALGORITHM = "Ed25519"
_TOKEN_CHARACTERS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and reads the tokens of one node."""

    key: OKPKey
    node: str

    def issue(self, client: Client, now: datetime) -> str:
        """Return a token for ten minutes."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.node,
            "aud": self.node,
            "sub": client.id,
            "roles": [role.value for role in client.roles],
            "iat": issued,
            "exp": issued + LIFETIME_S,
            "jti": secrets.token_hex(16),
        }
        return jwt.encode({"alg": _ALGORITHM, "typ": "at+jwt"}, claims, self.key, [_ALGORITHM])

    def read(self, token: str, now: datetime) -> str:
        """Return the client a token was issued to.

        Refuses  another node's token, one past its time, one of another algorithm. What roles the client has is asked of
                 the register, so that taking a role away takes effect at once.
        """
        if len(token) > _TOKEN_CHARACTERS_MAX:
            raise _invalid("it is longer than any of ours")
        try:
            claims = jwt.decode(token, self.key, [_ALGORITHM]).claims
        except (JoseError, ValueError, TypeError):
            raise _invalid("its signature does not verify") from None
        if claims.get("iss") != self.node or claims.get("aud") != self.node:
            raise _invalid("it is of another node")
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= now.timestamp():
            raise _invalid("it has expired")
        return str(claims.get("sub"))


def create_token_key(path: Path) -> None:
    """Make a key file with mode 0600; an existing file is never overwritten."""
    key = OKPKey.generate_key("Ed25519", private=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(key.as_dict(private=True), file)
        file.flush()
        os.fsync(file.fileno())


def load_tokens(path: Path, node: str) -> Tokens:
    """Read the key file, refusing one that others can read."""
    refuse_open_to_others(path)
    return Tokens(OKPKey.import_key(json.loads(path.read_text())), node)


def _invalid(why: str) -> Refused:
    return Refused("token_invalid", Stage.DOOR, why=why)
