"""How far an order statistic may be off: between two more noisy choices, made and charged with the first.

Method      The ends are choices of ranks so far below and above the one asked for that each errs past it with 2 % where
            rows are evenly dense (sandbox/privacy/ranks.py). Of the smallest and the largest value the far end is the
            declared bound.
Promised    Coverage of 92 to 98 % of the value of the rows in their bins, above it where one bin holds many rows.
Not promised  The same where the density of rows jumps inside the interval. Where the noisy count says that the rows beyond
            the rank are too few to outweigh all empty bins, the interval is the declared one and there is no deviation.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import duckdb

from sandbox.algebra import AggregateRef, Expr
from sandbox.boundary import Moment, NoisyAggregate, Plan, RankSide
from sandbox.privacy import accuracy, measurements, ranks
from sandbox.privacy.aggregates.quantile import value_at
from sandbox.worker.error_bar import ErrorBar, Shown
from sandbox.worker.released import ending_of
from sandbox.worker.render import released_reference
from sandbox.worker.scalars import Rendering, scalars
from sandbox.worker.sql_types import BIGINT, is_number

_ALPHA = 0.05
_BIN = AggregateRef(0, BIGINT)  # stands for a column of bins


def load_ends(plan: Plan, connection: duckdb.DuckDBPyConnection) -> None:
    """Put the ends of each rank's interval beside it, as bins: l3 and u3 for the rank m3."""
    columns: dict[int, str] = {}
    for aggregate in plan.aggregates:
        index = aggregate.moments[0]
        claim = plan.measurement.moments[index]
        if claim.rank is not None and claim.rank.side is RankSide.POINT:
            lower, upper = _ends(plan, aggregate, claim)
            columns[index] = f", {lower} AS l{index}, {upper} AS u{index}"
    if columns:
        query = f"SELECT *{''.join(columns.values())} FROM _ky_cells"  # noqa: S608
        connection.execute(f"CREATE OR REPLACE TEMP TABLE _ky_cells AS {query}")


def _ends(plan: Plan, aggregate: NoisyAggregate, claim: Moment) -> tuple[str, str]:
    point, *ends, count = (f"m{index}" for index in aggregate.moments)
    last = ranks.candidates_of(claim) - 1
    if ends:
        lower, upper = f"least({ends[0]}, {point})", f"greatest({ends[1]}, {point})"
    elif claim.rank is not None and claim.rank.numerator == 0:
        lower, upper = "0", point
    else:
        lower, upper = point, str(last)
    unsure = f"{count} < {_rows_needed(plan, aggregate)}"
    return (
        f"CAST(CASE WHEN {unsure} THEN 0 ELSE {lower} END AS BIGINT)",
        f"CAST(CASE WHEN {unsure} THEN {last} ELSE {upper} END AS BIGINT)",
    )


def _rows_needed(plan: Plan, aggregate: NoisyAggregate) -> int:
    """Return the noisy count from which on the rows certainly outweigh the empty bins beyond them."""
    *used, count = (plan.measurement.moments[index] for index in aggregate.moments)
    rank = used[0].rank
    if rank is None:
        raise ValueError("an order statistic has a rank")
    beyond = max(ranks.outside(moment) for moment in used)
    nearer = min(rank.numerator, rank.denominator - rank.numerator)
    needed = 2 * beyond if nearer == 0 else beyond * rank.denominator / nearer
    law = measurements.mechanism(count.loss.accountant)
    # Steps of a count are rows: a bound on rows may let one weigh less, never more.
    return math.ceil(needed) + accuracy.half_width(law, count.scale, _ALPHA)


def ranked_bars(
    plan: Plan, expr: Expr, shown: Shown, connection: duckdb.DuckDBPyConnection
) -> Mapping[int, ErrorBar]:
    """Return the error bars of a bare order statistic: from the near edge of its lower bin to the far one of its upper."""
    if not isinstance(expr, AggregateRef):
        raise ValueError("only a bare order statistic has an interval of its own")
    aggregate = plan.aggregates[expr.index]
    used = tuple(plan.measurement.moments[index] for index in aggregate.moments)
    index, rank = aggregate.moments[0], used[0].rank
    if rank is None:
        raise ValueError("an order statistic has a rank")
    ending = ending_of(plan, expr.index)
    rendering = scalars(released_reference, {})
    low = _edge(value_at(_BIN, 0, ending), f"l{index}", rendering)
    high = _edge(value_at(_BIN, rank.bin_steps - 1, ending), f"u{index}", rendering)
    last = ranks.candidates_of(used[0]) - 1
    found = connection.execute(
        f"SELECT g, {low}, {high}, u{index} - l{index} < {last} FROM _ky_cells"  # noqa: S608
        " WHERE g IN (SELECT unnest(CAST($groups AS INTEGER[])))",
        {**rendering.parameters, "groups": list(shown.groups)},
    ).fetchall()
    part = ranks.relative_deviation(used[0], used[1]) if len(used) > 2 else None
    return {
        group: ErrorBar(_deviation(lower, upper, part if sure else None, expr), lower, upper)
        for group, lower, upper, sure in found
    }


def _edge(value: Expr, bin_: str, rendering: Rendering) -> str:
    return replace(rendering, refer=lambda _: bin_).render(value)


def _deviation(
    lower: object, upper: object, part: float | None, expr: AggregateRef
) -> float | None:
    if part is None or not is_number(expr.type) or lower is None or upper is None:
        return None
    return part * (float(upper) - float(lower)) / 2.0  # type: ignore[arg-type]


def moved_bin(index: int, claim: Moment) -> str:
    """Return a rank's bin moved by z as SQL over m, l, u and z of the same index; only the answer itself is moved."""
    if claim.rank is None or claim.rank.side is not RankSide.POINT:
        return f"m{index} AS m{index}"
    below, above = f"m{index} - l{index}", f"u{index} - m{index}"
    way = f"CASE WHEN z{index} < 0 THEN {below} ELSE {above} END"
    last = ranks.candidates_of(claim) - 1
    moved = f"m{index} + (CAST({way} AS HUGEINT) * z{index}) // {ranks.SPREAD_PARTS}"
    return f"CAST(least(greatest({moved}, 0), {last}) AS BIGINT) AS m{index}"
