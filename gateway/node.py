"""A node put together: everything a request may use, made once at start-up.

Refuses to start  without isolation, with the reason and the cure; on an insecure runtime as soon as any policy is
                  classified; with keys that others can read; on a log, a document or a snapshot that is not what it was.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from audit.journal import Journal
from audit.ledger import Ledger, no_fault
from audit.log.commitment import load_shape_key
from audit.log.signer import Signer, load_key
from audit.store.sqlite import Store
from gateway.asked import AskedStore
from gateway.finishes import Finishes
from gateway.home import Home
from gateway.identity.clients import Client, load_clients
from gateway.identity.tokens import Tokens, load_tokens
from gateway.places import Places
from gateway.register import Register
from gateway.rehearsals import Rehearsals
from gateway.settings import Settings, load_settings
from gateway.shelf import Shelf
from policies.access.model import AccessPolicy, Level
from policies.messages import MESSAGES
from policies.refusals import Refused, Stage
from sandbox.runtimes.base import Runtime, Standing, Unavailable

Clock = Callable[[], datetime]
Fault = Callable[[str], None]

INSECURE = "insecure_dev"


@dataclass(frozen=True, slots=True)
class Isolation:
    """How workers are started here. `synthetic_only` says that the node holds invented data and nothing else.

    Only the demonstration makes a node of which that is true; it says so in every answer.
    """

    runtime: Runtime
    synthetic_only: bool

    def lack(self) -> str:
        """Return why workers cannot be isolated here and the cure, or nothing."""
        standing = self.runtime.probe()
        return f"{standing.reason}; {standing.cure}" if isinstance(standing, Unavailable) else ""


@dataclass(frozen=True, slots=True)
class Node:
    """What a request may use. `warnings` go into every answer."""

    home: Home
    settings: Settings
    isolation: Isolation
    store: Store
    ledger: Ledger
    journal: Journal
    register: Register
    shelf: Shelf
    asked: AskedStore
    tokens: Tokens
    places: Places
    rehearsals: Rehearsals
    finishes: Finishes
    shape_key: bytes
    clock: Clock
    fault: Fault
    warnings: tuple[str, ...]
    acting: threading.Lock

    def clients(self) -> tuple[Client, ...]:
        """Return the register of clients as it is now: taking somebody out takes effect at once."""
        return load_clients(self.home.clients)

    def check_runtime(self, policy: AccessPolicy) -> None:
        """Refuse classified data on a node without isolation."""
        refuse_classified(self.isolation, policy)

    def close(self) -> None:
        """Finish what runs, then close."""
        self.places.close()
        self.asked.close()
        self.store.close()


@dataclass(frozen=True, slots=True)
class Start:
    """What is chosen at start-up and not in the settings: the parts that a test replaces."""

    isolation: Isolation
    clock: Clock
    fault: Fault
    ledger_fault: Fault


def real_clock() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


def start(isolation: Isolation) -> Start:
    """Return the start of a node as it is shipped: the machine's clock and no faults."""
    return Start(isolation, real_clock, no_fault, no_fault)


def open_node(folder: Path, chosen: Start) -> Node:
    """Put a node together and settle what its last stop left open, before the first request is taken."""
    home = Home(folder)
    settings = load_settings(home.settings)
    warnings = stand(chosen.isolation)
    with ExitStack() as opened:
        node = _assembled(home, settings, chosen, opened)
        node.clients()
        for policy in node.register.known().policies.values():
            node.check_runtime(policy)
        # A refusal above closes what was opened; from here on `Node.close` does.
        opened.pop_all()
    return replace(node, warnings=warnings)


def _assembled(home: Home, settings: Settings, chosen: Start, opened: ExitStack) -> Node:
    store = Store(home.ledger)
    opened.callback(store.close)
    ledger = Ledger(store, settings.name, chosen.clock, chosen.ledger_fault)
    # Whatever was running when the node stopped is settled as if it had read rows. A crash here is repeated at the next
    # start, on the same rows, to the same end.
    ledger.recover()
    journal = Journal(store, Signer(load_key(home.keys / "log.key"), home.guard))
    shelf = Shelf(home)
    asked = AskedStore(home.asked)
    opened.callback(asked.close)
    places = Places(settings.workers_max, settings.waiting_max)
    opened.callback(places.close)
    twins = Rehearsals(chosen.isolation.runtime, settings.twin_limits(), settings.workers_max)
    return Node(
        home=home,
        settings=settings,
        isolation=chosen.isolation,
        store=store,
        ledger=ledger,
        journal=journal,
        register=Register(home, journal, shelf),
        shelf=shelf,
        asked=asked,
        tokens=load_tokens(home.keys / "token.jwk", settings.name),
        places=places,
        rehearsals=twins,
        finishes=Finishes(chosen.isolation.runtime, settings.workers_max),
        shape_key=load_shape_key(home.keys / "shape.key"),
        clock=chosen.clock,
        fault=chosen.fault,
        warnings=(),
        acting=threading.Lock(),
    )


def stand(isolation: Isolation) -> tuple[str, ...]:
    """Try the isolation and return the warnings that go with it.

    Refuses  to go on without isolation. There is no lesser isolation to fall back to.
    """
    standing = isolation.runtime.probe()
    if isinstance(standing, Unavailable):
        raise Refused(
            "isolation_unavailable", Stage.DOOR, reason=standing.reason, cure=standing.cure
        )
    if standing is not Standing.NONE:
        return ()
    said = MESSAGES["insecure_runtime"]
    return (f"{said.en} / {said.zh}",)


def refuse_classified(isolation: Isolation, policy: AccessPolicy) -> None:
    """Refuse a policy over classified data where workers run without isolation, unless all data is invented."""
    if isolation.runtime.name != INSECURE or isolation.synthetic_only:
        return
    secrecy = policy.classification
    if (
        secrecy.personal_info
        or secrecy.sensitive_personal_info
        or secrecy.level is not Level.GENERAL
    ):
        raise Refused("insecure_runtime_refused", Stage.DOOR, policy=policy.metadata.id)
