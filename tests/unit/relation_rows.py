"""Small random tables of people, and the rows that the worker's text gives a relation over them."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

import duckdb

from policies.terms import Scalar, SqlType
from sandbox.algebra import (
    Column,
    Constants,
    Expr,
    Group,
    Project,
    Relation,
    Scan,
    SetOperation,
    inputs,
)
from sandbox.boundary import UNIT_COLUMN
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.names import quoted
from sandbox.worker.render import render_relation, row_rendering
from tests.unit.relation_world import NAMES, PRIVATE, SCANS, TABLES

Row = tuple[Scalar, ...]
World = Mapping[str, list[Row]]  # the unit comes first in rows of private tables

_VALUES: Mapping[str, tuple[Scalar, ...]] = {
    "age": (None, 1, 2, 3),
    "town": (None, "a", "b"),
    "size": (None, 1, 2, 3),
    "paid": (None, Decimal("1.25"), Decimal("-2.50")),
    "risk": (None, "nan", "-nan", "inf", "-0.0", "0", "1e16", "0.1"),
}


def random_world(dice: random.Random, units: int = 4, rows: int = 3) -> World:
    """Return tables in which values meet often: few of them, many NULLs, some units in one table only."""

    def row(table: str) -> Row:
        return tuple(dice.choice(_VALUES[name]) for name in TABLES[table])

    world: dict[str, list[Row]] = {}
    for table in TABLES:
        owners: Iterable[tuple[Scalar, ...]] = [()] * dice.randrange(2 * rows)
        if table in PRIVATE:
            owners = [(unit,) for unit in range(units) for _ in range(dice.randrange(rows + 1))]
        world[table] = [owner + row(table) for owner in owners]
        dice.shuffle(world[table])
    return world


def only(world: World, unit: int | None) -> World:
    """Return the world of one unit, or of none, with the public tables as they are."""
    return {
        table: [row for row in rows if row[0] == unit] if table in PRIVATE else rows
        for table, rows in world.items()
    }


def units_of(world: World) -> list[int]:
    return sorted({int(str(row[0])) for table in PRIVATE for row in world[table]})


def loaded(world: World) -> duckdb.DuckDBPyConnection:
    """Return the worker's own engine, with the tables of a world in memory."""
    connection = open_empty(EngineLimits(256 * 2**20, 2))
    for table, columns in TABLES.items():
        names = {UNIT_COLUMN: "INTEGER"} if table in PRIVATE else {}
        names |= {name: str(type_) for name, type_ in columns.items()}
        definitions = ", ".join(f"{quoted(name)} {type_}" for name, type_ in names.items())
        connection.execute(f"CREATE TABLE {table} ({definitions})")
        values = ", ".join(
            f"unnest(CAST(CAST($c{i} AS VARCHAR[]) AS {type_}[]))"  # as text: Python has one NaN only
            for i, type_ in enumerate(names.values())
        )
        lists = {f"c{i}": [row[i] for row in world[table]] for i in range(len(names))}
        connection.execute(f"INSERT INTO {table} SELECT {values}", lists)
    return connection


def rows_of(
    relation: Relation, columns: Iterable[Expr], connection: duckdb.DuckDBPyConnection
) -> Counter[tuple[str, ...]]:
    """Return the relation's rows as a multiset of the engine's own texts: NaN is NaN, -NaN is not, nor is -0 0."""
    rendering = row_rendering(SCANS, {})
    texts = (f"CAST({rendering.render(column)} AS VARCHAR)" for column in columns)
    values = ", ".join(texts) or "1"
    found = connection.execute(
        f"SELECT {values} FROM {render_relation(relation, SCANS, rendering)}", rendering.parameters
    ).fetchall()
    return Counter(tuple(map(str, row)) for row in found)


def exposed(relation: Relation) -> tuple[Column, ...]:
    """Return the columns that a relation shows, unit columns apart, whether or not it is proven."""
    if isinstance(relation, Scan):
        return tuple(Column(relation.index, *c) for c in TABLES[NAMES[relation.index]].items())
    if isinstance(relation, Constants):
        return tuple(Column(relation.id, c.name, c.type) for c in relation.columns)
    if isinstance(relation, Project):
        windows = _numbered(relation.id, "w", tuple(w.type for w in relation.windows))
        return _numbered(relation.id, "c", tuple(c.type for c in relation.columns)) + windows
    if isinstance(relation, Group):
        found = _numbered(relation.id, "a", tuple(a.type for a in relation.aggregations))
        return _numbered(relation.id, "k", tuple(k.type for k in relation.keys)) + found
    if isinstance(relation, SetOperation):
        return _numbered(relation.id, "c", tuple(c.type for c in relation.left.columns))
    return tuple(column for below in inputs(relation) for column in exposed(below))


def _numbered(relation: int, letter: str, types: tuple[SqlType, ...]) -> tuple[Column, ...]:
    return tuple(Column(relation, f"{letter}{i}", type_) for i, type_ in enumerate(types))
