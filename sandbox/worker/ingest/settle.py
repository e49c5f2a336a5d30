"""Decide which rows of each privacy unit stay: its own rows, on a sound way to it, no key twice, no more than declared.

# settled rows: the declared columns, KEY (canonical text of the original unit key)

Statement  The settled rows of a unit are a function of that unit's loaded rows and the family's secret.
Reason     A row's unit is found in the row or through a parent whose key no other unit has; repeated keys and surplus
           rows are settled inside one unit, by keyed rank; two units with one key refuse the file, for dropping either
           row would make one person's data depend on the other's.
"""

# ruff: noqa: S608  # SQL is composed of our own words and of declared names, each quoted by `names.quoted`

from dataclasses import dataclass

import duckdb

from policies.dataset import Dataset, ForeignKey, Table
from policies.unit_paths import unit_chain
from sandbox.worker.ingest.canonical import keyed_rank, pads, unit_key
from sandbox.worker.ingest.names import KEY, WHY, listed, loaded, quoted, settled
from sandbox.worker.ingest.refused import Code, IngestRefused
from sandbox.worker.ingest.report import Why

_REPEATED = "repeated"
_HEAVY = "heavy"


@dataclass(frozen=True, slots=True)
class Settled:
    """What was dropped of a private table although each row was sound by itself."""

    dropped: tuple[tuple[Why, int], ...]


def parents_first(dataset: Dataset) -> tuple[Table, ...]:
    """Return the tables so that each comes after the table on its way to the unit."""
    return tuple(sorted(dataset.tables, key=lambda table: len(unit_chain(dataset, table) or ())))


def settle_private(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table, secret: bytes
) -> Settled:
    """Make the working table of settled rows of a private table whose parent is settled.

    Refuses  a primary key that two units share.
    """
    number = dataset.tables.index(table)
    sound = _count(connection, f"{loaded(number)} WHERE {WHY} IS NULL")
    connection.execute(f"CREATE TABLE {settled(number)} AS {_with_unit(dataset, table)}")
    connection.execute(f"DROP TABLE {loaded(number)}")
    orphans = sound - _count(connection, settled(number))
    repeated = _drop_repeated(connection, table, number, secret) if table.primary_key else 0
    surplus = _drop_surplus(connection, table, number, secret)
    counts = (
        (Why.PARENT_MISSING, orphans),
        (Why.KEY_REPEATED, repeated),
        (Why.ABOVE_CAP, surplus),
    )
    return Settled(tuple((why, rows) for why, rows in counts if rows))


def settle_public(connection: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table) -> None:
    """Make the working table of a public table. Refuses a primary key that repeats: a join on it would multiply rows."""
    number = dataset.tables.index(table)
    columns = listed(tuple(column.name for column in table.columns))
    connection.execute(f"CREATE TABLE {settled(number)} AS SELECT {columns} FROM {loaded(number)}")
    connection.execute(f"DROP TABLE {loaded(number)}")
    if table.primary_key:
        key = listed(table.primary_key)
        again = f"(SELECT 1 FROM {settled(number)} GROUP BY {key} HAVING count(*) > 1 LIMIT 1)"
        if _count(connection, again):
            raise IngestRefused(
                Code.PUBLIC_KEY_REPEATED, table=table.name, columns=", ".join(table.primary_key)
            )


def settled_rows(connection: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table) -> int:
    """Count the rows that stay."""
    return _count(connection, settled(dataset.tables.index(table)))


def unresolved(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, table: Table
) -> tuple[tuple[str, int], ...]:
    """Count the rows whose foreign keys lead nowhere. They stay: the key says what may be joined, not who is counted.

    Refuses  such a row in a public table.
    """
    found = []
    for key in table.foreign_keys:
        rows = _count(connection, _leading_nowhere(dataset, table, key))
        if rows and not table.private:
            raise IngestRefused(
                Code.PUBLIC_REFERENCE_BROKEN, table=table.name, references=key.references
            )
        if rows:
            found.append((f"{','.join(key.columns)} -> {key.references}", rows))
    return tuple(found)


