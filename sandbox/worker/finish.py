"""Stored noisy totals in, one release or one word out: the life of a worker that never sees a row.

Statement   The release is a function of the request.
Reason      This program has no file. What it reads was released before, so what it makes is post-processing and free
            (Dwork and Roth 2014, Proposition 2.1; docs/proofs/reasking.md).
"""

from sandbox import wire
from sandbox.boundary import Failure, Release, Reuse
from sandbox.privacy.measurements import NotProved
from sandbox.worker.accept import check_claims
from sandbox.worker.add_noise import put_together
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.post_process import post_process


def serve_finish(request: bytes, limits: EngineLimits) -> bytes:
    """Return the answer to an encoded reuse."""
    try:
        reuse = wire.decode_reuse(request)
        check_claims(reuse.plan)
    except (ValueError, NotProved):
        return wire.encode(Failure.PLAN_NOT_ACCEPTED)
    try:
        return wire.encode(finish(reuse, limits))
    except MemoryError:
        raise
    except Exception:
        return wire.encode(Failure.RUN_FAILED)


def finish(reuse: Reuse, limits: EngineLimits) -> Release:
    """Finish a plan from stored totals, exactly as a query worker finishes fresh ones."""
    noisy = put_together(reuse.plan.measurement, reuse.sources, reuse.picks)
    with open_empty(limits) as empty:
        return post_process(reuse.plan, noisy, empty)
