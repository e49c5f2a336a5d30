"""The rows that a plan brings along: all of them are read once by the twin, and few of them meet its tables of extremes."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import duckdb

from sandbox.algebra import Constants, Exists, Expr, Relation, relations, walk
from sandbox.boundary import Measurement
from sandbox.worker.render import render_relation, row_rendering

Node = TypeVar("Node")


def constants_of(measurement: Measurement) -> Iterator[Constants]:
    """Return every relation of constants, those that stand in EXISTS included."""
    for relation in _roots(measurement):
        yield from (found for found in relations(relation) if isinstance(found, Constants))


def read_constants(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
    """Evaluate every constant. One that does not fit its type then raises here and not beside the data."""
    for found in constants_of(measurement):
        rendering = row_rendering(measurement.scans, {})
        source = render_relation(found, measurement.scans, rendering)
        connection.execute(f"SELECT min(COLUMNS(*)) FROM {source}", rendering.parameters).fetchall()  # noqa: S608


def with_few_constants(node: Node, rows: int) -> Node:
    """Return the same plan part with at most so many rows in each relation of constants: the twin's time is bounded."""
    if isinstance(node, Constants):
        return replace(node, rows=node.rows[:rows])
    if isinstance(node, tuple):
        return type(node)(with_few_constants(part, rows) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    values = {found.name: getattr(node, found.name) for found in fields(node)}
    fewer = {name: with_few_constants(value, rows) for name, value in values.items()}
    return replace(node, **fewer) if fewer != values else node


def _roots(measurement: Measurement) -> Iterator[Relation]:
    yield measurement.relation
    exprs: list[Expr] = [key.expr for key in measurement.keys]
    exprs += [moment.value for moment in measurement.moments]
    for expr in exprs:
        yield from (node.relation for node in walk(expr) if isinstance(node, Exists))
