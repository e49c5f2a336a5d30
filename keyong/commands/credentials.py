"""Where a client's address and secret come from: flags, then the environment, then one file of the user's."""

import argparse
import json
import os
from pathlib import Path

from keyong.client import Client
from keyong.commands.exits import Exit, Stop

URL, CLIENT_ID, CLIENT_SECRET = "KEYONG_URL", "KEYONG_CLIENT_ID", "KEYONG_CLIENT_SECRET"
_FIELDS = {"url": URL, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every command that speaks to a node."""
    group = parser.add_argument_group("node and credentials (or environment, or credentials file)")
    group.add_argument("--url", metavar="URL", help=f"address of the node [{URL}]")
    group.add_argument("--client-id", metavar="ID", help=f"who asks [{CLIENT_ID}]")
    group.add_argument(
        "--client-secret",
        metavar="SECRET",
        help=f"its secret; other users of this machine see flags, so prefer [{CLIENT_SECRET}]",
    )
    group.add_argument(
        "--credentials", type=Path, metavar="FILE", help=f"JSON file; default {default_file()}"
    )


def default_file() -> Path:
    """Return the user's own file of credentials."""
    root = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(root) / "keyong" / "credentials.json"


def client_from(arguments: argparse.Namespace) -> Client:
    """Return a client, or say what is missing."""
    stored = _stored(arguments.credentials)
    found = {
        name: getattr(arguments, name) or os.environ.get(variable) or stored.get(name)
        for name, variable in _FIELDS.items()
    }
    missing = [_FIELDS[name] for name, value in found.items() if not value]
    if missing:
        raise Stop(
            Exit.USAGE, f"no {', '.join(missing)}; set it, give the flag, or write {default_file()}"
        )
    url = str(found["url"])
    if not url.startswith(("http://", "https://")):
        raise Stop(
            Exit.USAGE, f"`{url}` is no address of a node; it begins with http:// or https://"
        )
    return Client(
        url, str(found["client_id"]), str(found["client_secret"]), language=arguments.lang
    )


def _stored(named: Path | None) -> dict[str, str]:
    path = named or default_file()
    if named is None and not path.exists():
        return {}
    try:
        if path.stat().st_mode & 0o077:
            raise Stop(Exit.USAGE, f"`{path}` can be read by others; set its mode to 0600")
        plain = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be read: {error.strerror}") from None
    except ValueError:
        raise Stop(Exit.USAGE, f"`{path}` is not JSON") from None
    if not isinstance(plain, dict) or not all(isinstance(v, str) for v in plain.values()):
        raise Stop(Exit.USAGE, f"`{path}` holds other things than url, client_id and client_secret")
    return plain
