"""Noisy totals as a table, and the finished aggregates over it: what every expression above the release reads."""

import duckdb

from policies.terms import Scalar
from sandbox.algebra import AggregateRef
from sandbox.boundary import MomentKind, Plan
from sandbox.privacy import accuracy, measurements
from sandbox.privacy.aggregates import AGGREGATES, Ending, Ranked, Steps
from sandbox.privacy.grouping import finest_moments, sets_of
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.scalars import Reference, Rendering, scalars
from sandbox.worker.set_cells import I64_MAX as I64_MAX
from sandbox.worker.set_cells import cells_of
from sandbox.worker.sql_types import BIGINT, NotRenderable, listed, name_of

_ALPHA = 0.05  # what a half-width leaves out


def load_cells(plan: Plan, noisy: NoisyAggregates, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of noisy totals. rows: (row, grouping set, key…, rolled-up key…, total…)"""
    cells = cells_of(plan, noisy)
    lists: dict[str, list[Scalar]] = {"g": list(range(len(cells.sets))), "s": list(cells.sets)}
    names = {"g": "INTEGER", "s": "INTEGER"}
    for index, (key, values) in enumerate(zip(plan.measurement.keys, cells.keys, strict=True)):
        lists[f"k{index}"] = listed(values, key.expr.type)
        names[f"k{index}"] = name_of(key.expr.type)
    for index, bits in enumerate(cells.rolled):
        lists[f"r{index}"] = list(bits)
        names[f"r{index}"] = "BIGINT"
    for index, totals in enumerate(cells.moments):
        lists[f"m{index}"] = list(totals)
        names[f"m{index}"] = "BIGINT"
    load_lists("_ky_cells", names, lists, connection)


def load_lists(
    table: str,
    names: dict[str, str],
    lists: dict[str, list[Scalar]],
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Make a temporary table of equally long columns."""
    columns = ", ".join(f"unnest(CAST(${name} AS {names[name]}[])) AS {name}" for name in lists)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {columns}", lists)


def select_released(
    plan: Plan, rendering: Rendering, columns: str, rest: str, cells: str = "_ky_cells"
) -> str:
    """Return a query over released rows: `cells` with each aggregate finished as a0, a1, …"""
    finished = "".join(
        f", {finish(plan, index, rendering)} AS a{index}" for index in range(len(plan.aggregates))
    )
    return f"SELECT {columns} FROM (SELECT *{finished} FROM {cells}){rest}"  # noqa: S608


def finish(plan: Plan, index: int, rendering: Rendering) -> str:
    """Return an aggregate as SQL over its noisy totals m0, m1, …"""
    aggregate = plan.aggregates[index]
    # In an ending, the moments stand where the aggregates stand above it.
    expr = AGGREGATES[aggregate.name].finish(ending_of(plan, index))
    return scalars(_moment_reference, rendering.parameters).render(expr)


def ending_of(plan: Plan, index: int) -> Ending:
    """Return what an aggregate finishes from."""
    aggregate = plan.aggregates[index]
    moments = finest_moments(plan.measurement)
    measured = tuple(moments[moment] for moment in aggregate.moments)
    first = measured[0]
    ranked = (
        Ranked(first.rank, first.row_lower, first.row_upper, first.value.type)
        if first.rank is not None
        else None
    )
    return Ending(
        tuple(AggregateRef(moment, BIGINT) for moment in aggregate.moments),
        tuple(Steps(moment.step_base, moment.step_exponent) for moment in measured),
        aggregate.offsets,
        tuple(_half_width(plan, moment) for moment in aggregate.moments),
        aggregate.value_lower,
        aggregate.value_upper,
        aggregate.type,
        ranked,
    )


def _half_width(plan: Plan, moment: int) -> int:
    """Return what holds a moment's noise with 95 % in every set it is measured in; 0 for a choice, which has none."""
    if finest_moments(plan.measurement)[moment].kind is MomentKind.RANK:
        return 0
    measured = (each.moments[moment] for each in sets_of(plan.measurement))
    claims = (plan.measurement.moments[place] for place in measured if place is not None)
    law = measurements.mechanism(plan.accountant)
    return max(accuracy.half_width(law, claim.scale, _ALPHA) for claim in claims)


def _moment_reference(reference: Reference) -> str:
    if not isinstance(reference, AggregateRef):
        raise NotRenderable("an ending reads noisy totals only")
    return f"m{reference.index}"
