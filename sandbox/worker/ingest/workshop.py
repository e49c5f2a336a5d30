"""The private folder and the engine an ingest works in.

Everything half done is inside one folder, `.ingest`, of the output folder. It holds raw rows, so whatever a killed
ingest left there is removed before the next one starts, and what this one leaves before it ends.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from sandbox.worker.ingest.names import text
from sandbox.worker.ingest.refused import Code, IngestRefused

FOLDER = ".ingest"
_LOCK = "lock"
# Fits beside the interpreter in a worker of 2 GiB; what does not fit is spilled into the private folder.
_ENGINE_MEMORY = "768MiB"
_ENGINE_THREADS = 2

_AT_BIRTH: dict[str, str | bool | int | float | list[str]] = {
    "threads": _ENGINE_THREADS,
    "async_threads": 0,  # otherwise eight threads that wait for network storage
    "memory_limit": _ENGINE_MEMORY,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
}
# The same meaning of values as in the query worker, whatever the machine.
_SETTINGS = (
    "SET python_enable_replacements = false",  # a table name must never mean a Python variable
    "SET enable_progress_bar = false",  # it writes about the data to a stream
    "SET TimeZone = 'UTC'",
    "SET Calendar = 'gregorian'",
    "SET default_collation = ''",
    "SET preserve_insertion_order = true",  # rows of a text file are counted by it
    "SET ieee_floating_point_ops = true",
)


@contextmanager
def private_folder(output: Path) -> Iterator[Path]:
    """Give an empty private folder in `output` and remove it afterwards.

    Refuses  while another ingest works there.
    """
    folder = output / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise IngestRefused(Code.RUNNING) from None
        _remove_leftovers(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _remove_leftovers(folder: Path) -> None:
    for found in folder.iterdir():
        if found.is_dir():
            shutil.rmtree(found)
        elif found.name != _LOCK:
            found.unlink()


def open_engine(folder: Path, sources: Path) -> duckdb.DuckDBPyConnection:
    """Open DuckDB on a working file in `folder`; it may read `sources`, write `folder`, and nothing else."""
    spill = folder / "spill"
    spill.mkdir(mode=0o700)
    connection = duckdb.connect(":memory:", config=_AT_BIRTH)
    for setting in _SETTINGS:
        connection.execute(setting)
    allowed = ", ".join(text(str(path)) for path in (sources, folder))
    connection.execute(f"SET temp_directory = {text(str(spill))}")
    # Nothing in the working file outlives a crash, so it needs no log and no waiting for the disk.
    work = text(str(folder / "work.duckdb"))
    connection.execute(f"ATTACH {work} AS work (RECOVERY_MODE 'no_wal_writes')")
    connection.execute("USE work")
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def sync_file(path: Path) -> None:
    """Make what a file holds durable."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
