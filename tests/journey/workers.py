"""Find and kill a worker that a node of this very process has started."""

import os
import signal
import time
from pathlib import Path


def kill_next_worker() -> None:
    """Kill the next query worker below this process as soon as it stands confined: what follows may read rows."""
    outside = Path("/").stat()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for child in below(os.getpid()):
            try:
                if b"sandbox.worker\0query" not in Path(f"/proc/{child}/cmdline").read_bytes():
                    continue
                inside = Path("/proc", str(child), "root").stat()
                if (inside.st_dev, inside.st_ino) != (outside.st_dev, outside.st_ino):
                    time.sleep(0.15)  # between its new root and READY there are four quick steps
                    os.kill(child, signal.SIGKILL)
                    return
            except (OSError, ProcessLookupError):
                continue
        time.sleep(0.005)


def below(process: int) -> list[int]:
    """Return every process that descends from this one."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            children = [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *below(child)] if Path(f"/proc/{child}").exists() else []
    return found
