"""Speak with one worker process: orders, READY, request, answer, end; bounded in time and in bytes at every step.

The worker is taken to be hostile from READY on. It is read as bytes with a cap, waited for with a deadline, ended by
signal, and reaped before the outcome is told, so that "it is over" is true.
"""

import subprocess
from collections.abc import Sequence

from sandbox.channel import (
    READY,
    REQUEST_BYTES_MAX,
    Exit,
    Isolation,
    Orders,
    Role,
    Step,
    encode_orders,
    frame,
)
from sandbox.runtimes.base import Completed, Died, Outcome, Reason
from sandbox.runtimes.pipes import Ended, Talk

# An ingest worker's answer is one word for the gateway; what it has to tell goes into the holder's folder.
INGEST_ANSWER_BYTES_MAX = 1024 * 1024
# The only variables a worker starts with: nothing of the gateway's own environment goes beside the data.
_ENVIRONMENT = {"LANG": "C.UTF-8", "TZ": "UTC"}


class Begun:
    """A worker on its way into confinement, with no request yet. Finish it or abandon it, once."""

    def __init__(self, talk: Talk, orders: Orders) -> None:
        self._talk = talk
        self._orders = orders

    def finish(self, request: bytes) -> Outcome:
        """Hand over the one request and see the worker to its end. Never raises for what a worker does."""
        talk = self._talk
        talk.finish_within(self._orders.limits.deadline_s)
        try:
            ready, answer = _exchange(talk, self._orders, request)
            over = not isinstance(answer, Reason) or answer is Reason.NO_ANSWER
            status = talk.end_alone() if over else talk.end_now()
            return _outcome(answer, ready, status, "" if ready else talk.complaint())
        finally:
            talk.close()

    def abandon(self) -> None:
        """End the worker without a request."""
        try:
            self._talk.end_now()
        finally:
            self._talk.close()


def begin(command: Sequence[str], orders: Orders) -> Begun | Died:
    """Start a worker and send it its orders; do not wait for it."""
    try:
        process = subprocess.Popen(  # noqa: S603  # a fixed command of our own, no shell
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Shut before READY in confinement: what it holds is about the machine. A developer sees it as it comes.
            stderr=None if orders.isolation is Isolation.NONE else subprocess.PIPE,
            bufsize=0,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as refused:  # no such program, no process or memory left
        return Died(Reason.NOT_STARTED, f"start: {refused}")
    talk = Talk(process)
    talk.put(frame(encode_orders(orders)))
    return Begun(talk, orders)


def converse(command: Sequence[str], orders: Orders, request: bytes) -> Outcome:
    """Run one worker from its start to its end."""
    check_request(request)
    begun = begin(command, orders)
    return begun if isinstance(begun, Died) else begun.finish(request)


def check_request(request: bytes) -> None:
    """Refuse a request that no worker would read."""
    if len(request) > REQUEST_BYTES_MAX:
        raise ValueError(f"a request holds at most {REQUEST_BYTES_MAX} bytes")


def _exchange(talk: Talk, orders: Orders, request: bytes) -> tuple[bool, bytes | Reason]:
    """Return whether the worker stood confined and got its request, and its answer or the reason why there is none."""
    ready = False
    try:
        ready = talk.receive(len(READY)) == READY
        if not ready:
            return False, Reason.NO_ANSWER
        talk.send(frame(request))
        answer = talk.receive(_answer_bytes_max(orders))
        talk.expect_end()
    except Ended as ended:
        return ready and ended.reason is not Reason.NOT_STARTED, ended.reason
    return True, answer


def _answer_bytes_max(orders: Orders) -> int:
    if orders.role is Role.INGEST:
        return min(orders.limits.output_bytes_max, INGEST_ANSWER_BYTES_MAX)
    return orders.limits.output_bytes_max


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
