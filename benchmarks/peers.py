"""Other systems on the same workloads, each in a virtual environment of its own, one process for each.

Fairness   The same files, the same bound on rows of a customer (`rows`), the same bounds on values, the same keys where keys are
           public, epsilon 1 for the question as a whole. What a system cannot be asked is a line with its own words.
"""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

from benchmarks.errors import Line, Table, line, table_of, unanswered
from benchmarks.tpch import Tpch, environment
from benchmarks.workloads import DAYS, PRIORITIES, STATUSES, WORKLOADS

PEERS = {
    "SmartNoise SQL": ("peer_smartnoise.py", ("smartnoise-sql==1.0.10", "duckdb==2.0.0"), "ε = 1"),
    "OpenDP Polars": ("peer_opendp.py", ("opendp[polars]==0.16.0",), "ε = 1, δ = 1e-9"),
}
_SECONDS_ALL = 1200


def peer(
    name: str, data: Tpch, truth: dict[str, Table], cache: Path, limits: tuple[int, float]
) -> list[Line]:
    """Return a peer's lines; a peer that cannot be installed or dies has lines that say so."""
    program, packages, account = PEERS[name]
    try:
        python = environment(cache / f"venv-{name.split()[0].lower()}", packages)
        request = json.dumps(_request(data, truth, limits))
        done = subprocess.run(  # noqa: S603
            [str(python), str(Path(__file__).with_name(program)), request],
            check=True,
            capture_output=True,
            text=True,
            timeout=_SECONDS_ALL,
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
        words = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        reason = f"{type(error).__name__}: {' '.join(words)[:200]}"
        return [unanswered((w.name, name, account), reason) for w in WORKLOADS]
    lines = []
    for workload in WORKLOADS:
        answered = found[workload.name]
        names = workload.name, name, account
        if not answered["runs"]:
            lines.append(unanswered(names, answered["note"]))
            continue
        tables = [table_of(run, workload.keys) for run in answered["runs"]]
        lines.append(line(names, truth[workload.name], tables, None, answered["note"]))
    return lines


def _request(data: Tpch, truth: dict[str, Table], limits: tuple[int, float]) -> dict[str, object]:
    """Return what a peer's program needs; `keys` are public ones, the nations among them."""
    keys = {
        "W3": [[each] for each in PRIORITIES],
        "W4": [[each] for each in STATUSES],
        "W5": [[flag, status] for flag in "ANR" for status in "FO"],
        "W8": [[each.isoformat()] for each in DAYS],
        "W9": [list(each) for each in truth["W9"]],
    }
    return {
        "files": str(data.files.resolve()),
        "runs": limits[0],
        "seconds": limits[1],
        "keys": keys,
        "workloads": {w.name: asdict(w) for w in WORKLOADS},
    }
