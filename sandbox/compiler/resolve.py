"""Stage 2: `ParsedQuery` → `ResolvedQuery`. Every name leads to one registered column, every expression has a type.

Below the release stand rows, above it noisy values; an expression above may use group keys and aggregates only.
"""

from dataclasses import dataclass

from sqlglot import exp

from policies.access.request import JoinAsk, UseAsk
from policies.catalogue import Catalogue
from policies.refusals import Refused, Stage
from policies.terms import ColumnUse
from sandbox.algebra import Column, Expr, Relation
from sandbox.boundary import SortTerm
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.keyed import ResolvedKey
from sandbox.compiler.layer import Layer, end_of, shown_of
from sandbox.compiler.lineage import Definitions, definitions
from sandbox.compiler.listed_keys import ties
from sandbox.compiler.measured import Measured
from sandbox.compiler.parse import ParsedQuery
from sandbox.compiler.question import Reading
from sandbox.compiler.reach import is_released
from sandbox.compiler.released import refuse_tables_above
from sandbox.compiler.rows import ScopedTable
from sandbox.compiler.select import Body, Queries
from sandbox.compiler.spelt_size import SPELT_MAX, spelt_too_large
from sandbox.compiler.uses import Use, Uses, join_asks, use_asks


@dataclass(frozen=True, slots=True)
class ResolvedOutput:
    """A column of the answer and the name the operator gave it; the name never crosses the boundary."""

    expr: Expr
    label: str


@dataclass(frozen=True, slots=True)
class ResolvedQuery:
    """The query as facts: the relation and its tables, keys, aggregates, what is done above the release, who is touched.

    `tables[i]` is the i-th scan of `relation`; `unit` the unit code of its rows, `unit_keys` the columns that hold the
    unit's own key; `known` says what each derived column is computed from. `sets` are the grouping sets as asked, by the
    numbers of their keys: nothing for one set of all keys. `layers` is the relation over the released rows that the
    outputs read, nothing for those rows themselves.
    """

    text: str
    tables: tuple[ScopedTable, ...]
    relation: Relation
    unit: Column
    unit_keys: frozenset[Column]
    known: Definitions
    keys: tuple[ResolvedKey, ...]
    sets: tuple[tuple[int, ...], ...]
    aggregates: tuple[ResolvedAggregate, ...]
    outputs: tuple[ResolvedOutput, ...]
    having: Expr | None
    order: tuple[SortTerm, ...]
    limit: int | None
    offset: int
    layers: Relation | None
    uses: tuple[UseAsk, ...]
    joins: tuple[JoinAsk, ...]
    literals: int


def resolve(parsed: ParsedQuery, catalogue: Catalogue) -> ResolvedQuery:
    """Bind every name of the query to the catalogue.

    Refuses: unknown and ambiguous names, types that do not meet, rows of people without equal units, and rows that would
    be shown without an aggregate.
    """
    if parsed.tree.args.get("from_") is None:
        if not parsed.tree.expressions:  # the parser takes a bare `SELECT`
            raise Refused("sql_syntax", Stage.RESOLVE, near="SELECT")
        raise Refused("no_private_table", Stage.RESOLVE)
    reading = Reading(parsed.text, catalogue)
    queries = Queries(reading)
    body = queries.body(parsed.tree, {}, None)
    owned = body.whole().unit is not None
    if not owned and reading.measured is None:
        raise Refused("no_private_table", Stage.RESOLVE)
    layer = queries.released(body) if owned else queries.layer(body, ordered=True)
    release = reading.measured
    if release is None or not is_released(layer.rows.relation):
        raise Refused("no_private_table", Stage.RESOLVE)
    refuse_tables_above(layer.rows.relation, reading)
    reading.tables[:] = release.tables
    reading.places = release.places
    return _resolved(release, layer, body, reading)


def _resolved(release: Measured, layer: Layer, body: Body, reading: Reading) -> ResolvedQuery:
    known = definitions(release.relation)
    above = definitions(layer.rows.relation)
    if spelt_too_large(known) or spelt_too_large(above):
        raise Refused("sql_too_complex", Stage.RESOLVE, what="parts of columns", limit=SPELT_MAX)
    uses = Uses(known, reading.tables)
    shown = shown_of(layer)
    limit, offset = end_of(body.select, reading.sql)
    return ResolvedQuery(
        text=reading.sql,
        tables=release.tables,
        relation=release.relation,
        unit=release.unit,
        unit_keys=release.unit_keys,
        known=known,
        keys=release.keys,
        sets=release.sets,
        aggregates=release.aggregates,
        outputs=tuple(
            ResolvedOutput(expr, column.name)
            for expr, column in zip(shown.columns, layer.columns, strict=True)
        ),
        having=shown.having,
        order=shown.order,
        limit=limit,
        offset=offset,
        layers=shown.relation,
        uses=use_asks(_uses(uses, release.relation, release.keys, release.aggregates), reading),
        joins=join_asks(release.relation, known, reading),
        literals=sum(1 for _ in body.select.root().find_all(exp.Literal)),
    )


def _uses(
    uses: Uses,
    relation: Relation,
    keys: tuple[ResolvedKey, ...],
    aggregates: tuple[ResolvedAggregate, ...],
) -> list[Use]:
    found = list(uses.of_relation(relation))
    for key in keys:
        for expr in (key.expr, *ties(key.expr, relation, uses.known)):
            found += uses.of(expr, ColumnUse.GROUP)
    for aggregate in aggregates:
        found += uses.of_aggregate(aggregate.value, aggregate.condition, aggregate.name)
    return found
