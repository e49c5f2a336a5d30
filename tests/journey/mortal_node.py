"""A node that kills itself (SIGKILL, no last word) at one named point: `python -m tests.journey.mortal_node FOLDER POINT`.

It lives here and not in the product: nothing shipped can be told to die.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.background import served
from gateway.isolation import choose_isolation
from gateway.node import Start, real_clock


def dying_at(wanted: str) -> Callable[[str], None]:
    """Return a fault that ends the process at one point and does nothing at the others."""

    def fault(point: str) -> None:
        if point == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return fault


def main(folder: Path, point: str) -> None:
    """Serve until the point is reached, or until the parent closes our input."""
    isolation = choose_isolation("namespace", insecure=False, synthetic_only=False)
    fault = dying_at(point)
    with served(folder, Start(isolation, real_clock, fault, fault)) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
