"""One worker process and its pipes, read and written against a deadline and never beyond a cap."""

import os
import select
import subprocess
from time import monotonic
from typing import IO

from sandbox.channel import HEADER_BYTES, frame_length
from sandbox.runtimes.base import Reason

_DETAIL_BYTES_MAX = 2000
_CHUNK = 1 << 16
# How long a first process may take to reap the worker it just killed, before it is killed itself.
_REAP_S = 2.0


class Ended(Exception):
    """The conversation is over for a reason that the process's exit status may still refine."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Talk:
    """One process and its three pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a worker is started with both its pipes")
        self._process = process
        self._deadline = 0.0
        self._to_worker = process.stdin
        self._from_worker = process.stdout
        self._complaints = process.stderr
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    def finish_within(self, seconds: float) -> None:
        """Start the clock. Until then every wait is over at once."""
        self._deadline = monotonic() + seconds

    def _pipes(self) -> tuple[IO[bytes], ...]:
        pipes = (self._to_worker, self._from_worker)
        return pipes if self._complaints is None else (*pipes, self._complaints)

    def _wait(self, descriptor: int, event: int) -> None:
        left = self._deadline - monotonic()
        ready = select.poll()
        ready.register(descriptor, event)
        if left <= 0 or not ready.poll(left * 1000):
            raise Ended(Reason.DEADLINE)

    def put(self, payload: bytes) -> None:
        """Write what an empty pipe is sure to hold. A worker that is gone already is noticed by whoever reads."""
        try:
            os.write(self._to_worker.fileno(), payload)
        except BrokenPipeError:
            pass

    def send(self, payload: bytes) -> None:
        """Write everything. The worker reads to the end before it writes, so the two cannot wait for each other.

        A worker that is gone before the first byte was not started, as far as this payload goes.
        """
        rest = memoryview(payload)
        while rest:
            self._wait(self._to_worker.fileno(), select.POLLOUT)
            try:
                rest = rest[os.write(self._to_worker.fileno(), rest[:_CHUNK]) :]
            except BrokenPipeError:
                untouched = len(rest) == len(payload)
                raise Ended(Reason.NOT_STARTED if untouched else Reason.NO_ANSWER) from None
            except BlockingIOError:
                continue

    def receive(self, bytes_max: int) -> bytes:
        """Read one frame of at most `bytes_max`; a longer one is not read at all."""
        length = frame_length(self._exactly(HEADER_BYTES))
        if length > bytes_max:
            raise Ended(Reason.TOO_LARGE)
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        gathered = bytearray()
        while len(gathered) < count:
            chunk = self._read(count - len(gathered))
            if not chunk:
                raise Ended(Reason.NO_ANSWER)
            gathered += chunk
        return bytes(gathered)

    def _read(self, count: int) -> bytes:
        self._wait(self._from_worker.fileno(), select.POLLIN)
        return os.read(self._from_worker.fileno(), min(count, _CHUNK))

    def expect_end(self) -> None:
        """Wait until nobody holds the worker's end of the pipe. A second answer is no answer."""
        if self._read(1):
            raise Ended(Reason.TOO_LARGE)

    def end_alone(self) -> int:
        """Wait until the deadline for a worker that has said all it had to say, then end it; return its exit status."""
        try:
            return _status(self._process.wait(max(0.0, self._deadline - monotonic()) + 0.1))
        except subprocess.TimeoutExpired:
            return self.end_now()

    def end_now(self) -> int:
        """Hang up: the first process kills the worker, reaps it and ends. Return its exit status."""
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
