"""`python -I -m sandbox.worker query|twin|finish|ingest`: shut yourself in, read one frame, answer one frame, end.

Each role imports only what it needs, before it is shut in; afterwards there is no file to import from and nothing but
the mounts of its role. No argument but the role: all else comes through the pipe.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from sandbox.channel import Role
from sandbox.worker.confine import Inside, enter, keep_out_threads

# DuckDB's own share of the worker's memory: the rest is Python, the answer, and what DuckDB does not count.
_ENGINE_MEMORY_PARTS, _ENGINE_MEMORY_OF = 5, 8
_ENGINE_THREADS_MAX = 4


def main() -> NoReturn:
    """Run the one life of a worker."""
    keep_out_threads()
    role = Role(sys.argv[1])
    serve = _PROGRAMS[role]()
    inside = enter(role)
    try:
        answer = serve(inside.read_request(), inside)
    except MemoryError:
        inside.out_of_memory()
    inside.answer(answer)


def _query() -> Callable[[bytes, Inside], bytes]:
    from sandbox.worker.engine import EngineLimits
    from sandbox.worker.query import serve_query

    threads = min(_ENGINE_THREADS_MAX, len(os.sched_getaffinity(0)))
    return lambda request, inside: serve_query(
        request, inside.snapshot, EngineLimits(_engine_memory(inside), threads)
    )


def _twin() -> Callable[[bytes, Inside], bytes]:
    from sandbox.worker.engine import EngineLimits
    from sandbox.worker.twin import serve_twin

    return lambda request, inside: serve_twin(request, EngineLimits(_engine_memory(inside), 1))


def _finish() -> Callable[[bytes, Inside], bytes]:
    from sandbox.worker.engine import EngineLimits
    from sandbox.worker.finish import serve_finish

    return lambda request, inside: serve_finish(request, EngineLimits(_engine_memory(inside), 1))


def _ingest() -> Callable[[bytes, Inside], bytes]:
    from sandbox.worker.ingest.serve import serve_ingest

    return lambda request, inside: serve_ingest(request, Path(inside.source), Path(inside.output))


def _engine_memory(inside: Inside) -> int:
    return inside.limits.memory_bytes * _ENGINE_MEMORY_PARTS // _ENGINE_MEMORY_OF


_PROGRAMS: dict[Role, Callable[[], Callable[[bytes, Inside], bytes]]] = {
    Role.QUERY: _query,
    Role.TWIN: _twin,
    Role.FINISH: _finish,
    Role.INGEST: _ingest,
}

main()
