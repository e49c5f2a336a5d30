"""Write the settled rows into one database file, sorted by unit, with everything the query worker must know.

The file holds the original unit keys and the family's secret: a query worker makes keyed choices from them. It never
leaves the domain.
"""

# ruff: noqa: S608  # SQL is composed of our own words and of declared names, each quoted by `names.quoted`

from pathlib import Path

import duckdb

from policies.dataset import Dataset, Table
from sandbox.boundary import UNIT_COLUMN
from sandbox.worker.ingest.names import KEY, listed, quoted, settled, text
from sandbox.worker.ingest.refused import Code, IngestRefused

FORMAT = 1
UNITS = "_ky_units"
META = "_ky_meta"
_UNITS = "units"


def number_units(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> int:
    """Give each unit of the family that has a row a dense code, and return how many there are.

    The codes shift for everybody when one unit is removed, so nothing but grouping and sorting may use them.
    Refuses  more units than declared: delta and the size class were chosen for the declared number.
    """
    keys = " UNION ALL ".join(
        f"SELECT {KEY} FROM {settled(i)}" for i, table in enumerate(dataset.tables) if table.private
    )
    connection.execute(
        f"CREATE TABLE {_UNITS} AS SELECT {KEY}, "
        f"CAST(row_number() OVER (ORDER BY {KEY}) - 1 AS INTEGER) AS code "
        f"FROM (SELECT DISTINCT {KEY} FROM ({keys}))"
    )
    (units,) = connection.execute(f"SELECT count(*) FROM {_UNITS}").fetchall()[0]
    if units > dataset.family.units_declared_max:
        raise IngestRefused(
            Code.UNITS_ABOVE_DECLARED, declared=str(dataset.family.units_declared_max)
        )
    return int(units)


def attach_snapshot(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Begin an empty snapshot under the catalogue name `name`."""
    connection.execute(f"ATTACH {text(str(path))} AS {name}")


def write_tables(connection: duckdb.DuckDBPyConnection, dataset: Dataset, name: str) -> None:
    """Write every table and the list of units.

    Rows are sorted by unit and then by content, so that the order of a file leaves no trace and a unit's rows lie together.
    """
    for number, table in enumerate(dataset.tables):
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
        unit = f", {UNIT_COLUMN} INTEGER NOT NULL" if table.private else ""
        connection.execute(f"CREATE TABLE {name}.{quoted(table.name)} ({columns}{unit})")
        connection.execute(f"INSERT INTO {name}.{quoted(table.name)} {_sorted(table, number)}")
    connection.execute(
        f"CREATE TABLE {name}.{UNITS} (code INTEGER NOT NULL, unit_key BLOB NOT NULL)"
    )
    connection.execute(
        f"INSERT INTO {name}.{UNITS} SELECT code, encode({KEY}) FROM {_UNITS} ORDER BY code"
    )


def write_meta(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    name: str,
    snapshot_id: str,
    secret: bytes,
) -> None:
    """Write what the query worker holds a plan to."""
    family = dataset.family
    facts = (
        ("format_version", str(FORMAT)),
        ("dataset", dataset.id),
        ("dataset_digest", dataset.digest),
        ("snapshot", snapshot_id),
        ("family", family.id),
        ("accountant", family.accountant.value),
        ("loss_per_query_max", str(family.loss_per_query_max)),
        ("delta_per_query_max", str(family.delta_total)),
        ("family_secret", secret.hex()),
    )
    connection.execute(
        f"CREATE TABLE {name}.{META} (name VARCHAR NOT NULL, value VARCHAR NOT NULL)"
    )
    for fact in facts:
        connection.execute(f"INSERT INTO {name}.{META} VALUES (?, ?)", list(fact))


def close_snapshot(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Write everything into the one file. Raises if the engine leaves a log beside it: read-only it would be ignored."""
    connection.execute(f"CHECKPOINT {name}")
    connection.execute(f"DETACH {name}")
    if path.with_name(path.name + ".wal").exists():
        raise RuntimeError("the engine left a log beside the snapshot")


def _sorted(table: Table, number: int) -> str:
    names = tuple(column.name for column in table.columns)
    # A primary key already tells rows apart; without one, equal rows are alike in every column.
    order = listed(table.primary_key or names)
    if not table.private:
        return f"SELECT {listed(names)} FROM {settled(number)} ORDER BY {order}"
    return (
        f"SELECT {listed(names)}, code FROM {settled(number)} JOIN {_UNITS} USING ({KEY}) "
        f"ORDER BY code, {order}"
    )
