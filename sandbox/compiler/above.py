"""Above the release: group keys, aggregates, and what is computed from them."""

from dataclasses import replace

from sqlglot import exp

from policies.terms import SqlType
from sandbox.algebra import AggregateRef, Expr, GroupingRef, KeyRef, Literal
from sandbox.compiler.aggregates import ResolvedAggregate, read_aggregate
from sandbox.compiler.grouping import BITS_MAX
from sandbox.compiler.keyed import KeyedReader
from sandbox.compiler.places import quoted
from sandbox.compiler.scope import Scope
from sandbox.compiler.types import BIGINT


class AboveReader(KeyedReader):
    """Reads expressions over the keys and aggregates of the release, and collects the aggregates on the way."""

    def __init__(self, scope: Scope, tree: exp.Select) -> None:
        super().__init__(scope, tree)
        self.aggregates: list[ResolvedAggregate] = []

    def is_above(self) -> bool:
        """Tell that these are released values."""
        return True

    def key_reference(self, index: int, type_: SqlType) -> Expr:
        """Return a released key."""
        return KeyRef(index, type_)

    def grouping(self, node: exp.Expr) -> Expr:
        """Return GROUPING(…): one bit for each key, 1 where a row adds up over it.

        Refuses: an argument that is no group key, and more bits than a number has room for.
        """
        found = [self.read(part) for part in node.expressions]
        keys = tuple(key.index for key in found if isinstance(key, KeyRef))
        if len(keys) < len(found) or not 1 <= len(keys) <= BITS_MAX:
            raise self.refused(
                "sql_argument_refused",
                node,
                name=quoted(node),
                need="keys of GROUP BY",
                cure="name expressions that stand in GROUP BY",
            )
        return GroupingRef(keys) if self.sets else Literal(BIGINT, 0)

    def aggregate(self, node: exp.Expr) -> Expr:
        """Return a noisy aggregate; one that is asked twice is measured once."""
        found = read_aggregate(node, self.rows)
        for index, known in enumerate(self.aggregates):
            if replace(known, words=found.words, at=found.at) == found:
                return AggregateRef(index, known.type)
        self.aggregates.append(found)
        return AggregateRef(len(self.aggregates) - 1, found.type)
