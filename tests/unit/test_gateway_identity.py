"""Who comes in: secrets are hashed, tokens are short, roles that must not meet do not meet."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from gateway.identity.clients import (
    Client,
    ClientsRefused,
    Role,
    authenticate,
    load_clients,
    new_client,
    write_clients,
)
from gateway.identity.tokens import LIFETIME_S, Tokens, create_token_key, load_tokens
from policies.refusals import Refused

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def registered() -> tuple[Client, str]:
    return new_client("xinyi", "op-xinyi", (Role.OPERATOR,), 0)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    path = tmp_path_factory.mktemp("keys") / "token.jwk"
    create_token_key(path)
    return load_tokens(path, "a.node")


def test_the_secret_is_nowhere_in_the_register(
    registered: tuple[Client, str], tmp_path: Path
) -> None:
    client, secret = registered
    path = tmp_path / "clients.json"
    write_clients(path, (client,))
    assert secret not in path.read_text() and path.stat().st_mode & 0o077 == 0
    assert load_clients(path) == (client,)
    path.chmod(0o640)
    with pytest.raises(ClientsRefused, match="0600"):
        load_clients(path)


def test_only_the_right_secret_of_the_right_client_opens(registered: tuple[Client, str]) -> None:
    client, secret = registered
    assert authenticate((client,), "xinyi", secret) == client
    other, _ = new_client("other", "op-other", (Role.OPERATOR,), 0)
    for name, tried in (
        ("xinyi", secret + "x"),
        ("xinyi", ""),
        ("nobody", secret),
        ("other", secret),
    ):
        with pytest.raises(Refused) as refused:
            authenticate((client, other), name, tried)
        assert refused.value.code == "client_unknown"


@pytest.mark.parametrize(
    ("roles", "credit"),
    [
        ((Role.OPERATOR, Role.HOLDER), 0),
        ((Role.OPERATOR, Role.AUDITOR), 0),
        ((Role.ADMIN, Role.HOLDER), 0),
        ((Role.FINANCE, Role.AUDITOR), 0),
        ((), 0),
        ((Role.AUDITOR,), 1),
    ],
)
def test_duties_stay_apart(roles: tuple[Role, ...], credit: int) -> None:
    with pytest.raises(ClientsRefused):
        new_client("x", "y", roles, credit)


def test_a_token_lives_ten_minutes(registered: tuple[Client, str], tokens: Tokens) -> None:
    token = tokens.issue(registered[0], NOW)
    assert tokens.read(token, NOW + timedelta(seconds=LIFETIME_S - 1)) == "xinyi"
    with pytest.raises(Refused, match="expired"):
        tokens.read(token, NOW + timedelta(seconds=LIFETIME_S))


def test_no_other_token_opens(
    registered: tuple[Client, str], tokens: Tokens, tmp_path: Path
) -> None:
    create_token_key(tmp_path / "other.jwk")
    stranger = load_tokens(tmp_path / "other.jwk", "a.node")
    elsewhere = replace(tokens, node="b.node")
    claims = {"iss": "a.node", "aud": "a.node", "sub": "xinyi", "exp": int(NOW.timestamp()) + 60}
    # The public half of our key as a shared secret: the classic way to sign as somebody else.
    confused = jwt.encode(
        {"alg": "HS256"}, claims, OctKey.import_key(json.dumps(tokens.key.as_dict(private=False)))
    )
    good = tokens.issue(registered[0], NOW)
    head, body, signature = good.split(".")
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for forged in (
        stranger.issue(registered[0], NOW),
        elsewhere.issue(registered[0], NOW),
        confused,
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.",
        "",
        "x" * 5000,
    ):
        with pytest.raises(Refused) as refused:
            tokens.read(forged, NOW)
        assert refused.value.code == "token_invalid"
    assert tokens.read(good, NOW) == "xinyi"
