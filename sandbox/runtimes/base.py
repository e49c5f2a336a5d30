"""What every way of starting a worker offers: what it claims, whether it can work here, and one run.

A run is one fresh process, one request, one answer. What comes back is bytes or the way it ended, never a text that a
worker wrote after it could have seen a row.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Protocol

from sandbox.channel import Limits, Role

__all__ = [
    "Claims",
    "Completed",
    "Died",
    "Folders",
    "Limits",
    "Mounts",
    "NoMounts",
    "Outcome",
    "Reason",
    "Role",
    "Runtime",
    "Snapshot",
    "Standing",
    "Unavailable",
]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The mounts of a query worker: one file, read-only. It must be readable by every user (mode 0444)."""

    file: Path


@dataclass(frozen=True, slots=True)
class NoMounts:
    """The mounts of a twin worker: none."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The mounts of an ingest worker. It runs as the owner of `output` and must be allowed to read `source` as such."""

    source: Path
    output: Path


Mounts = Snapshot | NoMounts | Folders


@dataclass(frozen=True, slots=True)
class Claims:
    """What a worker cannot do, even one that runs an attacker's code. `tests/isolation` attacks each claim."""

    no_network: bool  # no socket of any family
    no_other_file: bool  # only the mounts have names
    read_only: bool  # nothing can be written but an ingest worker's output folder
    no_exec: bool  # no other program, no new code in memory
    no_fork: bool  # threads, but no second process
    own_pid_namespace: bool  # sees and signals no process but itself
    unprivileged: bool  # no capability, no way back to one
    no_hostile_calls: bool  # a system-call filter with an allow-list
    bounded_memory: bool
    bounded_cpu: bool
    silent: bool  # the two pipes are the only descriptors; standard streams take nothing
    dies_with_parent: bool


class Reason(Enum):
    """How a run ended without an answer. For the domain's own log; an operator sees one constant failure."""

    NOT_STARTED = "not_started"  # the worker never stood confined; the request was not handed over, no row was touched
    DEADLINE = "deadline"  # wall time or processor time
    MEMORY = "memory"
    CRASHED = "crashed"
    NO_ANSWER = "no_answer"  # it ended by itself without one whole answer
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Completed:
    """The worker's one answer, whole, and a clean end after it."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Died:
    """No answer. After any reason but `NOT_STARTED` rows may have been touched, and the loss stays spent.

    `detail` is empty but for `NOT_STARTED`: then it names the step that failed, from before a request was sent.
    """

    reason: Reason
    detail: str


Outcome = Completed | Died


class Standing(StrEnum):
    """The way isolation is had here."""

    ROOT = "root"  # namespaces and a user id of its own for each worker
    USER_NAMESPACE = "user_namespace"  # an unprivileged gateway, by the kernel's leave
    NONE = "none"  # `insecure_dev`


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why this machine cannot isolate a worker, and what its administrator can do about it."""

    reason: str
    cure: str


class Runtime(Protocol):
    """One way of starting a worker."""

    @property
    def name(self) -> str:
        """The name in `RUNTIMES` and in the domain's settings."""
        ...

    @property
    def claims(self) -> Claims:
        """What a worker cannot do here."""
        ...

    def probe(self) -> Standing | Unavailable:
        """Try the isolation with a harmless worker. Call it at start-up; refuse to start on `Unavailable`."""
        ...

    def run(self, role: Role, request: bytes, mounts: Mounts, limits: Limits) -> Outcome:
        """Start one worker, hand over one request, return its answer or how it ended, at the latest at the deadline."""
        ...
