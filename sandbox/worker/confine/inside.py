"""What a confined worker has: the names of its mounts, its limits, one request to read and one answer to give."""

import os
from dataclasses import dataclass
from typing import NoReturn

from sandbox.channel import HEADER_BYTES, REQUEST_BYTES_MAX, Exit, Limits, frame, frame_length


class PipeEnded(Exception):
    """The other side closed the pipe before a whole frame had come."""


def read_frame(descriptor: int, bytes_max: int) -> bytes:
    """Read one frame. Refuses: a pipe that ends early, a frame above `bytes_max`."""
    length = frame_length(_read_exactly(descriptor, HEADER_BYTES))
    if length > bytes_max:
        raise ValueError(f"a frame of {length} bytes is above the limit of {bytes_max}")
    return _read_exactly(descriptor, length)


def _read_exactly(descriptor: int, count: int) -> bytes:
    gathered = bytearray()
    while len(gathered) < count:
        chunk = os.read(descriptor, min(count - len(gathered), 1 << 20))
        if not chunk:
            raise PipeEnded
        gathered += chunk
    return bytes(gathered)


def write_frame(descriptor: int, payload: bytes) -> None:
    """Write one frame, however often the pipe has to be filled."""
    rest = memoryview(frame(payload))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@dataclass(frozen=True, slots=True)
class Inside:
    """The worker's view of the world after `enter`. Paths its role has no use for are empty."""

    snapshot: str
    source: str
    output: str
    limits: Limits
    request_fd: int
    response_fd: int

    def read_request(self) -> bytes:
        """Wait for the one request. Call it once; it ends the process if the runtime hangs up instead."""
        try:
            return read_frame(self.request_fd, REQUEST_BYTES_MAX)
        except PipeEnded:
            os._exit(Exit.NO_REQUEST)

    def answer(self, payload: bytes) -> NoReturn:
        """Give the one answer and end, without the interpreter's farewell: it would write to streams that are shut."""
        write_frame(self.response_fd, payload)
        os._exit(0)

    def out_of_memory(self) -> NoReturn:
        """End with the one reason that is worth telling apart in the domain's own log."""
        os._exit(Exit.OUT_OF_MEMORY)
