"""Generate raw data of a domain where nobody exists, in a process of its own that gives its memory back."""

import subprocess
import sys
from pathlib import Path

_TIME_MAX_S = 300


def generate_files(script: Path, target: Path, persons: int) -> None:
    """Run the generator's SQL for so many persons and write its tables as CSV files into `target`."""
    command = [
        sys.executable,
        "-I",
        "-m",
        "gateway.generate",
        str(script),
        str(target),
        str(persons),
    ]
    done = subprocess.run(  # noqa: S603  (this interpreter on this module)
        command, capture_output=True, text=True, timeout=_TIME_MAX_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the generator ended with {done.returncode}: {done.stderr[-500:]}")


if __name__ == "__main__":
    from sandbox.worker.ingest.generate import generate

    generate(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
