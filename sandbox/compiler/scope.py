"""Names of one SELECT: which relations it reads and what a column name stands for. Case does not matter, as in DuckDB."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlglot import exp

from policies.refusals import Refused
from sandbox.algebra import Expr
from sandbox.compiler.places import quoted
from sandbox.compiler.question import Reading
from sandbox.compiler.reach import is_released
from sandbox.compiler.rows import Rows, Source
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.types import BOOLEAN, NoCommonType, convert

ALIASES_MAX = 200  # `a + a AS b, b + b AS c` doubles the expression with every line


@dataclass(frozen=True, slots=True)
class CommonTable:
    """A WITH entry: its query, the names it gives the columns, and the entries it may use itself."""

    query: exp.Expr
    names: tuple[str, ...]
    within: "Mapping[str, CommonTable]"


@dataclass(frozen=True, slots=True)
class Attached:
    """One row for each row of FROM, or none: the value of a scalar subquery, joined from the left."""

    rows: Rows
    on: tuple[Expr, ...]


class Nested(Protocol):
    """Reads the queries inside an expression."""

    def read(self, scope: "Scope", node: exp.Expr) -> Expr:
        """Return the value of EXISTS, IN (SELECT …) or a scalar subquery for a row of `scope`."""
        ...


@dataclass(slots=True)
class Scope:
    """The relations in reach, the columns merged by USING, and the SELECT around this one."""

    reading: Reading
    common: Mapping[str, CommonTable]
    nested: Nested
    outer: "Scope | None"
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Expr] = field(default_factory=dict)
    parts: list[Rows] = field(default_factory=list)
    attached: list[Attached] = field(default_factory=list)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    closed: str = ""  # why no scalar subquery can be attached here; empty while one can

    @property
    def sql(self) -> str:
        """The text of the question."""
        return self.reading.sql

    def refused(self, code: str, node: exp.Expr, **params: Any) -> Refused:
        """Return a refusal that points at `node`."""
        return self.reading.refused(code, node, **params)

    def add(self, source: Source, node: exp.Expr) -> None:
        """Put a relation in reach. Refuses: an alias that is taken."""
        taken = any(s.alias.lower() == source.alias.lower() for s in self.sources)
        if source.alias and taken:
            raise self.refused("duplicate_alias", node, name=source.alias)
        self.sources.append(source)

    def column(self, node: exp.Column) -> Expr | None:
        """Return what a name stands for here, or None when no relation here has it.

        Refuses: a name that two relations have.
        """
        if not isinstance(node.this, exp.Identifier):
            raise self.refused("not_aggregated", node, what=quoted(node))
        found = self._qualified(node) if node.table else self._unqualified(node)
        if found is not None:
            self.reading.note(found, node)
        return found

    def outer_column(self, node: exp.Column) -> Expr | None:
        """Return what a name stands for in a SELECT around this one."""
        around = self.outer
        while around is not None:
            if (found := around.column(node)) is not None:
                return found
            around = around.outer
        return None

    def _qualified(self, node: exp.Column) -> Expr | None:
        for source in self.sources:
            if source.alias and source.alias.lower() == node.table.lower():
                return source.column(node.name)
        return None

    def _unqualified(self, node: exp.Column) -> Expr | None:
        if (merged := self.merged.get(node.name.lower())) is not None:
            return merged
        found = [(s, e) for s in self.sources if (e := s.column(node.name)) is not None]
        if len(found) > 1:
            candidates = ", ".join(f"{s.alias}.{node.name}" for s, _ in found)
            raise self.refused("ambiguous_column", node, name=quoted(node), candidates=candidates)
        return found[0][1] if found else None

    def unknown(self, node: exp.Column) -> Refused:
        """Return the refusal for a name that nothing has."""
        places = ", ".join(s.alias for s in self.sources if s.alias)
        return self.refused("unknown_column", node, name=quoted(node), scope=places)


class RowReader(ScalarReader):
    """Reads expressions over rows: below the release."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope.sql)
        self.scope = scope
        self._open: set[str] = set()
        self._aliases_read = 0

    def is_above(self) -> bool:
        """Tell whether the rows are released ones."""
        return any(is_released(part.relation) for part in self.scope.parts)

    def column(self, node: exp.Column) -> Expr:
        """Return the column, or what an alias of the same SELECT stands for, or a column of a SELECT around it."""
        found = self.scope.column(node)
        if found is not None:
            return found
        if not node.table and node.name.lower() in self.scope.aliases:
            return self._alias(node)
        found = self.scope.outer_column(node)
        if found is None:
            raise self.scope.unknown(node)
        return found

    def nested(self, node: exp.Expr) -> Expr:
        """Return the value of a subquery for a row."""
        return self.scope.nested.read(self.scope, node)

    def _alias(self, node: exp.Column) -> Expr:
        """Return what an alias stands for. Refuses: one that stands for itself, and too many of them."""
        name = node.name.lower()
        if name in self._open:
            raise self.scope.unknown(node)
        self._aliases_read += 1
        if self._aliases_read > ALIASES_MAX:
            raise self.refused("sql_too_complex", node, what="uses of aliases", limit=ALIASES_MAX)
        self._open.add(name)
        found = self.read(self.scope.aliases[name])
        self._open.remove(name)
        return found


def condition(reader: ScalarReader, node: exp.Expr) -> Expr:
    """Read an expression as a truth value. Refuses: what is none, such as the constant 500."""
    try:
        return convert(reader.read(node), BOOLEAN)
    except NoCommonType:
        raise reader.refused(
            "sql_type_mismatch", node, what="a condition", types=quoted(node)
        ) from None
