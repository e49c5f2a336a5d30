"""Open DuckDB so that it reads one snapshot and can do nothing else.

Settings are the second wall, not the first: DuckDB's own security page says that untrusted SQL needs an operating
system between it and the machine, and `confine` is that. But no operator's text ever reaches this connection, and
what does reach it meets an engine that has no file system, no extension, no log and no knob left to turn.

The order matters and each step has a reason beside it. A single configuration dictionary does not work: DuckDB
applies it in an order of its own, and then refuses it.
"""

from dataclasses import dataclass

import duckdb

CATALOGUE = "snapshot"  # the name under which a snapshot is attached


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What DuckDB is asked to stay within. `Limits` of the worker is what it cannot leave.

    Units: `memory_bytes` of buffers and hash tables, well below the worker's own; `threads` of computation.
    """

    memory_bytes: int
    threads: int

    def __post_init__(self) -> None:
        if self.memory_bytes <= 0 or self.threads <= 0:
            raise ValueError("the engine needs memory and a thread")


# Fixed when the instance is made, before it knows any file.
_AT_BIRTH: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "async_threads": 0,  # otherwise eight threads that wait for network storage
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
}

# Fixed before the snapshot is attached. Half of these close a door, half fix what an answer means: a plan must give the
# same exact sums on every machine, whatever its locale, time zone or number of cores.
_BEFORE_ATTACH = (
    "SET temp_directory = ''",  # spilled rows would be rows on disk
    "SET max_temp_directory_size = '0B'",
    "SET python_enable_replacements = false",  # a table name must never mean a Python variable
    "SET python_scan_all_frames = false",
    "SET enable_progress_bar = false",  # it writes "2 hours remaining" to a stream: a fact about the data
    "SET enable_progress_bar_print = false",
    "SET enable_external_file_cache = false",
    "SET allocator_background_threads = false",
    "SET pin_threads = 'off'",
    "SET TimeZone = 'UTC'",
    "SET Calendar = 'gregorian'",
    "SET default_collation = ''",
    "SET default_null_order = 'NULLS_LAST'",
    "SET default_order = 'ASC'",
    "SET integer_division = false",
    "SET ieee_floating_point_ops = true",
    # The compiler guards every division; were one missed, NULL tells less than an error that only one row causes.
    "SET error_on_division_by_zero = false",
    "SET preserve_insertion_order = true",
)

# In this order. External access goes first, because it still has to resolve the paths of what is attached. It leaves
# the attached file and its write-ahead log on a list of allowed paths, so that COPY TO could overwrite a "read-only"
# snapshot; without the file system that list is of no use. The lock comes last, for it would refuse the others.
_CLOSE = (
    "SET enable_external_access = false",
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET lock_configuration = true",
)


def open_snapshot(path: str, limits: EngineLimits) -> duckdb.DuckDBPyConnection:
    """Open the snapshot read-only, as the current catalogue, and lock every setting.

    Refuses: a path with a quote in it, by ValueError. Raises DuckDB's error if the file is no database; call it inside
    confinement, where that error has nowhere to go.
    """
    if "'" in path:
        raise ValueError("a snapshot's path holds no quote")
    connection = _newborn(limits)
    connection.execute(f"ATTACH '{path}' AS {CATALOGUE} (READ_ONLY)")
    connection.execute(f"USE {CATALOGUE}")
    return _closed(connection)


def open_empty(limits: EngineLimits) -> duckdb.DuckDBPyConnection:
    """Open an engine without a file, with the same settings, for tables that are made in memory."""
    return _closed(_newborn(limits))


def _newborn(limits: EngineLimits) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config=_AT_BIRTH)
    for setting in _BEFORE_ATTACH:
        connection.execute(setting)
    connection.execute(f"SET memory_limit = '{limits.memory_bytes // 1024}KiB'")
    connection.execute(f"SET threads = {limits.threads}")
    return connection


def _closed(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for setting in _CLOSE:
        connection.execute(setting)
    return connection
