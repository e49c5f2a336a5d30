"""Make the demo domain: a node, its people, generated raw data, and everything brought in and published.

The steps are the ones a holder takes; `keyong serve --demo` takes them at once, the story one by one.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from gateway.background import served
from gateway.bring_in import BroughtIn, bring_in
from gateway.generate import generate_files
from gateway.home import Home
from gateway.identity.clients import Role, new_client, write_clients
from gateway.isolation import choose_isolation
from gateway.new_node import new_node, proposed_settings
from gateway.node import Isolation, Start, start
from keyong.client import Client

NODE = "hn-health.demo"
DATASET = "hn_health"
OPERATOR, AUTHOR, APPROVER, FINANCE, AUDITOR = "xinyi", "li", "wang", "caizheng", "shenji"
PERSONS = 200_000
# The demo's class M answers after 8 seconds: enough for its two million rows on a slow machine, and nobody waits long.
RELEASE_M_S = 8.0
CREDIT_YUAN = 1000
DOCUMENTS = ("price-plan.yaml", "split-agreement.yaml", "policy.yaml")

_HOLDER = "hn-health-commission"
_PEOPLE = (
    (OPERATOR, "op-xinyi", Role.OPERATOR, CREDIT_YUAN * 10**6),
    (AUTHOR, _HOLDER, Role.HOLDER, 0),
    (APPROVER, _HOLDER, Role.HOLDER, 0),
    (FINANCE, "hn-finance", Role.FINANCE, 0),
    (AUDITOR, "hn-audit", Role.AUDITOR, 0),
)


@dataclass(frozen=True, slots=True)
class Domain:
    """A demo node before it serves. `lacking` says why there is no isolation here, or is empty."""

    folder: Path
    start: Start
    secrets: Mapping[str, str]
    lacking: str


def found(folder: Path, *, insecure: bool) -> Domain:
    """Make the node's folder and let its people in."""
    proposed = proposed_settings(NODE, "namespace")
    sizes = dict(proposed.size_classes)
    sizes["M"] = replace(sizes["M"], release_s=RELEASE_M_S)
    home = new_node(folder, replace(proposed, size_classes=sizes))
    made = [new_client(name, party, (role,), credit) for name, party, role, credit in _PEOPLE]
    write_clients(home.clients, [client for client, _ in made])
    isolation, lacking = isolation_for_invented_data(insecure=insecure)
    secrets = {client.id: secret for client, secret in made}
    return Domain(folder, start(isolation), secrets, lacking)


def isolation_for_invented_data(*, insecure: bool) -> tuple[Isolation, str]:
    """Return isolation, or, where the machine has none, its lack with the reason.

    Reason  Nobody in the demo's data exists, so a machine without namespaces may still show how the parts work together.
            No other node ever falls back: see `gateway.node.stand`.
    """
    if insecure:
        return choose_isolation("namespace", insecure=True, synthetic_only=True), "as you asked"
    isolation = choose_isolation("namespace", insecure=False, synthetic_only=True)
    lack = isolation.lack()
    if not lack:
        return isolation, ""
    return choose_isolation("namespace", insecure=True, synthetic_only=True), lack


def generate(target: Path, persons: int) -> None:
    """Write the raw files of so many people who do not exist."""
    with as_file(files("keyong.demo") / "health.sql") as script:
        generate_files(script, target, persons)


def bring_in_health(domain: Domain, raw: Path) -> BroughtIn:
    """Ingest and register the dataset."""
    with as_file(files("keyong.demo") / "dataset.yaml") as declaration:
        return bring_in(domain.folder, domain.start, declaration, raw)


def document(name: str) -> str:
    """Return the text of one of the demo's documents."""
    return (files("keyong.demo") / name).read_text(encoding="utf-8")


def publish(author: Client, approver: Client, name: str) -> Mapping[str, str]:
    """Bring a document into force with two pairs of eyes."""
    made = author.send("POST", "/v1/policies", {"text": document(name)})
    return dict(
        approver.send("POST", f"/v1/policies/{made['id']}:approve", {"digest": made["digest"]})
    )


def make(folder: Path, *, insecure: bool) -> Domain:
    """Make the whole domain at once, in a folder that gets its name only when it is complete."""
    making = folder.with_name(f"{folder.name}.making-{os.getpid()}")
    making.parent.mkdir(parents=True, exist_ok=True)
    try:
        domain = found(making, insecure=insecure)
        raw = making / "raw"
        generate(raw, PERSONS)
        bring_in_health(domain, raw)
        shutil.rmtree(raw)
        with (
            served(making, domain.start) as url,
            Client(url, AUTHOR, domain.secrets[AUTHOR]) as author,
            Client(url, APPROVER, domain.secrets[APPROVER]) as approver,
        ):
            for name in DOCUMENTS:
                publish(author, approver, name)
        _write_secrets(making, domain.secrets)
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return replace(domain, folder=folder)


def reopen(folder: Path, *, insecure: bool) -> Domain:
    """Return a demo domain that was made before."""
    isolation, lacking = isolation_for_invented_data(insecure=insecure)
    secrets = {
        path.stem: str(json.loads(path.read_text(encoding="utf-8"))["client_secret"])
        for path in sorted((folder / "credentials").glob("*.json"))
    }
    return Domain(folder, start(isolation), secrets, lacking)


def is_made(folder: Path) -> bool:
    """Tell whether a complete demo domain lies there."""
    return (folder / "credentials").is_dir() and Home(folder).settings.exists()


def write_credentials(domain: Domain, url: str) -> None:
    """Write each person's credentials with the address, for `keyong --credentials`."""
    _write_secrets(domain.folder, domain.secrets, url)


def _write_secrets(folder: Path, secrets: Mapping[str, str], url: str = "") -> None:
    target = folder / "credentials"
    target.mkdir(mode=0o700, exist_ok=True)
    for name, secret in secrets.items():
        path = target / f"{name}.json"
        path.touch(mode=0o600)
        plain = {"url": url, "client_id": name, "client_secret": secret}
        path.write_text(json.dumps(plain) + "\n", encoding="utf-8")