def _with_unit(dataset: Dataset, table: Table) -> str:
    """Return the sound rows with the canonical key of their unit; rows whose parent is gone are not among them."""
    rows = f"{loaded(dataset.tables.index(table))} AS own"
    own = ", ".join(f"own.{quoted(column.name)}" for column in table.columns)
    unit, column = table.unit, table.column(table.unit.column) if table.unit else None
    if unit is None or column is None:
        raise ValueError(f"`{table.name}` has no way to a unit")
    if unit.references is None:
        return f"SELECT {own}, {unit_key(column)} AS {KEY} FROM {rows} WHERE {WHY} IS NULL"
    parent = dataset.table(unit.references)
    if parent is None:
        raise ValueError(f"`{table.name}` leads to no table")
    # INVARIANT: the parent's key is unique, so each row finds at most one unit.
    (parent_key,) = parent.primary_key
    return (
        f"SELECT {own}, parent.{KEY} FROM {rows} "
        f"JOIN {settled(dataset.tables.index(parent))} AS parent "
        f"ON own.{quoted(unit.column)} = parent.{quoted(parent_key)} WHERE own.{WHY} IS NULL"
    )


def _drop_repeated(
    connection: duckdb.DuckDBPyConnection, table: Table, number: int, secret: bytes
) -> int:
    key, rows = listed(table.primary_key), settled(number)
    connection.execute(
        f"CREATE TABLE {_REPEATED} AS SELECT {key}, min({KEY}) <> max({KEY}) AS shared "
        f"FROM {rows} GROUP BY {key} HAVING count(*) > 1"
    )
    if _count(connection, f"{_REPEATED} WHERE shared"):
        raise IngestRefused(Code.KEY_SHARED, table=table.name, columns=", ".join(table.primary_key))
    dropped = 0
    if _count(connection, _REPEATED):
        among = f"{rows} SEMI JOIN {_REPEATED} USING ({key})"
        dropped = _keep_first(connection, table, number, (among, key, 1), secret)
    connection.execute(f"DROP TABLE {_REPEATED}")
    return dropped


def _drop_surplus(
    connection: duckdb.DuckDBPyConnection, table: Table, number: int, secret: bytes
) -> int:
    if table.contribution is None:
        raise ValueError(f"`{table.name}` declares no contribution bound")
    rows, cap = settled(number), table.contribution.rows_per_unit_max
    connection.execute(
        f"CREATE TABLE {_HEAVY} AS SELECT {KEY} FROM {rows} GROUP BY {KEY} HAVING count(*) > {cap}"
    )
    dropped = 0
    if _count(connection, _HEAVY):
        among = f"{rows} SEMI JOIN {_HEAVY} USING ({KEY})"
        dropped = _keep_first(connection, table, number, (among, KEY, cap), secret)
    connection.execute(f"DROP TABLE {_HEAVY}")
    return dropped


def _keep_first(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    number: int,
    choice: tuple[str, str, int],
    secret: bytes,
) -> int:
    """Keep the first rows by keyed rank in each part of `among`, and return how many others there were."""
    among, part, keep = choice
    rank = keyed_rank(table.columns)
    (dropped,) = connection.execute(
        f"DELETE FROM {settled(number)} WHERE rowid IN (SELECT id FROM (SELECT {settled(number)}.rowid AS id, "
        f"row_number() OVER (PARTITION BY {part} ORDER BY {rank}) AS place FROM {among}) "
        f"WHERE place > {keep})",
        pads(secret),
    ).fetchall()[0]
    return int(dropped)


def _leading_nowhere(dataset: Dataset, table: Table, key: ForeignKey) -> str:
    target = dataset.table(key.references)
    if target is None:
        raise ValueError(f"`{table.name}` refers to no table")
    own, other = settled(dataset.tables.index(table)), settled(dataset.tables.index(target))
    pairs = " AND ".join(
        f"own.{quoted(here)} = other.{quoted(there)}"
        for here, there in zip(key.columns, key.to, strict=True)
    )
    known = " AND ".join(f"own.{quoted(here)} IS NOT NULL" for here in key.columns)
    return f"(SELECT 1 FROM {own} AS own ANTI JOIN {other} AS other ON {pairs} WHERE {known})"


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    (rows,) = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
    return int(rows)
