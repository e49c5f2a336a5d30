"""Which function finds the error bars of a column, by the method its release names."""

from collections.abc import Callable, Mapping

import duckdb

from sandbox.algebra import Expr
from sandbox.boundary import IntervalMethod, Plan
from sandbox.worker.error_bar import ErrorBar, Shown
from sandbox.worker.intervals import exact_bars, simulated_bars
from sandbox.worker.rank_intervals import ranked_bars

Bars = Callable[[Plan, Expr, Shown, duckdb.DuckDBPyConnection], Mapping[int, ErrorBar]]


def bars_by(method: IntervalMethod) -> Bars:
    """Return the function behind a method; a bare total has the noise law itself, reconciled or not."""
    if method is IntervalMethod.SIMULATED_NOISE_LAW:
        return simulated_bars
    return ranked_bars if method is IntervalMethod.RELEASED_RANKS else exact_bars
