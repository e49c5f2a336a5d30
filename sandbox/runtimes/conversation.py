"""Speak with one worker process: orders, READY, request, answer, end; bounded in time and in bytes at every step.

The worker is taken to be hostile from READY on. It is read as bytes with a cap, waited for with a deadline, ended by
signal, and reaped before the outcome is told, so that "it is over" is true.
"""

import os
import select
import subprocess
from collections.abc import Sequence
from time import monotonic
from typing import IO

from sandbox.channel import (
    HEADER_BYTES,
    READY,
    REQUEST_BYTES_MAX,
    Exit,
    Isolation,
    Orders,
    Role,
    Step,
    encode_orders,
    frame,
    frame_length,
)
from sandbox.runtimes.base import Completed, Died, Outcome, Reason

# An ingest worker's answer is one word for the gateway; what it has to tell goes into the holder's folder.
INGEST_ANSWER_BYTES_MAX = 1024 * 1024
_DETAIL_BYTES_MAX = 2000
_CHUNK = 1 << 16
# How long a first process may take to reap the worker it just killed, before it is killed itself.
_REAP_S = 2.0
# The only variables a worker starts with: nothing of the gateway's own environment goes beside the data.
_ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC"}


class _Ended(Exception):
    """The conversation is over for a reason that the process's exit status may still refine."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def converse(command: Sequence[str], orders: Orders, request: bytes) -> Outcome:
    """Run one worker to its end. Never raises for what it does, never returns later than the deadline and reaping."""
    if len(request) > REQUEST_BYTES_MAX:
        raise ValueError(f"a request holds at most {REQUEST_BYTES_MAX} bytes")
    deadline = monotonic() + orders.limits.deadline_s
    try:
        process = _start(command, orders)
    except OSError as refused:  # no such program, no process or memory left
        return Died(Reason.NOT_STARTED, f"start: {refused}")
    talk = _Talk(process, deadline)
    try:
        ready, answer = _exchange(talk, orders, request)
        over = not isinstance(answer, Reason) or answer is Reason.NO_ANSWER
        status = talk.end_alone() if over else talk.end_now()
        return _outcome(answer, ready, status, "" if ready else talk.complaint())
    finally:
        talk.close()


def _start(command: Sequence[str], orders: Orders) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # a fixed command of our own, no shell
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Shut before READY in confinement, so what it holds is about the machine. A developer sees it as it comes.
        stderr=None if orders.isolation is Isolation.NONE else subprocess.PIPE,
        bufsize=0,
        env=_ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )


def _exchange(talk: "_Talk", orders: Orders, request: bytes) -> tuple[bool, bytes | Reason]:
    """Return whether the worker stood confined, and its answer or the reason why there is none."""
    ready = False
    try:
        talk.send(frame(encode_orders(orders)))
        ready = talk.receive(len(READY)) == READY
        if not ready:
            return False, Reason.NO_ANSWER
        talk.send(frame(request))
        answer = talk.receive(_answer_bytes_max(orders))
        talk.expect_end()
    except _Ended as ended:
        return ready, ended.reason
    return ready, answer


def _answer_bytes_max(orders: Orders) -> int:
    if orders.role is Role.INGEST:
        return min(orders.limits.output_bytes_max, INGEST_ANSWER_BYTES_MAX)
    return orders.limits.output_bytes_max


class _Talk:
    """One process and its three pipes."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a worker is started with both its pipes")
        self._process = process
        self._deadline = deadline
        self._to_worker = process.stdin
        self._from_worker = process.stdout
        self._complaints = process.stderr
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    def _pipes(self) -> tuple[IO[bytes], ...]:
        pipes = (self._to_worker, self._from_worker)
        return pipes if self._complaints is None else (*pipes, self._complaints)

    def _wait(self, descriptor: int, event: int) -> None:
        left = self._deadline - monotonic()
        ready = select.poll()
        ready.register(descriptor, event)
        if left <= 0 or not ready.poll(left * 1000):
            raise _Ended(Reason.DEADLINE)

    def send(self, payload: bytes) -> None:
        """Write everything. The worker reads to the end before it writes, so the two cannot wait for each other."""
        rest = memoryview(payload)
        while rest:
            self._wait(self._to_worker.fileno(), select.POLLOUT)
            try:
                rest = rest[os.write(self._to_worker.fileno(), rest[:_CHUNK]) :]
            except BrokenPipeError:
                raise _Ended(Reason.NO_ANSWER) from None
            except BlockingIOError:
                continue

    def receive(self, bytes_max: int) -> bytes:
        """Read one frame of at most `bytes_max`; a longer one is not read at all."""
        length = frame_length(self._exactly(HEADER_BYTES))
        if length > bytes_max:
            raise _Ended(Reason.TOO_LARGE)
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        gathered = bytearray()
        while len(gathered) < count:
            chunk = self._read(count - len(gathered))
            if not chunk:
                raise _Ended(Reason.NO_ANSWER)
            gathered += chunk
        return bytes(gathered)

    def _read(self, count: int) -> bytes:
        self._wait(self._from_worker.fileno(), select.POLLIN)
        return os.read(self._from_worker.fileno(), min(count, _CHUNK))

    def expect_end(self) -> None:
        """Wait until nobody holds the worker's end of the pipe. A second answer is no answer."""
        if self._read(1):
            raise _Ended(Reason.TOO_LARGE)

    def end_alone(self) -> int:
        """Wait until the deadline for a worker that has said what it had to say; then end it. Return the exit status."""
        try:
            return _status(self._process.wait(max(0.0, self._deadline - monotonic()) + 0.1))
        except subprocess.TimeoutExpired:
            return self.end_now()

    def end_now(self) -> int:
        """Hang up: the first process kills the worker, reaps it and ends. Return the exit status."""
        self._to_worker.close()
        try:
            return _status(self._process.wait(_REAP_S))
        except subprocess.TimeoutExpired:
            self._process.kill()  # a confined worker dies with its first process
            return _status(self._process.wait())

    def complaint(self) -> str:
        """Read what was said on the standard error stream, which is shut before READY."""
        if self._complaints is None:
            return ""
        try:
            said = os.read(self._complaints.fileno(), _CHUNK)
        except BlockingIOError:
            return ""
        return said[-_DETAIL_BYTES_MAX:].decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Let go of everything, whatever happened before."""
        for pipe in self._pipes():
            pipe.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


def _outcome(answer: bytes | Reason, ready: bool, status: int, complaint: str) -> Outcome:
    if not ready:
        step = Step(status).name.lower() if status in set(Step) else f"exit status {status}"
        late = answer is Reason.DEADLINE
        return Died(Reason.NOT_STARTED, complaint or ("deadline passed" if late else step))
    if isinstance(answer, bytes):
        # A whole answer and then a crash is not an answer: what crashed may have been wrong before it spoke.
        return Completed(answer) if status == 0 else Died(Reason.CRASHED, "")
    if answer is not Reason.NO_ANSWER:
        return Died(answer, "")
    reasons = {
        0: Reason.NO_ANSWER,
        Exit.OUT_OF_MEMORY: Reason.MEMORY,
        Exit.OUT_OF_CPU: Reason.DEADLINE,
    }
    return Died(reasons.get(status, Reason.CRASHED), "")
