"""How far a noisy number may be off: its standard deviation and 95 % interval, from the noise law and the noisy totals.

Method      Bare COUNT and SUM of one moment: the noise law itself, the smallest whole half-width that holds it with 95 %.
            Everything else: the expression is evaluated on noisy totals minus DRAWS points of the noise law, spread evenly
            over its quantiles, and the 2.5 % and 97.5 % points of the results are taken. No dice: the same totals give
            the same interval.
Promised    Coverage of 92 to 98 % while no row, partial or group bound cuts anything; above it where the scale is below 5
            steps (whole numbers cannot do better). Clipping bias is not in the interval.
Not promised  An interval where some points have no value, as a ratio over a count that may be 0: then there is none.
            A bare AVG, VAR or STDDEV falls back to the interval that the declared bounds allow.
"""

import math
from collections.abc import Mapping

import duckdb

from policies.terms import Scalar
from sandbox.algebra import AggregateRef, Expr
from sandbox.boundary import Plan
from sandbox.privacy import accuracy
from sandbox.privacy.aggregates.aggregate import step_value
from sandbox.privacy.aggregates.ranges import result_range
from sandbox.privacy.grouping import finest_moments
from sandbox.privacy.spread import ErrorLaw
from sandbox.worker.error_bar import ErrorBar, Shown
from sandbox.worker.rank_intervals import moved_bin
from sandbox.worker.released import (
    I64_MAX,
    ending_of,
    finish,
    load_lists,
    select_released,
)
from sandbox.worker.render import released_reference
from sandbox.worker.scalars import scalars

ALPHA = 0.05
DRAWS = 400
RANK = int(DRAWS * ALPHA / 2)  # the tenth smallest and the tenth largest
_GROUPS_AT_ONCE = 1_000  # bounds the memory of a simulation


def exact_bars(
    plan: Plan, expr: Expr, shown: Shown, connection: duckdb.DuckDBPyConnection
) -> Mapping[int, ErrorBar]:
    """Return the error bars of a bare COUNT or SUM: the totals moved by the half-width, finished the same way."""
    assert_bare(expr)
    index = expr.index  # type: ignore[union-attr]
    moment = plan.aggregates[index].moments[0]
    step = step_value(ending_of(plan, index).steps[0])
    deviations = [laws[moment].deviation * step for laws in shown.laws]
    rendering = scalars(released_reference, {})
    ends = []
    for sign in ("-", "+"):
        # A total near the end of i64 stays there, as OpenDP's own saturation does.
        moved = f"least(greatest(CAST(m{moment} AS HUGEINT) {sign} {_half_widths(shown, moment)}, -{I64_MAX}), {I64_MAX})"
        cells = f"(SELECT * REPLACE (CAST({moved} AS BIGINT) AS m{moment}) FROM _ky_cells)"  # noqa: S608
        ends.append(f"(SELECT g, s, {finish(plan, index, rendering)} AS x FROM {cells})")  # noqa: S608
    found = connection.execute(
        f"SELECT g, low.s, low.x, high.x FROM {ends[0]} AS low JOIN {ends[1]} AS high USING (g)",  # noqa: S608
        rendering.parameters,
    ).fetchall()
    return {group: ErrorBar(deviations[s], lower, upper) for group, s, lower, upper in found}


def assert_bare(expr: Expr) -> None:
    """Refuse anything but a bare aggregate: its interval would be that of another number."""
    if not isinstance(expr, AggregateRef):
        raise ValueError("only a bare aggregate has the noise law itself")


