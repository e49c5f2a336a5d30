"""What privacy costs in time: each question by plain DuckDB and by the sandbox, in one run, beside each other.

Read the CPU ratios; seconds belong to the machine they were taken on. Not a test: a busy machine is no fault of the code.

    python -m benchmarks.speed [--persons N] [--repeats N] [--folder F]

raw       plain DuckDB on the holder's tables
layout    plain DuckDB on the snapshot's tables, which are sorted by unit: what the physical design alone gives
keyong    `execute` of the compiled plan on the snapshot, in this process
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.domain import QUERIES, Domain, domain
from benchmarks.machine import machine
from keyong.table import grid
from sandbox.boundary import Plan, Release
from sandbox.client import plan as _plan  # noqa: F401  (loaded before anything is timed)
from sandbox.client import run
from sandbox.runtimes.base import Limits, Role, Runtime, Snapshot
from sandbox.runtimes.namespace import namespace
from sandbox.runtimes.warm import WarmRuntime
from sandbox.worker.accept import accept
from sandbox.worker.add_noise import add_noise
from sandbox.worker.engine import EngineLimits, open_empty, open_snapshot
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process
from sandbox.worker.query import read_columns, read_meta

ENGINE = EngineLimits(memory_bytes=640 << 20, threads=2)
WORKER = Limits(memory_bytes=1 << 30, cpu_s=60, deadline_s=60.0, output_bytes_max=16 << 20)


@dataclass(frozen=True, slots=True)
class Taken:
    """How long something took, run by run, in milliseconds."""

    cpu: tuple[float, ...]
    wall: tuple[float, ...]


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    measured = domain(arguments.folder, arguments.persons)
    print(machine(), flush=True)
    for title, table in (
        ("In one process, CPU milliseconds (median) and ratios", in_process),
        ("Stages of one answer in the worker, CPU milliseconds (median)", stages),
        ("Through a confined worker, wall milliseconds (median)", confined),
    ):
        print(f"\n{title}\n{table(measured, arguments.repeats)}", flush=True)
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f}")


def in_process(measured: Domain, repeats: int) -> str:
    """Return the three ways beside each other, interleaved so that a change of the machine's mood hits all alike."""
    rows = []
    raw = duckdb.connect(str(measured.raw), read_only=True)
    raw.execute(f"SET threads = {ENGINE.threads}")
    snapshot = open_snapshot(str(measured.snapshot), ENGINE)
    for name, sql in QUERIES.items():
        measurement = measured.planned(sql).measurement
        ways: tuple[Callable[[], object], ...] = (
            lambda sql=sql: raw.execute(sql).fetchall(),  # type: ignore[misc]
            lambda sql=sql: snapshot.execute(sql).fetchall(),  # type: ignore[misc]
            lambda measurement=measurement: execute(measurement, snapshot),  # type: ignore[misc]
        )
        plain, layout, private = _interleaved(ways, repeats)
        rows.append(
            [
                name,
                *(f"{median(taken.cpu):,.1f}" for taken in (plain, layout, private)),
                f"{median(private.cpu) / median(plain.cpu):.1f}",
                f"{min(private.cpu) / min(plain.cpu):.1f}",
                f"{median(private.cpu) / median(layout.cpu):.1f}",
                f"{median(private.wall) / median(plain.wall):.1f}",
            ]
        )
    head = [
        "question",
        "raw",
        "layout",
        "keyong",
        "keyong/raw",
        "by minimum",
        "keyong/layout",
        "by wall",
    ]
    return grid(head, rows, [False] + [True] * 7)


def stages(measured: Domain, repeats: int) -> str:
    """Return where the time of one answer goes."""
    rows = []
    snapshot = open_snapshot(str(measured.snapshot), ENGINE)
    meta, columns = read_meta(snapshot), read_columns(snapshot)
    for name, sql in QUERIES.items():
        made = measured.planned(sql)
        exact = execute(made.measurement, snapshot)
        noisy = add_noise(made.measurement, exact)
        ways: tuple[Callable[[], object], ...] = (
            lambda sql=sql: measured.planned(sql),  # type: ignore[misc]
            lambda made=made: accept(made, meta, columns),  # type: ignore[misc]
            lambda made=made: execute(made.measurement, snapshot),  # type: ignore[misc]
            lambda made=made, exact=exact: add_noise(made.measurement, exact),  # type: ignore[misc]
            lambda made=made, noisy=noisy: post_process(made, noisy, open_empty(ENGINE)),  # type: ignore[misc]
        )
        rows.append([name, *(f"{median(taken.cpu):,.1f}" for taken in _interleaved(ways, repeats))])
    head = ["question", "compile", "accept", "execute", "noise", "finish"]
    return grid(head, rows, [False] + [True] * 5)


def confined(measured: Domain, repeats: int) -> str:
    """Return the latency of a whole run: a worker started for it, and one that waited for it."""
    cold, warm = namespace(), WarmRuntime(namespace(), spares=1, kinds_max=1)
    rows = []
    try:
        for name, sql in QUERIES.items():
            made = measured.planned(sql)
            started = [_run(made, measured.snapshot, cold) for _ in range(repeats)]
            waited = []
            for _ in range(repeats):
                warm.prepare(Role.QUERY, Snapshot(measured.snapshot), WORKER)
                time.sleep(2.0)  # until the spare stands confined
                waited.append(_run(made, measured.snapshot, warm))
            rows.append(
                [name, f"{median(started):,.0f}", f"{median(waited):,.0f}", f"{min(waited):,.0f}"]
            )
    finally:
        warm.close()
    return grid(["question", "cold", "warm", "warm, minimum"], rows, [False] + [True] * 3)


def _run(made: Plan, snapshot: Path, runtime: Runtime) -> float:
    began = time.perf_counter()
    answer = run(made, snapshot, runtime, WORKER)
    taken = 1000 * (time.perf_counter() - began)
    if not isinstance(answer, Release):
        raise SystemExit(f"the worker gave no release: {answer}")
    return taken


def _interleaved(ways: tuple[Callable[[], object], ...], repeats: int) -> tuple[Taken, ...]:
    cpu: list[list[float]] = [[] for _ in ways]
    wall: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()  # once to fill caches
    for _ in range(repeats):
        for index, way in enumerate(ways):
            began, used = time.perf_counter(), time.process_time()
            way()
            cpu[index].append(1000 * (time.process_time() - used))
            wall[index].append(1000 * (time.perf_counter() - began))
    return tuple(Taken(tuple(c), tuple(w)) for c, w in zip(cpu, wall, strict=True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--persons", type=int, default=200_000, help="with ten claims each")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(".keyong/benchmarks"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
