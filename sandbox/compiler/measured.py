"""The one release of a question: what is measured, in settled form. SELECTs above it read its keys and aggregates."""

from dataclasses import dataclass

from policies.refusals import Position
from sandbox.algebra import Column, Relation
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.keyed import ResolvedKey
from sandbox.compiler.rows import ScopedTable


@dataclass(frozen=True, slots=True)
class Measured:
    """`tables[i]` is the i-th scan of `relation`; `unit` the unit code of its rows, `unit_keys` columns that hold its key.

    `sets` are the grouping sets it is asked in, nothing for the one of all keys.
    """

    relation: Relation
    tables: tuple[ScopedTable, ...]
    places: dict[Column, Position | None]
    unit: Column
    unit_keys: frozenset[Column]
    keys: tuple[ResolvedKey, ...]
    sets: tuple[tuple[int, ...], ...]
    aggregates: tuple[ResolvedAggregate, ...]

    def measures(self, other: "Measured") -> bool:
        """Tell whether both are taken over the same groups of the same rows."""
        return self._groups() == other._groups()

    def _groups(self) -> tuple[object, ...]:
        # A scan is a number: without the tables' names, any two counts would be the same release.
        names = tuple(table.table.name for table in self.tables)
        keys = tuple(key.expr for key in self.keys)
        return (names, self.relation, self.unit, keys, self.sets)
