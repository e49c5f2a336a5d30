"""What a runtime and the worker it starts say to each other before and around a plan; what a plan says is `wire.py`.

    runtime → worker   orders    on the request pipe, first: whom to become, what to mount, how much of everything
    worker → runtime   READY     on the response pipe: every wall stands, no byte of the request has been seen
    runtime → worker   request   sent only after READY, so a worker that fails earlier has touched nothing for it
    worker → runtime   answer    one frame, then the end of the pipe

A frame is a length of four bytes, big-endian, and the payload. The runtime keeps its end of the request pipe open for
as long as the worker may live: when the runtime dies, that pipe hangs up and the worker is killed.
"""

import json
import struct
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

HEADER_BYTES = 4
ORDERS_BYTES_MAX = 16 * 1024
REQUEST_BYTES_MAX = 16 * 1024 * 1024
READY = b"ready"

# Where a confined worker finds what was mounted for it; its root holds nothing else.
SNAPSHOT_INSIDE = "/data/snapshot.duckdb"
SOURCE_INSIDE = "/source"
OUTPUT_INSIDE = "/output"


class Role(Enum):
    """What a worker is for, and thereby what it may see."""

    QUERY = "query"  # one snapshot, read-only
    TWIN = "twin"  # no file at all
    FINISH = "finish"  # no file either: noisy totals come with the request
    INGEST = "ingest"  # one source folder, read-only, and one output folder


class Isolation(StrEnum):
    """How the worker is to be shut in. `NONE` exists for `insecure_dev` alone, whose claims are all false."""

    NAMESPACE = "namespace"
    NONE = "insecure_dev"


class Exit(IntEnum):
    """How a worker's process ends, besides 0 (answered) and 128 + n (killed by signal n).

    Not promised: honesty. A worker that was taken over chooses its own number; nothing but the words in the domain's
    own log may depend on these.
    """

    OUT_OF_MEMORY = 81
    OUT_OF_CPU = 82
    NO_REQUEST = 83
    LIFELINE_LOST = 84


class Step(IntEnum):
    """The steps into confinement, in their order; the number is the exit status of a worker that could not take it."""

    ORDERS = 100
    ONE_THREAD = 101
    NAMESPACES = 102
    FORK = 103
    ROOT = 104
    LIMITS = 105
    PRIVILEGES = 106
    DESCRIPTORS = 107
    SYSTEM_CALLS = 108


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one worker may take before it is stopped.

    Units: `memory_bytes` of address space beyond what the imported program occupies; `cpu_s` of processor time over all
    threads; `deadline_s` of wall time from the call to the last byte of the answer; `output_bytes_max` of one answer and,
    for an ingest worker, of one written file.
    """

    memory_bytes: int
    cpu_s: int
    deadline_s: float
    output_bytes_max: int

    def __post_init__(self) -> None:
        if min(self.memory_bytes, self.cpu_s, self.deadline_s, self.output_bytes_max) <= 0:
            raise ValueError("every limit of a worker is positive")


@dataclass(frozen=True, slots=True)
class Orders:
    """What the runtime tells the first process. Paths are absolute; those the role has no use for are empty."""

    isolation: Isolation
    role: Role
    snapshot: str
    source: str
    output: str
    limits: Limits

    def __post_init__(self) -> None:
        present = (bool(self.snapshot), bool(self.source), bool(self.output))
        wanted = {
            Role.QUERY: (True, False, False),
            Role.TWIN: (False, False, False),
            Role.FINISH: (False, False, False),
            Role.INGEST: (False, True, True),
        }
        if present != wanted[self.role]:
            raise ValueError(f"these mounts are not those of a {self.role.value} worker")
        if not all(
            path.startswith("/") for path in (self.snapshot, self.source, self.output) if path
        ):
            raise ValueError("a mount is named by its absolute path")


def encode_orders(orders: Orders) -> bytes:
    """Write the orders as JSON."""
    limits = orders.limits
    return json.dumps(
        {
            "isolation": orders.isolation.value,
            "role": orders.role.value,
            "snapshot": orders.snapshot,
            "source": orders.source,
            "output": orders.output,
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "deadline_s": limits.deadline_s,
            "output_bytes_max": limits.output_bytes_max,
        }
    ).encode()


def decode_orders(payload: bytes) -> Orders:
    """Read the orders. Refuses: a missing, an unknown or an ill-typed field, by ValueError, KeyError or TypeError."""
    fields = json.loads(payload)
    orders = Orders(
        isolation=Isolation(fields.pop("isolation")),
        role=Role(fields.pop("role")),
        snapshot=str(fields.pop("snapshot")),
        source=str(fields.pop("source")),
        output=str(fields.pop("output")),
        limits=Limits(
            memory_bytes=int(fields.pop("memory_bytes")),
            cpu_s=int(fields.pop("cpu_s")),
            deadline_s=float(fields.pop("deadline_s")),
            output_bytes_max=int(fields.pop("output_bytes_max")),
        ),
    )
    if fields:
        raise ValueError("the orders hold unknown fields")
    return orders


def frame(payload: bytes) -> bytes:
    """Put the length before the payload."""
    return struct.pack(">I", len(payload)) + payload


def frame_length(header: bytes) -> int:
    """Read how many bytes follow a header."""
    (length,) = struct.unpack(">I", header)
    return int(length)