def simulated_bars(
    plan: Plan, expr: Expr, shown: Shown, connection: duckdb.DuckDBPyConnection
) -> Mapping[int, ErrorBar]:
    """Return the error bars of any numeric expression, from points spread evenly over the noise law."""
    load_draws(shown.laws, connection)
    rendering = scalars(released_reference, {})
    cells = drawn_cells(
        plan,
        "JOIN _ky_draws USING (s) WHERE g IN (SELECT unnest(CAST($groups AS INTEGER[])))",
    )
    values = select_released(plan, rendering, f"g, {rendering.render(expr)} AS x", "", cells)
    query = (
        f"SELECT g, count(x), stddev_samp(CAST(x AS DOUBLE)), list_sort(list(x))[{RANK}],"  # noqa: S608
        f" list_sort(list(x))[{DRAWS + 1 - RANK}] FROM ({values})"
        " WHERE x IS NOT NULL AND isfinite(CAST(x AS DOUBLE)) GROUP BY g"
    )
    bars: dict[int, ErrorBar] = {}
    for start in range(0, len(shown.groups), _GROUPS_AT_ONCE):
        chunk = list(shown.groups[start : start + _GROUPS_AT_ONCE])
        found = connection.execute(query, {**rendering.parameters, "groups": chunk}).fetchall()
        for group, count, deviation, lower, upper in found:
            if count == DRAWS:
                bars[group] = ErrorBar(_finite(deviation), lower, upper)
    return {**bars, **_unsure(plan, expr, shown, bars, connection)}


def _unsure(
    plan: Plan,
    expr: Expr,
    shown: Shown,
    bars: Mapping[int, ErrorBar],
    connection: duckdb.DuckDBPyConnection,
) -> Mapping[int, ErrorBar]:
    """Return the bars of a bare aggregate over a count that may be too small: there the declared interval speaks."""
    if not isinstance(expr, AggregateRef):
        return {}
    aggregate = plan.aggregates[expr.index]
    found = result_range(aggregate.name, ending_of(plan, expr.index))
    if found is None:
        return {}
    count = aggregate.moments[found.count]
    small = f"m{count} <= {found.above} + {_half_widths(shown, count)}"
    rows = connection.execute(f"SELECT g, {small} FROM _ky_cells").fetchall()  # noqa: S608
    return {
        group: ErrorBar(None, found.lower, found.upper)
        for group, is_small in rows
        if is_small or group not in bars
    }


def drawn_cells(plan: Plan, draws: str) -> str:
    """Return the table of totals joined with `draws` of the noise, every total without its draw's noise."""
    moved = ", ".join(
        # The truth is the noisy total minus its noise, and the noise is symmetric.
        moved_bin(i, claim)
        if claim.rank is not None
        else f"CAST(least(greatest(CAST(m{i} AS HUGEINT) - z{i}, -{I64_MAX}), {I64_MAX}) AS BIGINT) AS m{i}"
        for i, claim in enumerate(finest_moments(plan.measurement))
    )
    return f"(SELECT * REPLACE ({moved}) FROM _ky_cells {draws})"  # noqa: S608


def load_draws(
    every: tuple[tuple[ErrorLaw, ...], ...], connection: duckdb.DuckDBPyConnection
) -> None:
    """Make the table of error points, one column per moment. rows: (grouping set, point, z0, z1, …)"""
    moments = len(every[0]) if every else 0
    points = accuracy.even_points(max(1, moments), DRAWS)
    lists: dict[str, list[Scalar]] = {
        "s": [place for place in range(len(every)) for _ in points],
        "point": [place for _ in every for place in range(DRAWS)],
    }
    for index in range(moments):
        lists[f"z{index}"] = [
            laws[index].quantile(point[index]) for laws in every for point in points
        ]
    load_lists("_ky_draws", dict.fromkeys(lists, "BIGINT"), lists, connection)


def _half_widths(shown: Shown, moment: int) -> str:
    """Return the half-width of a moment's interval, as a function of the row's grouping set."""
    widths = [laws[moment].half_width(ALPHA) for laws in shown.laws]
    if len(widths) == 1:
        return str(widths[0])
    return f"CASE s {' '.join(f'WHEN {place} THEN {w}' for place, w in enumerate(widths))} END"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
