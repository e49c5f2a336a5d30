"""What is common to all parts of one question: its text, the tables it has named so far, and fresh numbers."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from policies.catalogue import Catalogue
from policies.refusals import Position, Refused, Stage
from sandbox.algebra import DERIVED_FIRST, Column, Expr, columns_of
from sandbox.compiler.places import position, quoted
from sandbox.compiler.rows import ScopedTable

if TYPE_CHECKING:
    from sandbox.compiler.measured import Measured

TABLES_MAX = 32  # scans of one question; each CTE that is used twice is read twice
DERIVED_MAX = 200


@dataclass(slots=True)
class Reading:
    """The state of reading one question."""

    sql: str
    catalogue: Catalogue
    tables: list[ScopedTable] = field(default_factory=list)
    places: dict[Column, Position | None] = field(default_factory=dict)
    measured: "Measured | None" = None
    _derived: int = 0

    def refused(self, code: str, node: exp.Expr, **params: Any) -> Refused:
        """Return a refusal that points at `node`."""
        return Refused(code, Stage.RESOLVE, at=position(node, self.sql), **params)

    def unsupported(self, node: exp.Expr, what: str, cure: str) -> Refused:
        """Return the refusal of a feature that has no meaning here, with its cure."""
        return self.refused("sql_feature_refused", node, what=what, cure=cure)

    def number(self, node: exp.Expr) -> int:
        """Return the number of a new derived relation. Refuses: too many of them."""
        self._derived += 1
        if self._derived > DERIVED_MAX:
            raise self.refused("sql_too_complex", node, what="subqueries", limit=DERIVED_MAX)
        return DERIVED_FIRST + self._derived - 1

    def table(self, node: exp.Table) -> ScopedTable:
        """Register one more scan of a table.

        Refuses: anything but a registered table, and too many of them.
        """
        dataset = self.catalogue.dataset
        owner = node.args.get("db")
        known = next((t for t in dataset.tables if t.name.lower() == node.name.lower()), None)
        if known is None or (owner is not None and owner.name.lower() != dataset.id.lower()):
            raise self.refused("unknown_table", node, name=quoted(node))
        if len(self.tables) == TABLES_MAX:
            raise self.refused("sql_too_complex", node, what="tables", limit=TABLES_MAX)
        found = ScopedTable(
            len(self.tables), node.alias or known.name, known, position(node, self.sql)
        )
        self.tables.append(found)
        return found

    def note(self, expr: Expr, node: exp.Expr) -> None:
        """Remember where the query first names a column."""
        for column in columns_of(expr):
            self.places.setdefault(column, position(node, self.sql))
