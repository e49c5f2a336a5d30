"""A SELECT that releases: its keys and aggregates are measured, everything else of it stands above the noise.

Subqueries and WITH entries that release are relations like any other to the SELECTs above them. A question has one release;
one that is written twice, or asks for other aggregates of the same groups, is measured once.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from policies.refusals import Refused, Stage
from sandbox.algebra import AggregateRef, Cells, Filter, Relation, Scan, relations
from sandbox.compiler.above import AboveReader
from sandbox.compiler.aggregates import ResolvedAggregate, moved, parts_of
from sandbox.compiler.exists_below import with_exists_below
from sandbox.compiler.group_rows import label
from sandbox.compiler.keyed import without_alias
from sandbox.compiler.layer import Layer, is_windowed, order_of
from sandbox.compiler.measured import Measured
from sandbox.compiler.places import position
from sandbox.compiler.question import Reading
from sandbox.compiler.reach import is_released
from sandbox.compiler.rewrite import rewritten
from sandbox.compiler.rows import Named, public_rows
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.scope import condition
from sandbox.compiler.settle import settle
from sandbox.compiler.windows import WindowReader

if TYPE_CHECKING:
    from sandbox.compiler.select import Body

_CURE = "group its rows by the key of the privacy unit, or ask for it by itself"


def refuse_tables_above(relation: Relation, reading: Reading) -> None:
    """Refuse a registered table beside released rows: above the noise there is no snapshot."""
    for part in relations(relation):
        if isinstance(part, Scan):
            table = reading.tables[part.index]
            raise Refused(
                "sql_feature_refused",
                Stage.RESOLVE,
                at=table.at,
                what=f"{table.table.name} above the release",
                cure="join it inside the subquery that aggregates, or write its rows as VALUES",
            )


def read_release(body: "Body", reading: Reading) -> Layer:
    """Return what a SELECT that aggregates rows of different people shows of its cells.

    Refuses: a release below another one, two different releases in one question, and rows shown without an aggregate.
    """
    select = body.select
    above = AboveReader(body.scope, select)
    reader: ScalarReader = above
    windows: WindowReader | None = None
    if is_windowed(select, ordered=True):
        windows = WindowReader(body.scope, above, select, reading.number(select))
        reader = windows
    columns = tuple(Named(label(n), reader.read(without_alias(n))) for n in select.expressions)
    having, qualify = (select.args.get(name) for name in ("having", "qualify"))
    kept = None if having is None else condition(above, having.this)
    chosen = None if qualify is None else condition(reader, qualify.this)
    order = order_of(select, reader)
    if not above.aggregates:
        raise Refused(
            "no_aggregate", Stage.RESOLVE, at=position(select.expressions[0], reading.sql)
        )
    found = _settled(body, above, reading)
    rows = public_rows(Cells(), body.whole().name)
    if kept is not None:
        rows = replace(rows, relation=Filter(rows.relation, kept))
    if windows is not None:
        rows = windows.rows(rows)
    if chosen is not None:
        rows = replace(rows, relation=Filter(rows.relation, chosen))
    return _measured(Layer(rows, columns, order), found, select, reading)


def _settled(body: "Body", above: AboveReader, reading: Reading) -> Measured:
    rows, keys, aggregates = with_exists_below(
        body.rows(), above.keys, tuple(above.aggregates), reading.number(body.select)
    )
    if rows.unit is None:
        raise Refused("no_private_table", Stage.RESOLVE)
    if is_released(rows.relation):
        raise reading.unsupported(body.select, "a release below another one", _CURE)
    read = (*(k.expr for k in keys), *(e for a in aggregates for e in parts_of(a)))
    settled = settle(rows.relation, read)
    new = settled.renaming
    tables = [reading.tables[old] for old in new.scans]
    return Measured(
        settled.relation,
        tuple(replace(table, index=index) for index, table in enumerate(tables)),
        {new.column(c): place for c, place in reading.places.items() if new.keeps(c)},
        new.column(rows.unit),
        frozenset(new.column(key) for key in rows.keys if new.keeps(key)),
        tuple(replace(key, expr=new.expr(key.expr)) for key in keys),
        above.sets,
        tuple(moved(aggregate, new.expr) for aggregate in aggregates),
    )


def _measured(layer: Layer, found: Measured, select: exp.Select, reading: Reading) -> Layer:
    """Let the question measure this release, or read it off the one that is measured already."""
    known = reading.measured
    if known is None:
        reading.measured = found
        return layer
    if not known.measures(found):
        raise reading.unsupported(
            select,
            "two different releases in one question",
            "ask two questions, or group the same rows by the same keys in both",
        )
    aggregates = list(known.aggregates)
    places = [_place(aggregate, aggregates) for aggregate in found.aggregates]
    reading.measured = replace(known, aggregates=tuple(aggregates))
    return _renumbered(layer, places)


def _place(aggregate: ResolvedAggregate, known: list[ResolvedAggregate]) -> int:
    for index, other in enumerate(known):
        if replace(other, words=aggregate.words, at=aggregate.at) == aggregate:
            return index
    known.append(aggregate)
    return len(known) - 1


def _renumbered(layer: Layer, places: list[int]) -> Layer:
    """Return the layer over the aggregates' places in the one measurement."""

    def change(found: object) -> object:
        if isinstance(found, AggregateRef):
            return replace(found, index=places[found.index])
        return found

    moved: Layer = rewritten(layer, change)
    return moved
