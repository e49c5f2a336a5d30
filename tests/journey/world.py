"""A whole domain of 2,000 people who do not exist: a real node, its real confined worker, real HTTP."""

import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from audit.fold import fold
from audit.log import events
from audit.verify import Held, verify_log
from gateway.background import served
from gateway.bring_in import bring_in
from gateway.home import Home
from gateway.identity.clients import Client as Registered
from gateway.identity.clients import Role, new_client, write_clients
from gateway.isolation import choose_isolation
from gateway.new_node import new_node, proposed_settings
from gateway.node import Node, Start, start
from gateway.settings import Settings, write_settings
from keyong import Client
from keyong.commands.audit import unpack
from keyong.demo import domain as demo

PERSONS = 2_000
# The demo's dataset is of class M; here it answers soon.
RELEASE_S = 2.0
SETTLE_S = 0.1
OPERATOR, RIVAL, AUTHOR, APPROVER, FINANCE, AUDITOR = "xinyi", "kejia", "li", "wang", "cai", "shen"
FREE, PAID = "public_health", "insurance_pricing"
DATASET = demo.DATASET
HOLDER = "hn-health-commission"
CREDIT_UY = 10**12
COUNT = "SELECT region, count(*) AS n FROM persons GROUP BY region"

_PEOPLE = (
    (OPERATOR, "op-xinyi", Role.OPERATOR, CREDIT_UY),
    (RIVAL, "op-kejia", Role.OPERATOR, CREDIT_UY),
    (AUTHOR, HOLDER, Role.HOLDER, 0),
    (APPROVER, HOLDER, Role.HOLDER, 0),
    (FINANCE, "hn-finance", Role.FINANCE, 0),
    (AUDITOR, "hn-audit", Role.AUDITOR, 0),
)


@dataclass(frozen=True, slots=True)
class World:
    """A domain before it is served."""

    folder: Path
    secrets: Mapping[str, str]
    start: Start

    @contextmanager
    def guests(self, url: str) -> Iterator["Guests"]:
        """Give everybody's client, and close them afterwards."""
        with ExitStack() as stack:
            yield Guests(self, url, stack)


class Guests:
    """The SDK's clients of one domain, by name; made when first asked for."""

    def __init__(self, world: World, url: str, stack: ExitStack) -> None:
        self._world, self.url, self._stack = world, url, stack
        self._clients: dict[str, Client] = {}

    def __getitem__(self, name: str) -> Client:
        if name not in self._clients:
            made = Client(self.url, name, self._world.secrets[name])
            self._clients[name] = self._stack.enter_context(made)
        return self._clients[name]


def build(folder: Path, dataset: str, policies: tuple[str, ...]) -> World:
    """Make the domain: node, people, raw data, snapshot under this declaration, documents in force."""
    home = new_node(folder / "node", _settings(Pace(RELEASE_S, SETTLE_S, 4, 8)))
    made: list[tuple[Registered, str]] = [
        new_client(name, party, (role,), credit) for name, party, role, credit in _PEOPLE
    ]
    write_clients(home.clients, [client for client, _ in made])
    chosen = start(choose_isolation("namespace", insecure=False, synthetic_only=False))
    world = World(folder / "node", {client.id: secret for client, secret in made}, chosen)
    raw = folder / "raw"
    demo.generate(raw, PERSONS)
    declaration = folder / "dataset.yaml"
    declaration.write_text(dataset, encoding="utf-8")
    bring_in(world.folder, chosen, declaration, raw)
    with served(world.folder, chosen) as url, world.guests(url) as guests:
        author, approver = guests[AUTHOR], guests[APPROVER]
        for text in (
            demo.document("price-plan.yaml"),
            demo.document("split-agreement.yaml"),
            *policies,
        ):
            publish(author, approver, text)
    return world


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a domain answers, and how many questions it takes."""

    release_s: float
    settle_s: float
    workers_max: int
    waiting_max: int


def copied(template: World, folder: Path, pace: Pace) -> World:
    """Return a domain of its own: the same people and data, a log that goes on from here."""
    home = Home(Path(shutil.copytree(template.folder, folder / "node")))
    write_settings(home.settings, _settings(pace))
    return replace(template, folder=home.folder)


def restored(world: World, folder: Path) -> World:
    """Return what a restore from a backup gives: every file of the node but what runs."""
    with closing(sqlite3.connect(Home(world.folder).ledger)) as live:
        shutil.copytree(world.folder, folder / "node")
        (folder / "node" / Home(world.folder).ledger.name).unlink()
        with closing(sqlite3.connect(folder / "node" / Home(world.folder).ledger.name)) as copy:
            live.backup(copy)
    return replace(world, folder=folder / "node")


def _settings(pace: Pace) -> Settings:
    proposed = proposed_settings("test.keyong", "namespace")
    return replace(
        proposed,
        size_classes={
            name: replace(size, release_s=pace.release_s)
            for name, size in proposed.size_classes.items()
        },
        settle_s=pace.settle_s,
        workers_max=pace.workers_max,
        waiting_max=pace.waiting_max,
    )


def policy_text(*, rival: bool = False) -> str:
    """Return the demo's policy with room for many questions, for the one operator or the other."""
    text = demo.document("policy.yaml")
    text = text.replace("lifetime_per_epoch: 20", "lifetime_per_epoch: 40")
    text = re.sub(r"(window: \w+, epsilon): \d+", r"\1: 40", text)
    text = re.sub(r"(max_groups|max_rows): 2000", r"\1: 6000", text)
    if rival:
        text = text.replace("hn-health-op-xinyi", "hn-health-op-kejia").replace(
            "op-xinyi", "op-kejia"
        )
        text = text.replace("LIC-2026-031", "LIC-2026-032")
    return text


def publish(author: Client, approver: Client, text: str) -> str:
    """Bring a document into force and return its digest."""
    made = author.send("POST", "/v1/policies", {"text": text})
    approver.send("POST", f"/v1/policies/{made['id']}:approve", {"digest": made["digest"]})
    return str(made["digest"])


def balances(node: Node) -> dict[str, tuple[int, int]]:
    """Return (posted, held) of every account."""
    return {b.account_id: (b.posted, b.held) for b in node.ledger.balances()}


def spent(client: Client) -> dict[str, str]:
    """Return what each account has spent, as the door shows it."""
    return {a["account"]: a["spent"] + a["held"] for a in client.budgets()}


def check_books(node: Node) -> None:
    """Hold the ledger to its log: replayed, the log gives the balances, and no step is wrong."""
    leaves = node.journal.entries(0, node.journal.size())
    folded = fold((index, events.decode(leaf)) for index, leaf in enumerate(leaves))
    assert [f for f in folded.findings if f.severity == "error"] == []
    assert folded.balances == node.ledger.balances()


def check_export(auditor: Client, folder: Path) -> None:
    """Verify the whole log as an outsider does."""
    unpack(auditor.fetch("/v1/audit/log/export"), folder)
    vkey = (folder / "log" / "log.vkey").read_text(encoding="utf-8")
    report = verify_log(folder / "log", vkey, Held((), ()))
    assert report.ok, report.findings
