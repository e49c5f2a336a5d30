"""Find and watch the processes that a test has started, by their ids."""

import time
from pathlib import Path


def parents() -> dict[int, int]:
    """Return each running process and its parent; a process that ends while we look is left out."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def descendants(ancestor: int) -> list[int]:
    """Return the children of a process, their children and so on."""
    known = parents()
    found: list[int] = []
    layer = [ancestor]
    while layer:
        layer = [child for child, parent in known.items() if parent in layer]
        found += layer
    return found


def born(pid: int) -> str:
    """Return when a process began, in clock ticks: with its id, that names it for good. Empty if it is over."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def gone(processes: dict[int, str], within_s: float) -> bool:
    """Wait until none of these processes runs. A zombie of a process that is not ours to reap counts as gone."""
    deadline = time.monotonic() + within_s
    while True:
        if not any(running(pid, birth) for pid, birth in processes.items()):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def running(pid: int, birth: str) -> bool:
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[19] == birth and fields[0] != "Z"
