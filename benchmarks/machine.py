"""The machine and the versions that a measurement belongs to."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Say in one line what measured."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "opendp", "sqlglot"))
    return (
        f"{cpu}, {len(os.sched_getaffinity(0))} cores for us, {int(memory) / 1048576:.1f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, {libraries}; "
        f"load average before: {os.getloadavg()[0]:.1f}"
    )
