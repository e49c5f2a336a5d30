"""Keep the process to one thread until it is shut in.

A second thread would be lost in the fork with its locks held (a later scan then hangs for ever), and would miss the
steps that bind one thread only: capabilities, user id in the kernel's own sense, death with the parent.
"""

import importlib
import sys
from pathlib import Path

# Each starts threads when imported, and OpenDP or DuckDB import them if they can.
THREADED = (
    "numpy",
    "polars",
    "pandas",
    "pyarrow",
    "scipy",
    "torch",
    "tensorflow",
    "adbc_driver_manager",
)

# Imported by name on first use, by the standard library or by DuckDB's client; once shut in there is no file to
# import from.
IMPORTED_LATE = (
    "_strptime",
    "collections.abc",
    "datetime",
    "decimal",
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_8",
    "pathlib",
    "typing",
    "unicodedata",
    "uuid",
    "zoneinfo",
)


def keep_out_threads() -> None:
    """Forbid the import of libraries that start threads, and import early what would be imported late.

    Call it before any other import of the worker. Refuses: a process that has one of them already.
    """
    for name in THREADED:
        if sys.modules.get(name) is not None:
            raise RuntimeError(f"`{name}` starts threads and was imported before the worker began")
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to forbid an import
    for name in IMPORTED_LATE:
        importlib.import_module(name)


def threads_running() -> int:
    """Count the threads of this process, those of foreign code included."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())
