"""What a query below the release yields: rows with names."""

from dataclasses import dataclass

from sandbox.compiler.rows import Named, Rows


@dataclass(frozen=True, slots=True)
class TableValue:
    """Rows of a subquery and its columns, in order."""

    rows: Rows
    columns: tuple[Named, ...]
