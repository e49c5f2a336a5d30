"""What a query below the release yields: rows with names."""

from dataclasses import dataclass

from sqlglot import exp

from sandbox.compiler.rows import Named, Rows


@dataclass(frozen=True, slots=True)
class TableValue:
    """Rows of a subquery and its columns, in order."""

    rows: Rows
    columns: tuple[Named, ...]


class IsRelease(Exception):
    """The query aggregates rows of different people: it is a release and cannot stand below one."""

    def __init__(self, select: exp.Expr) -> None:
        super().__init__("a release stands below another one")
        self.select = select
