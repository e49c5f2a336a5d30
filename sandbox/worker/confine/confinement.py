"""Take the steps into confinement, in an order in which no step undoes an earlier one.

    first process   orders → one thread → namespaces → fork, then waits beside the door with no right but to kill
    worker          own root → limits → user and capabilities → descriptors → system calls → READY

The worker is process 1 of its own process namespace: when it goes, everything it could have started goes. The first
process is never process 1: OpenDP's generator takes "same process id" for "same process", and a process 1 whose child
is again a process 1 would hand it the same noise. Each worker is a fresh program, so no generator state is shared in
the first place.
"""

import os
import resource
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.channel import (
    ORDERS_BYTES_MAX,
    OUTPUT_INSIDE,
    READY,
    SNAPSHOT_INSIDE,
    SOURCE_INSIDE,
    Exit,
    Isolation,
    Orders,
    Role,
    Step,
    decode_orders,
)
from sandbox.worker.confine import kernel
from sandbox.worker.confine.bpf import assemble, machine_named
from sandbox.worker.confine.inside import Inside, read_frame, write_frame
from sandbox.worker.confine.root import enter_new_root
from sandbox.worker.confine.supervise import supervise
from sandbox.worker.confine.threads import threads_running

REQUEST_FD, RESPONSE_FD = 3, 4
_STDIN, _STDOUT, _STDERR = 0, 1, 2

# One user id for each worker, from a range no system hands out (systemd's "UIDs and GIDs" lists it as unused): two
# workers then share no count of threads and no right to signal. A process id is below 2**22.
_UID_BASE = 0x70000000
_UID_END = _UID_BASE + (1 << 22)
_OPEN_FILES_MAX = 64
_THREADS_MAX = 64


@dataclass(frozen=True, slots=True)
class _Worker:
    """What the forked worker knows about itself before it is shut in."""

    uid: int  # -1: stay who you are, in a user namespace of your own
    gid: int
    address_space_bytes: int  # what the imported program occupies already
    parent_alive_fd: int  # hangs up when the first process is gone


def enter(role: Role) -> Inside:
    """Shut this process in, or end it. Returns in the worker only, after READY.

    Reads the orders from the request pipe (descriptor 0). Refuses: orders for another role, more than one thread, a
    machine that cannot give a namespace or a filter; never does less than it was ordered to.
    """
    with _taking(Step.ORDERS):
        orders = decode_orders(read_frame(_STDIN, ORDERS_BYTES_MAX))
        if orders.role is not role:
            raise ValueError("the orders are for another role")
    if orders.isolation is Isolation.NONE:
        return _stay_outside(orders)
    worker = _fork_into_namespaces(orders)
    _shut_in(orders, worker)
    write_frame(RESPONSE_FD, READY)
    return Inside(
        snapshot=SNAPSHOT_INSIDE if orders.snapshot else "",
        source=SOURCE_INSIDE if orders.source else "",
        output=OUTPUT_INSIDE if orders.output else "",
        limits=orders.limits,
        request_fd=REQUEST_FD,
        response_fd=RESPONSE_FD,
    )


@contextmanager
def _taking(step: Step) -> Iterator[None]:
    """End the process if a step fails. No request was read and no file opened: the reason may be told to the domain."""
    try:
        yield
    except BaseException as reason:
        try:
            os.write(_STDERR, f"{step.name.lower()}: {reason}\n".encode())
        finally:
            os._exit(step)


def _stay_outside(orders: Orders) -> Inside:
    """Obey a runtime that ordered no isolation at all; only `insecure_dev` does, and its name says so everywhere."""
    _move_pipes()
    os.dup2(_STDERR, _STDOUT)  # what a developer prints is no part of the answer
    write_frame(RESPONSE_FD, READY)
    return Inside(
        snapshot=orders.snapshot,
        source=orders.source,
        output=orders.output,
        limits=orders.limits,
        request_fd=REQUEST_FD,
        response_fd=RESPONSE_FD,
    )


