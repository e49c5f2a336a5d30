"""What is counted of a query: quantities that are known before any row is read.

Reason      A bill is seen by the buyer and by other holders. Rows scanned, rows returned, time or memory would tell
            them what the noise hides (1,000 rows scanned on one database, 999 on its neighbour). `Usage` has no field
            for a measured quantity, so none can be billed, and a failed query and a slow one cost what they were
            quoted.
"""

from dataclasses import dataclass
from typing import Literal

from policies.terms import PurposeClass

SizeClass = Literal["S", "M", "L"]


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage record of one query.

    cells_declared  group keys of the declared domain times measures; not the rows that came back
    columns         distinct columns named in the text
    epsilon_nano    loss per unit under pure epsilon, 0 under zCDP and for a stored answer; rho_nano likewise
    size_class      declared by the holder with the snapshot
    """

    queries: int
    cells_declared: int
    tables: int
    columns: int
    epsilon_nano: int
    rho_nano: int
    size_class: SizeClass
    purpose_class: PurposeClass

    def __post_init__(self) -> None:
        counts = (self.queries, self.cells_declared, self.tables, self.columns)
        if min(counts) < 1 or min(self.epsilon_nano, self.rho_nano) < 0:
            raise ValueError(
                "a usage record counts at least one query, cell, table and column, and no negative loss"
            )

    def fields(self) -> dict[str, str]:
        """Write the record as a leaf does."""
        return {
            "queries": str(self.queries),
            "cells_declared": str(self.cells_declared),
            "tables": str(self.tables),
            "columns": str(self.columns),
            "epsilon_nano": str(self.epsilon_nano),
            "rho_nano": str(self.rho_nano),
            "size_class": self.size_class,
            "purpose_class": self.purpose_class.value,
        }


def usage_from(fields: dict[str, str]) -> Usage:
    """Read a record out of a leaf that has passed its schema."""
    size = fields["size_class"]
    if size not in ("S", "M", "L"):
        raise ValueError("size class is not S, M or L")
    return Usage(
        queries=int(fields["queries"]),
        cells_declared=int(fields["cells_declared"]),
        tables=int(fields["tables"]),
        columns=int(fields["columns"]),
        epsilon_nano=int(fields["epsilon_nano"]),
        rho_nano=int(fields["rho_nano"]),
        size_class=size,  # type: ignore[arg-type]
        purpose_class=PurposeClass(fields["purpose_class"]),
    )
