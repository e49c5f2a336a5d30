"""One plan in, one release or one word out: the query worker's whole life between its two frames."""

import duckdb

from sandbox import wire
from sandbox.boundary import Answered, Failure, Plan
from sandbox.worker.accept import Columns, accept
from sandbox.worker.add_noise import add_noise
from sandbox.worker.engine import EngineLimits, open_empty, open_snapshot
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process


def serve_query(request: bytes, snapshot: str, limits: EngineLimits) -> bytes:
    """Return the answer to an encoded plan over the snapshot at this path.

    Whatever goes wrong becomes a Failure without text: DuckDB's messages quote cells.
    """
    try:
        plan = wire.decode_plan(request)
    except wire.WireError:
        return wire.encode(Failure.PLAN_NOT_ACCEPTED)
    try:
        # What is released is small: the second engine gets a quarter of the first one's memory.
        beside = EngineLimits(limits.memory_bytes // 4, limits.threads)
        with open_snapshot(snapshot, limits) as connection, open_empty(beside) as empty:
            return wire.encode(run(plan, connection, empty))
    except MemoryError:
        raise
    except Exception:
        return wire.encode(Failure.RUN_FAILED)


def run(
    plan: Plan, connection: duckdb.DuckDBPyConnection, empty: duckdb.DuckDBPyConnection
) -> Answered | Failure:
    """Accept, measure, add noise, finish. `empty` is an engine that has never seen a row."""
    meta = read_meta(connection)
    failure = accept(plan, meta, read_columns(connection))
    if failure is not None:
        return failure
    noisy = add_noise(plan.measurement, execute(plan.measurement, connection))
    return Answered(post_process(plan, noisy, empty), noisy)


def read_meta(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the snapshot's own facts."""
    return dict(connection.execute("SELECT name, value FROM _ky_meta").fetchall())


def read_columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    """Return the columns of every table of the snapshot, with their types in DuckDB's words."""
    columns: dict[str, dict[str, str]] = {}
    for table, column, type_ in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal"
    ).fetchall():
        columns.setdefault(table, {})[column] = type_
    return columns
