"""The answer of a plan with layers above its release: their rows in order, each value with its error bar.

Statement   The answer is a function of the noisy totals and the plan, as in post_process.py.
Reason      docs/proofs/layers.md: lemma 1 says that nothing else is read, lemma 2 that ties and sums of DOUBLE have one order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from policies.terms import Scalar
from sandbox.algebra import (
    Column,
    Exists,
    Expr,
    KeyRef,
    Relation,
    RowOrder,
    own_expressions,
    relations,
    rows_at_most,
    walk,
)
from sandbox.boundary import ColumnRole, IntervalMethod, Plan, ReleaseColumn
from sandbox.privacy.spread import ErrorLaw
from sandbox.worker.bars import bars_by
from sandbox.worker.error_bar import NO_ERROR, ErrorBar, Shown
from sandbox.worker.keys import TooManyKeys
from sandbox.worker.layer_bars import Identity, can_simulate, simulate_layers
from sandbox.worker.layer_facts import Fact, Noise, Origin, fact, facts_of
from sandbox.worker.layer_forms import ordered_by
from sandbox.worker.layers import LayerRendering
from sandbox.worker.scalars.dates import within_years
from sandbox.worker.sql_types import is_number

Laws = tuple[tuple[ErrorLaw, ...], ...]  # for each grouping set, of each moment

# What joins above the release can make, and pairs of rows an EXISTS can compare: bounds memory and time.
ROWS_MAX = 50_000
PAIRS_MAX = 10**7


@dataclass(frozen=True, slots=True)
class LayeredRow:
    """One row of the answer: how it is found again, the released rows it stems from, and its values."""

    identity: Identity
    leaves: tuple[int | None, ...]
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class LayeredAnswer:
    """Columns, values row by row, and the error bars beside them."""

    columns: tuple[ReleaseColumn, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    bars: tuple[tuple[ErrorBar, ...], ...]


def finish_layers(
    plan: Plan,
    laws: Laws,
    column_of: Callable[[Expr], ReleaseColumn],
    connection: duckdb.DuckDBPyConnection,
) -> LayeredAnswer:
    """Return the answer from the loaded cells; `column_of` knows the columns of one released row.

    Refuses (TooManyKeys) by the plan alone: joins above the release that could multiply its rows beyond all bounds.
    """
    relation = plan.post.relation
    if relation is None:
        raise ValueError("a plan without layers is finished in one step")
    (released,) = connection.execute("SELECT count(*) FROM _ky_cells").fetchall()[0]
    # Of groups that nobody declared the plan's limit counts: how many there are must not decide whether the run fails.
    chosen = plan.measurement.selection
    released = released if chosen is None else max(released, chosen.keys_max)
    largest = max(rows_at_most(part, released) for part in relations(relation))
    if largest > ROWS_MAX or _compared(relation, released) > PAIRS_MAX:
        raise TooManyKeys(f"more than {ROWS_MAX} rows above the release")
    known = facts_of(relation, plan)
    facts = tuple(fact(output.expr, known) for output in plan.post.outputs)
    # Rows of several grouping sets share their noise: draws for each of them alone would be those of other cells.
    alone = not plan.measurement.sets and not plan.post.sets
    anew = sum(
        found.origin is None and found.noise in (Noise.LINEAR, Noise.SMOOTH) for found in facts
    )
    simulated = alone and known.identified and can_simulate(released, largest, anew)
    columns = tuple(
        _column(output.expr, found, simulated, column_of)
        for output, found in zip(plan.post.outputs, facts, strict=True)
    )
    rows = _select(plan, relation, connection)
    bars = _Bars(plan, laws, connection).of(columns, facts, rows)
    return LayeredAnswer(columns, tuple(row.values for row in rows), bars)


def _compared(relation: Relation, released: int) -> int:
    """Return how many pairs of rows an EXISTS may have to look at."""
    sizes = [
        rows_at_most(part, released) * rows_at_most(inside.relation, released)
        for part in relations(relation)
        for expr in own_expressions(part)
        for inside in walk(expr)
        if isinstance(inside, Exists)
    ]
    return max(sizes, default=0)


def _column(
    expr: Expr, found: Fact, simulated: bool, column_of: Callable[[Expr], ReleaseColumn]
) -> ReleaseColumn:
    if found.noise is Noise.NONE:
        named = any(isinstance(node, Column | KeyRef) for node in walk(expr))
        role = ColumnRole.KEY if named else ColumnRole.CONSTANT
        return ReleaseColumn(expr.type, role, IntervalMethod.NONE)
    method = IntervalMethod.NONE
    if found.noise is not Noise.ROUGH:
        if found.origin is not None:
            method = column_of(found.origin.expr).interval
        elif simulated and is_number(expr.type):
            method = IntervalMethod.SIMULATED_NOISE_LAW
    return ReleaseColumn(expr.type, ColumnRole.NOISY, method)


def _select(
    plan: Plan, relation: Relation, connection: duckdb.DuckDBPyConnection
) -> tuple[LayeredRow, ...]:
    post = plan.post
    layers = LayerRendering(plan, "_ky_cells", draws=0)
    rows = layers.rows(relation, spine=True)
    shown = [f"CAST({name} AS VARCHAR)" for name in rows.identity or ()] + [*rows.leaves]
    for index, output in enumerate(post.outputs):
        shown.append(f"{layers.rendering.render(output.expr)} AS o{index}")
    terms = tuple(RowOrder(term.expr, term.descending, term.nulls_first) for term in post.order)
    by = ordered_by(terms, rows.ties, layers.rendering)
    limit = "" if post.limit is None else f" LIMIT {post.limit}"
    hidden = len(shown) - len(post.outputs)
    names = ", ".join(
        [*(f"h{i}" for i in range(hidden)), *(f"o{i}" for i in range(len(post.outputs)))]
    )
    chosen = (
        f"SELECT {', '.join(shown)} FROM {rows.text}"  # noqa: S608
        f"{by}{limit} OFFSET {post.offset}"
    )
    kept = [f"h{place}" for place in range(hidden)]
    kept += [
        f"CASE WHEN {within_years(f'o{index}', output.expr.type)} THEN o{index} END"
        for index, output in enumerate(post.outputs)
    ]
    found = connection.execute(
        f"SELECT {', '.join(kept)} FROM ({chosen}) AS answer({names})",  # noqa: S608
        layers.rendering.parameters,
    ).fetchall()
    width = len(rows.identity or ())
    return tuple(LayeredRow(row[:width], row[width:hidden], row[hidden:]) for row in found)


@dataclass(frozen=True, slots=True)
class _Bars:
    """Finds error bars: by the released row where there is one, by simulation elsewhere."""

    plan: Plan
    laws: Laws
    connection: duckdb.DuckDBPyConnection

    def of(
        self,
        columns: tuple[ReleaseColumn, ...],
        facts: tuple[Fact, ...],
        rows: tuple[LayeredRow, ...],
    ) -> tuple[tuple[ErrorBar, ...], ...]:
        """Return the error bars, row by row."""
        wanted = [i for i, c in enumerate(columns) if c.interval is not IntervalMethod.NONE]
        anew = tuple(index for index in wanted if facts[index].origin is None)
        layered = simulate_layers(self.plan, self.laws, anew, self.connection)
        by_column: list[list[ErrorBar]] = []
        for index, found in enumerate(facts):
            if index in layered:
                by_column.append([layered[index].get(row.identity, NO_ERROR) for row in rows])
            elif index in wanted and found.origin is not None:
                by_column.append(self._of_origin(found.origin, columns[index], rows))
            else:
                by_column.append([NO_ERROR] * len(rows))
        return tuple(zip(*by_column, strict=True))

    def _of_origin(
        self, origin: Origin, column: ReleaseColumn, rows: tuple[LayeredRow, ...]
    ) -> list[ErrorBar]:
        places = [row.leaves[origin.leaf] for row in rows]
        groups = tuple(dict.fromkeys(place for place in places if place is not None))
        shown = Shown(groups, self.laws)
        bars = bars_by(column.interval)(self.plan, origin.expr, shown, self.connection)
        return [NO_ERROR if place is None else bars.get(place, NO_ERROR) for place in places]
