"""Names of one SELECT: which tables it reads and what a column name stands for. Case does not matter, as in DuckDB."""

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from policies.catalogue import Catalogue
from policies.dataset import Table
from policies.refusals import Position, Refused, Stage
from sandbox.algebra import Column, Expr
from sandbox.compiler.places import position, quoted
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.types import BOOLEAN, NoCommonType, convert


@dataclass(frozen=True, slots=True)
class ScopedTable:
    """The `index`-th table of the query under the name the query gives it."""

    index: int
    alias: str
    table: Table
    at: Position | None

    def column(self, name: str) -> Column | None:
        """Return the registered column of that name."""
        for column in self.table.columns:
            if column.name.lower() == name.lower():
                return Column(self.index, column.name, column.type)
        return None


class Scope:
    """The tables in reach, and the columns merged by USING."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tables: list[ScopedTable] = []
        self.merged: dict[str, Column] = {}
        self.places: dict[Column, Position | None] = {}

    def refused(self, code: str, node: exp.Expr, **params: Any) -> Refused:
        """Return a refusal that points at `node`."""
        return Refused(code, Stage.RESOLVE, at=position(node, self.sql), **params)

    def add(self, node: exp.Expr, catalogue: Catalogue) -> ScopedTable:
        """Register a table of FROM or JOIN.

        Refuses: anything but a registered table, and an alias that is taken.
        """
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise self.refused(
                "sql_feature_refused", node, what=quoted(node), cure="name a registered table"
            )
        dataset = catalogue.dataset
        owner = node.args.get("db")
        known = next((t for t in dataset.tables if t.name.lower() == node.name.lower()), None)
        if known is None or (owner is not None and owner.name.lower() != dataset.id.lower()):
            raise self.refused("unknown_table", node, name=quoted(node))
        alias = node.alias or known.name
        if any(t.alias.lower() == alias.lower() for t in self.tables):
            raise self.refused("duplicate_alias", node, name=alias)
        table = ScopedTable(len(self.tables), alias, known, position(node, self.sql))
        self.tables.append(table)
        return table

    def column(self, node: exp.Column) -> Column | None:
        """Return the column a name stands for, or None when no table has it.

        Refuses: a name that two tables have, a table that is not in FROM.
        """
        if not isinstance(node.this, exp.Identifier):
            raise self.refused("not_aggregated", node, what=quoted(node))
        found = self._qualified(node) if node.table else self._unqualified(node)
        if found is not None:
            self.places.setdefault(found, position(node, self.sql))
        return found

    def _qualified(self, node: exp.Column) -> Column | None:
        for table in self.tables:
            if table.alias.lower() == node.table.lower():
                return table.column(node.name)
        return None

    def _unqualified(self, node: exp.Column) -> Column | None:
        if (merged := self.merged.get(node.name.lower())) is not None:
            return merged
        found = [(t, c) for t in self.tables if (c := t.column(node.name)) is not None]
        if len(found) > 1:
            candidates = ", ".join(f"{t.alias}.{c.name}" for t, c in found)
            raise self.refused("ambiguous_column", node, name=quoted(node), candidates=candidates)
        return found[0][1] if found else None

    def unknown(self, node: exp.Column) -> Refused:
        """Return the refusal for a name that nothing has."""
        places = ", ".join(t.alias for t in self.tables)
        return self.refused("unknown_column", node, name=quoted(node), scope=places)


class RowReader(ScalarReader):
    """Reads expressions over rows: below the release."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope.sql)
        self.scope = scope

    def column(self, node: exp.Column) -> Expr:
        """Return the registered column."""
        found = self.scope.column(node)
        if found is None:
            raise self.scope.unknown(node)
        return found


def condition(reader: ScalarReader, node: exp.Expr) -> Expr:
    """Read an expression as a truth value. Refuses: what is none, such as the constant 500."""
    try:
        return convert(reader.read(node), BOOLEAN)
    except NoCommonType:
        raise reader.refused(
            "sql_type_mismatch", node, what="a condition", types=quoted(node)
        ) from None
