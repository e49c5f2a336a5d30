"""How far answers lie from the truth at epsilon 1: Keyong, plain Laplace, SmartNoise SQL and OpenDP Polars in one run.

The nine workloads of `benchmarks.workloads` on TPC-H, a customer as the privacy unit. Not a test: an error belongs to the
bounds that were declared, which are printed, too.

    python -m benchmarks.utility [--sf 0.3] [--runs 200] [--seconds 20] [--peers all|none] [--cache F] [--json F]
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.errors import Line, Table
from benchmarks.machine import machine
from benchmarks.ours import keyong, laplace, loss, truths
from benchmarks.peers import PEERS, peer
from benchmarks.tpch import Tpch, tpch
from benchmarks.workloads import WORKLOADS
from keyong.table import grid
from policies.terms import Accountant

_COLUMNS = ["workload", "system", "account", "median %", "p95 %", "bias %", "lost %", "runs"]
_RIGHT = [False, False, False, True, True, True, True, True]


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    data = tpch(arguments.cache, arguments.sf)
    print(machine(), flush=True)
    taken = [f"{one.seconds:.0f} s" for one in data.snapshots.values() if one.seconds is not None]
    made = " and ".join(taken) or "kept from before"
    print(f"TPC-H at scale factor {arguments.sf}; ingest: {made}\n\n{_bounds()}\n", flush=True)
    lines = _measured(data, arguments)
    print(_printed(lines), flush=True)
    if arguments.json:
        written = {"machine": machine(), "sf": arguments.sf, "lines": [asdict(e) for e in lines]}
        arguments.json.write_text(json.dumps(written, ensure_ascii=False, indent=1), "utf-8")


def _measured(data: Tpch, arguments: argparse.Namespace) -> list[Line]:
    truth = truths(data)
    limits = arguments.runs, arguments.seconds
    lines = _own(data, truth, limits)
    for name in PEERS if arguments.peers == "all" else ():
        began = time.perf_counter()
        lines += peer(name, data, truth, arguments.cache, limits)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    order = {workload.name: place for place, workload in enumerate(WORKLOADS)}
    return sorted(lines, key=lambda each: order[each.workload])


def _own(data: Tpch, truth: dict[str, Table], limits: tuple[int, float]) -> list[Line]:
    lines = []
    for workload in WORKLOADS:
        began = time.perf_counter()
        for accountant in Accountant:
            spent = loss(accountant, workload)
            lines.append(keyong(data, workload, spent, truth[workload.name], limits))
        lines.append(laplace(workload, truth[workload.name], limits[0]))
        print(f"{workload.name} {workload.asks}: {time.perf_counter() - began:.0f} s", flush=True)
    return lines


def _printed(lines: list[Line]) -> str:
    rows, notes = [], []
    for each in lines:
        lost = f"{100 * each.lost:.1f}" if each.lost else ""
        errors = [_percent(each.median), _percent(each.p95), _percent(each.bias), lost]
        rows.append([each.workload, each.system, each.account, *errors, str(each.runs or "")])
        if each.note:
            notes.append(f"{each.workload} {each.system}, {each.account}: {each.note}")
    return "\n".join((grid(_COLUMNS, rows, _RIGHT), "", *notes))


def _percent(part: float | None) -> str:
    return "–" if part is None else f"{100 * part:.3g}"


def _bounds() -> str:
    head = ["workload", "asks", "rows per customer", "keyong: per group", "groups"]
    rows = [[w.name, w.asks, str(w.rows), str(w.per_group), str(w.groups)] for w in WORKLOADS]
    return grid(head, rows, [False, False, True, True, True])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sf", default="0.3", help="scale factor of TPC-H")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--peers", choices=("all", "none"), default="all")
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, for each line")
    parser.add_argument("--cache", type=Path, default=Path(".cache/utility"))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
