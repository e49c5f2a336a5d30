"""Turn noisy totals into the answer: finish, select, order, and say how far each number may be off.

Statement   The release is a function of the noisy totals and the plan.
Reason      Nothing else is an argument: `connection` is an empty engine. So this is post-processing and free
            (Dwork and Roth 2014, Proposition 2.1), HAVING, ORDER BY and LIMIT included.
Not promised  Rows chosen by HAVING or LIMIT were chosen by their noise, too: their intervals are those of a row named
            beforehand.
"""

from collections.abc import Mapping

import duckdb

from policies.terms import AggregateName, Scalar
from sandbox.algebra import AggregateRef, Expr, GroupingRef, KeyRef, walk
from sandbox.boundary import (
    Cell,
    ColumnRole,
    IntervalMethod,
    NoiseUsed,
    NoisyAggregate,
    Plan,
    Release,
    ReleaseColumn,
)
from sandbox.privacy import measurements
from sandbox.privacy.aggregates import ORDERED
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.bars import bars_by
from sandbox.worker.error_bar import NO_ERROR, ErrorBar, Shown
from sandbox.worker.finish_layers import Laws, finish_layers
from sandbox.worker.rank_intervals import load_ends
from sandbox.worker.released import load_cells, select_released
from sandbox.worker.render import released_reference
from sandbox.worker.scalars import scalars
from sandbox.worker.scalars.dates import within_years
from sandbox.worker.set_cells import error_laws
from sandbox.worker.sql_types import is_number

_RECONCILED = IntervalMethod.RECONCILED_NOISE_LAW
_EXACT = (
    AggregateName.COUNT,
    AggregateName.COUNT_DISTINCT,
    AggregateName.SUM,
    AggregateName.REGR_COUNT,
)


def post_process(
    plan: Plan, noisy: NoisyAggregates, connection: duckdb.DuckDBPyConnection
) -> Release:
    """Return the answer to a plan from its noisy totals. `connection` is an empty engine without any table."""
    noise = tuple(
        NoiseUsed(index, measurements.law(moment), moment.scale, moment.loss)
        for index, moment in enumerate(plan.measurement.moments)
    )
    load_cells(plan, noisy, connection)
    load_ends(plan, connection)
    laws = error_laws(plan, noisy.sizes)
    if plan.post.relation is not None:
        return _layered(plan, laws, noise, connection)
    columns = tuple(_column(output.expr, plan) for output in plan.post.outputs)
    # rows: (group, value of each output), in the order of the answer
    rows = _select(plan, connection)
    groups = tuple(int(str(row[0])) for row in rows)
    bars = tuple(
        _bars(plan, output.expr, column, Shown(groups, laws), connection)
        for output, column in zip(plan.post.outputs, columns, strict=True)
    )
    cells = tuple(
        tuple(
            _cell(value, bar.get(group, NO_ERROR)) for value, bar in zip(row[1:], bars, strict=True)
        )
        for group, row in zip(groups, rows, strict=True)
    )
    return Release(columns, cells, noise, plan.measurement.selection)


def _layered(
    plan: Plan, laws: Laws, noise: tuple[NoiseUsed, ...], connection: duckdb.DuckDBPyConnection
) -> Release:
    answer = finish_layers(plan, laws, lambda expr: _column(expr, plan), connection)
    cells = tuple(
        tuple(_cell(value, bar) for value, bar in zip(row, bars, strict=True))
        for row, bars in zip(answer.rows, answer.bars, strict=True)
    )
    return Release(answer.columns, cells, noise, plan.measurement.selection)


def _column(expr: Expr, plan: Plan) -> ReleaseColumn:
    nodes = walk(expr)
    if any(isinstance(node, AggregateRef) for node in nodes):
        exact = isinstance(expr, AggregateRef) and _is_one_total(plan.aggregates[expr.index])
        own = _RECONCILED if plan.measurement.sets else IntervalMethod.EXACT_NOISE_LAW
        method = own if exact else IntervalMethod.SIMULATED_NOISE_LAW
        named = {plan.aggregates[n.index].name for n in nodes if isinstance(n, AggregateRef)}
        if AggregateName.MODE in named:
            method = IntervalMethod.NONE  # the error of a choice among names is no distance
        elif isinstance(expr, AggregateRef) and named <= set(ORDERED):
            method = IntervalMethod.RELEASED_RANKS
        elif not is_number(expr.type):
            method = IntervalMethod.NONE
        return ReleaseColumn(expr.type, ColumnRole.NOISY, method)
    keyed = any(isinstance(node, KeyRef | GroupingRef) for node in nodes)
    role = ColumnRole.KEY if keyed else ColumnRole.CONSTANT
    return ReleaseColumn(expr.type, role, IntervalMethod.NONE)


def _is_one_total(aggregate: NoisyAggregate) -> bool:
    return aggregate.name in _EXACT and len(aggregate.moments) == 1


def _select(plan: Plan, connection: duckdb.DuckDBPyConnection) -> list[tuple[Scalar, ...]]:
    rendering = scalars(released_reference, {})
    outputs = ""
    for index, output in enumerate(plan.post.outputs):
        outputs += f", {rendering.render(output.expr)} AS o{index}"
    where = f" WHERE {rendering.render(plan.post.having)}" if plan.post.having else ""
    terms = [
        f"{rendering.render(term.expr)} {'DESC' if term.descending else 'ASC'}"
        f" NULLS {'FIRST' if term.nulls_first else 'LAST'}"
        for term in plan.post.order
    ]
    limit = "" if plan.post.limit is None else f" LIMIT {plan.post.limit}"
    # The group's number breaks ties: keys in canonical order, the same on every run.
    chosen = select_released(
        plan, rendering, f"g{outputs}", f"{where} ORDER BY {', '.join([*terms, 'g'])}{limit}"
    )
    kept = ", ".join(
        f"CASE WHEN {within_years(f'o{index}', output.expr.type)} THEN o{index} END"
        for index, output in enumerate(plan.post.outputs)
    )
    return connection.execute(
        f"SELECT g, {kept} FROM ({chosen} OFFSET {plan.post.offset})",  # noqa: S608
        rendering.parameters,
    ).fetchall()


def _bars(
    plan: Plan,
    expr: Expr,
    column: ReleaseColumn,
    shown: Shown,
    connection: duckdb.DuckDBPyConnection,
) -> Mapping[int, ErrorBar]:
    if column.interval is IntervalMethod.NONE:
        return {}
    return bars_by(column.interval)(plan, expr, shown, connection)


def _cell(value: Scalar, bar: ErrorBar) -> Cell:
    lower, upper = bar.lower, bar.upper
    if value is not None and lower is not None and upper is not None:
        # A released number is never outside its own interval: rounding to whole draws could put it there.
        lower, upper = min(lower, value), max(upper, value)
    return Cell(value, bar.deviation, lower, upper)
