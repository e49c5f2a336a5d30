"""Run a generator of raw data and write its tables as files: a tool of the holder, used by the demo and by tests.

It never runs in a worker. The script is the program; this only gives it its size and writes down what it made.
"""

from pathlib import Path

import duckdb

from sandbox.worker.ingest.names import quoted, text


def generate(script: Path, target: Path, persons: int) -> tuple[Path, ...]:
    """Run the SQL of `script` for so many persons, and write each table it makes as `<table>.csv` in `target`.

    The script reads the variable `persons`; its temporary tables are not written.
    """
    target.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET VARIABLE persons = {persons:d}")
        connection.execute(script.read_text(encoding="utf-8"))
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY table_name"
        ).fetchall()
        paths = tuple(target / f"{name}.csv" for (name,) in names)
        for (name,), path in zip(names, paths, strict=True):
            connection.execute(f"COPY {quoted(name)} TO {text(str(path))} (HEADER)")
    return paths
