"""Error bars of an answer that stands layers above the release.

Method      A value that is still an expression over one released row has the bars it would have in that row. Any other that
            the noise reaches smoothly is simulated: the whole post-processing runs on DRAWS draws of the noise, independent
            from group to group, and rows of different draws are matched by what carries no noise in them.
Promised    What intervals.py promises. Rows chosen by their noise (HAVING, LIMIT) have the intervals of rows named beforehand.
Not promised  An interval for extremes, ranks, and whatever is counted or added up over rows that were chosen by their
            noise: simulating a choice a second time repeats its bias. They have none, and none has an answer over more than
            GROUPS_MAX released rows, or with joins that could make more than ROWS_MAX, that would have to be simulated.
"""

import math
from collections.abc import Mapping

import duckdb

from policies.terms import Scalar
from sandbox.boundary import Plan
from sandbox.privacy.spread import ErrorLaw
from sandbox.worker.error_bar import ErrorBar
from sandbox.worker.intervals import (
    DRAWS,
    RANK,
    drawn_cells,
    load_draws,
)
from sandbox.worker.layers import LayerRendering

# Times DRAWS rows are held at once, in the quarter of a worker's memory that is kept for released values.
GROUPS_MAX = 500
ROWS_MAX = 1_000  # that joins of them could make
CELLS_MAX = 5_000  # of all simulated columns
_DRAWS_AT_ONCE = 50

Identity = tuple[Scalar, ...]


def can_simulate(released: int, largest: int, columns: int) -> bool:
    """Tell whether so many released rows, joins of at most so many, and so many columns of them are few enough."""
    few = released <= GROUPS_MAX and largest <= ROWS_MAX
    return few and max(released, largest) * columns <= CELLS_MAX


def simulate_layers(
    plan: Plan,
    laws: tuple[tuple[ErrorLaw, ...], ...],
    outputs: tuple[int, ...],
    connection: duckdb.DuckDBPyConnection,
) -> Mapping[int, Mapping[Identity, ErrorBar]]:
    """Return the error bars of each of these outputs, for each row by its identity."""
    relation = plan.post.relation
    if not outputs or relation is None:
        return {}
    load_draws(laws, connection)
    _spread_draws(connection)
    layers = LayerRendering(plan, drawn_cells(plan, _EACH_ITS_OWN), DRAWS)
    rows = layers.rows(relation, spine=True)
    if rows.identity is None:
        return {}
    # As text: a key may be a date that Python has no value for.
    shown = [f"CAST({name} AS VARCHAR) AS i{place}" for place, name in enumerate(rows.identity)]
    shown += [
        f"{layers.rendering.render(plan.post.outputs[output].expr)} AS o{output}"
        for output in outputs
    ]
    drawn = f"SELECT {', '.join(shown)} FROM {rows.text}"  # noqa: S608
    _run_draws(drawn, layers.rendering.parameters, connection)
    return {output: _bars_of(output, len(rows.identity), connection) for output in outputs}


def _run_draws(
    drawn: str, parameters: Mapping[str, object], connection: duckdb.DuckDBPyConnection
) -> None:
    """Make the table of all draws' rows, a few draws at a time: windows hold their whole input. rows: (identity…, value…)"""
    for first in range(0, DRAWS, _DRAWS_AT_ONCE):
        head = "INSERT INTO _ky_drawn" if first else "CREATE OR REPLACE TEMP TABLE _ky_drawn AS"
        chunk = {**parameters, "first": first, "last": first + _DRAWS_AT_ONCE - 1}
        connection.execute(f"{head} {drawn}", chunk)


def _bars_of(
    output: int, width: int, connection: duckdb.DuckDBPyConnection
) -> Mapping[Identity, ErrorBar]:
    names = [f"i{place}" for place in range(width)]
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    found = connection.execute(
        f"SELECT {', '.join([*names, _statistics(output)])} FROM _ky_drawn{grouped}"  # noqa: S608
    ).fetchall()
    bars = {tuple(row[:width]): _bar(*row[width:]) for row in found}
    return {identity: bar for identity, bar in bars.items() if bar is not None}


def _statistics(output: int) -> str:
    value = f"o{output}"
    kept = f"FILTER (WHERE {value} IS NOT NULL AND isfinite(CAST({value} AS DOUBLE)))"
    values = f"list_sort(list({value}) {kept})"
    # Over the sorted values: in another order the last bits of a deviation would be others.
    deviation = f"list_aggregate(list_sort(list(CAST({value} AS DOUBLE)) {kept}), 'stddev_samp')"
    return f"count({value}) {kept}, {deviation}, {values}[{RANK}], {values}[{DRAWS + 1 - RANK}]"


def _bar(count: int, deviation: float | None, lower: Scalar, upper: Scalar) -> ErrorBar | None:
    # A value that some draws do not have says nothing about its own error.
    if count != DRAWS:
        return None
    finite = deviation is not None and math.isfinite(deviation)
    return ErrorBar(deviation if finite else None, lower, upper)


# Each group goes through the points of the noise law in an order of its own. In one common order the errors of all groups
# would rise and fall together, and the error of a sum of n groups would come out n times that of one, not √n times.
_EACH_ITS_OWN = (
    "JOIN (SELECT * FROM _ky_spread WHERE d BETWEEN $first AND $last) USING (g)"
    " JOIN _ky_draws USING (s, point)"
)


def _spread_draws(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of which point of the noise law a group has in a draw. rows: (group, draw, point)"""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _ky_spread AS SELECT g, d, CAST(row_number() OVER"  # noqa: S608
        " (PARTITION BY g ORDER BY md5(concat_ws(':', g, d)), d) AS BIGINT) - 1 AS point"
        f" FROM _ky_cells CROSS JOIN (SELECT range AS d FROM range({DRAWS}))"
    )
