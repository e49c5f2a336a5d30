"""What a rewriting may look at: the refusal, and what the asker may know of schema and policy anyway. Never data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from policies.access.model import AccessPolicy, ColumnGrant, TableGrant
from policies.catalogue import Catalogue
from policies.refusals import Refused
from policies.terms import ColumnUse, SqlType


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a question was refused, and the documents it was held against."""

    refused: Refused
    policy: AccessPolicy
    catalogue: Catalogue
    today: date

    def param(self, name: str) -> str:
        """Return what fills a gap of the refusal's sentence."""
        return self.refused.params.get(name, "")

    def table(self, name: str) -> TableGrant | None:
        """Return the grant of a table, whatever its case."""
        return next((t for t in self.policy.tables if t.name.lower() == name.lower()), None)

    def type_of(self, table: str, column: str) -> SqlType | None:
        """Return the declared type of a column."""
        declared = self.catalogue.dataset.table(table)
        found = declared.column(column) if declared is not None else None
        return None if found is None else found.type


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A changed question and what was changed, in words of ours."""

    tree: exp.Expr
    change: str


Rewriter = Callable[[exp.Select, Ground], Iterator[Rewritten]]


def sources(select: exp.Select) -> list[exp.Table]:
    """Return the tables that one SELECT names in FROM and JOIN."""
    clauses = [select.args.get("from_"), *(select.args.get("joins") or [])]
    return [c.this for c in clauses if c is not None and isinstance(c.this, exp.Table)]


def granted(select: exp.Select, ground: Ground) -> Iterator[tuple[exp.Table, ColumnGrant]]:
    """Return every granted column of the tables a SELECT names."""
    for source in sources(select):
        grant = ground.table(source.name)
        for column in grant.columns if grant is not None else ():
            yield source, column


def groupable(select: exp.Select, ground: Ground) -> list[exp.Column]:
    """Return the columns that may be group keys and have a declared list of values, shortest list first."""
    tables = sources(select)
    found = [
        (0 if column.domain is not None else 1, index, source, column.name)
        for index, (source, column) in enumerate(granted(select, ground))
        if ColumnUse.GROUP in column.uses and (column.domain is not None or column.bounds is None)
    ]
    return [
        exp.column(name, table=source.alias_or_name if len(tables) > 1 else None)
        for _, _, source, name in sorted(found, key=lambda each: each[:2])
    ]


def holds_aggregate(node: exp.Expr) -> bool:
    """Tell whether there is an aggregate in an expression, also one that we refuse."""
    return any(isinstance(part, (exp.AggFunc, exp.CountIf)) for part in node.walk())


def bare(node: exp.Expr) -> exp.Expr:
    """Return an expression without its alias."""
    return node.this if isinstance(node, exp.Alias) else node


def regroup(select: exp.Select) -> exp.Select:
    """Group by all that is not aggregated; the order may name what is gone, so it goes too."""
    select.set("distinct", None)
    keyed = any(not holds_aggregate(bare(node)) for node in select.expressions)
    select.set("group", exp.Group(all=True) if keyed else None)
    select.set("order", None)
    return select