def _fork_into_namespaces(orders: Orders) -> _Worker:
    """Return in the child, apart from network, processes and message queues. The parent becomes its supervisor."""
    with _taking(Step.ONE_THREAD):
        # INVARIANT: one thread at the fork; a lock held by another thread would stay locked in the child for ever.
        if threads_running() != 1:
            raise RuntimeError(f"{threads_running()} threads run; a library started them at import")
        if os.getpid() == 1:
            raise RuntimeError("the first process is process 1 and would share its noise")
    with _taking(Step.NAMESPACES):
        powers = _rules_the_machine()
        uid, gid = _become(orders) if powers else (-1, -1)
        _leave_namespaces(powers)
        kernel.sethostname(b"worker")
    with _taking(Step.FORK):
        parent_alive_fd, parent_end = os.pipe()
        address_space_bytes = _address_space_bytes()
        child = os.fork()
    if child != 0:
        try:
            supervise(child, orders.limits.cpu_s)
        finally:  # whatever happens, this process never goes on as if it were the worker
            os._exit(Step.FORK)
    os.close(parent_end)
    return _Worker(uid, gid, address_space_bytes, parent_alive_fd)


def _rules_the_machine() -> bool:
    """Say whether this process is root with the rights to make namespaces and to become any user.

    Root inside a container often is not; it then takes the way through a user namespace, like everybody else.
    """
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    held = int(effective.split()[1], 16)
    needed = (
        kernel.CAP_SYS_ADMIN,
        kernel.CAP_SETUID,
        kernel.CAP_SETGID,
        kernel.CAP_SETPCAP,
        kernel.CAP_KILL,
    )
    return all(held >> capability & 1 for capability in needed) and _maps_worker_uids()


def _maps_worker_uids() -> bool:
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = (int(word) for word in line.split())
        if first <= _UID_BASE and _UID_END <= first + count:
            return True
    return False


def _become(orders: Orders) -> tuple[int, int]:
    """Choose the worker's user: nobody at all, but for ingest, which must own what it writes."""
    if orders.role is not Role.INGEST:
        own = _UID_BASE + os.getpid()
        return own, own
    folder = Path(orders.output).stat()
    return folder.st_uid, folder.st_gid


def _leave_namespaces(powers: bool) -> None:
    apart = (
        kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | kernel.CLONE_NEWCGROUP
    )
    if powers:
        kernel.unshare(apart)
        return
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | apart)
    # Without this the kernel refuses the group map: leaving a group could open what the group was shut out of.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _shut_in(orders: Orders, worker: _Worker) -> None:
    with _taking(Step.ROOT):
        enter_new_root(orders)
    with _taking(Step.LIMITS):
        kernel.bound_malloc_arenas()
        _set_limits(orders, worker)
    with _taking(Step.PRIVILEGES):
        _drop_privileges(worker)
    with _taking(Step.DESCRIPTORS):
        _keep_two_descriptors()
    with _taking(Step.SYSTEM_CALLS):
        kernel.install_filter(assemble(orders.role, machine_named(os.uname().machine)))


def _set_limits(orders: Orders, worker: _Worker) -> None:
    limits = orders.limits
    written = limits.output_bytes_max if orders.role is Role.INGEST else 0
    address_space = worker.address_space_bytes + limits.memory_bytes
    for kind, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_NOFILE, _OPEN_FILES_MAX),
        (resource.RLIMIT_NPROC, _THREADS_MAX),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _drop_privileges(worker: _Worker) -> None:
    kernel.drop_bounding_set()
    if worker.uid >= 0:
        os.setgroups([])
        os.setresgid(worker.gid, worker.gid, worker.gid)
        os.setresuid(worker.uid, worker.uid, worker.uid)
    kernel.keep_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    # After the change of user: that change takes a death signal asked for earlier away.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    alive = select.poll()
    alive.register(worker.parent_alive_fd, 0)
    if alive.poll(0):  # the parent was gone before we asked to go with it
        os._exit(Exit.LIFELINE_LOST)


def _move_pipes() -> None:
    os.dup2(_STDIN, REQUEST_FD, inheritable=False)
    os.dup2(_STDOUT, RESPONSE_FD, inheritable=False)


def _keep_two_descriptors() -> None:
    """Keep one pipe to read and one to write; the standard streams read nothing and take nothing.

    DuckDB draws a progress bar, allocators print complaints: what is written to a standard stream here may hold data.
    """
    _move_pipes()
    os.closerange(RESPONSE_FD + 1, 1 << 20)
    dead_end, other_end = os.pipe()
    os.close(other_end)
    for stream in (_STDIN, _STDOUT, _STDERR):
        os.dup2(dead_end, stream)
    os.close(dead_end)
