"""Stage 2: `ParsedQuery` → `ResolvedQuery`. Every name leads to one registered column, every expression has a type.

Below the release stand rows, above it noisy values; an expression above may use group keys and aggregates only.
"""

from dataclasses import dataclass, replace

from sqlglot import exp

from policies.access.request import JoinAsk, UseAsk
from policies.catalogue import Catalogue
from policies.refusals import Refused, Stage
from policies.terms import ColumnUse
from sandbox.algebra import Column, Exists, Expr, Relation, walk
from sandbox.boundary import SortTerm
from sandbox.compiler.above import AboveReader, order_terms
from sandbox.compiler.aggregates import ResolvedAggregate, moved, parts_of
from sandbox.compiler.derive import own, project
from sandbox.compiler.group_rows import label
from sandbox.compiler.keyed import ResolvedKey, whole_number, without_alias
from sandbox.compiler.lineage import Definitions, definitions
from sandbox.compiler.parse import ParsedQuery
from sandbox.compiler.places import position
from sandbox.compiler.question import Reading
from sandbox.compiler.rows import Rows, ScopedTable
from sandbox.compiler.scope import condition as condition_of
from sandbox.compiler.select import Body, Queries
from sandbox.compiler.settle import Renaming, settle
from sandbox.compiler.table_value import IsRelease
from sandbox.compiler.uses import Use, Uses, join_asks, use_asks

LIMIT_MAX = 10**6


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
        raise Refused("no_private_table", Stage.RESOLVE)
    reading = Reading(parsed.text, catalogue)
    try:
        body = Queries(reading).body(parsed.tree, {}, None)
    except IsRelease as found:
        raise reading.unsupported(
            found.select,
            "a release below another one",
            "group its rows by the key of the privacy unit, or ask for it by itself",
        ) from None
    return _release(body, reading)


def _release(body: Body, reading: Reading) -> ResolvedQuery:
    """Read a SELECT that aggregates the rows of different people."""
    tree = body.select
    for clause in ("distinct", "qualify", "windows"):
        if tree.args.get(clause):
            raise reading.unsupported(
                tree, f"{clause.upper()} above the release", "leave that part out"
            )
    if body.whole().unit is None:
        raise Refused("no_private_table", Stage.RESOLVE)
    above = AboveReader(body.scope, tree)
    outputs = tuple(
        ResolvedOutput(above.read(without_alias(node)), label(node)) for node in tree.expressions
    )
    having_node = tree.args.get("having")
    having = condition_of(above, having_node.this) if having_node else None
    order = order_terms(tree, above)
    if not above.aggregates:
        raise Refused("no_aggregate", Stage.RESOLVE, at=position(tree.expressions[0], reading.sql))
    rows, keys, aggregates = _with_exists_below(
        body.rows(), above.keys, tuple(above.aggregates), reading.number(tree)
    )
    read = (*(k.expr for k in keys), *(e for a in aggregates for e in parts_of(a)))
    settled = settle(rows.relation, read)
    new = settled.renaming
    keys = tuple(replace(key, expr=new.expr(key.expr)) for key in keys)
    aggregates = tuple(moved(found, new.expr) for found in aggregates)
    _renumber(reading, new)
    known = definitions(settled.relation)
    uses = Uses(known, reading.tables)
    return ResolvedQuery(
        text=reading.sql,
        tables=tuple(reading.tables),
        relation=settled.relation,
        unit=new.column(_unit(rows)),
        unit_keys=frozenset(new.column(key) for key in rows.keys if new.keeps(key)),
        known=known,
        keys=keys,
        sets=above.sets,
        aggregates=aggregates,
        outputs=outputs,
        having=having,
        order=order,
        limit=_count(tree, "limit", reading.sql),
        offset=_count(tree, "offset", reading.sql) or 0,
        layers=None,
        uses=use_asks(_uses(uses, settled.relation, keys, aggregates), reading),
        joins=join_asks(settled.relation, known, reading),
        literals=sum(1 for _ in tree.root().find_all(exp.Literal)),
    )


def _with_exists_below(
    rows: Rows,
    keys: tuple[ResolvedKey, ...],
    aggregates: tuple[ResolvedAggregate, ...],
    number: int,
) -> tuple[Rows, tuple[ResolvedKey, ...], tuple[ResolvedAggregate, ...]]:
    """Compute what reads other rows inside the relation: what is measured then reads one row, as every proof about it says."""
    read = (*(k.expr for k in keys), *(e for a in aggregates for e in parts_of(a)))
    if not any(isinstance(part, Exists) for expr in read for part in walk(expr)):
        return rows, keys, aggregates
    columns = tuple(dict.fromkeys(read))
    place = {expr: own(number, index, expr) for index, expr in enumerate(columns)}
    below = project(number, rows, columns, (), rows.name)
    return (
        below,
        tuple(replace(key, expr=place[key.expr]) for key in keys),
        tuple(moved(found, place.__getitem__) for found in aggregates),
    )


def _unit(rows: Rows) -> Column:
    if rows.unit is None:
        raise Refused("no_private_table", Stage.RESOLVE)
    return rows.unit


def _renumber(reading: Reading, new: Renaming) -> None:
    """Let the tables and places of the question follow the numbers of the settled relation."""
    kept = [reading.tables[old] for old in new.scans]
    reading.tables[:] = [replace(table, index=index) for index, table in enumerate(kept)]
    reading.places = {
        new.column(column): place for column, place in reading.places.items() if new.keeps(column)
    }


def _uses(
    uses: Uses,
    relation: Relation,
    keys: tuple[ResolvedKey, ...],
    aggregates: tuple[ResolvedAggregate, ...],
) -> list[Use]:
    found = list(uses.of_relation(relation))
    for key in keys:
        found += uses.of(key.expr, ColumnUse.GROUP)
    for aggregate in aggregates:
        found += uses.of_aggregate(aggregate.value, aggregate.condition, aggregate.name)
    return found


def _count(tree: exp.Select, name: str, sql: str) -> int | None:
    clause = tree.args.get(name)
    if clause is None:
        return None
    node = clause.expression
    value = whole_number(node)
    if not 0 <= value <= LIMIT_MAX:
        raise Refused(
            "sql_argument_refused",
            Stage.RESOLVE,
            at=position(clause, sql),
            name=name.upper(),
            need=f"a whole number up to {LIMIT_MAX}",
            cure="write the number out",
        )
    return value
