"""Rehearse a plan where there is no data: on empty tables and on tables of extremes, made from the plan's own types.

Statement   The diagnosis is a function of the plan.
Reason      This program has no file; its tables hold constants of ours and of the plan.
Not promised  That a plan which is ready here never fails beside the data. That is what totality is for
            (docs/proofs/totality.md); the twin finds what a proof on paper may have missed, before a loss is spent.
"""

from dataclasses import replace

import duckdb

from policies.terms import DELTA_UNIT, PrivacyLoss, SqlType
from sandbox import wire
from sandbox.algebra import AggregateRef, Expr
from sandbox.boundary import KEYS_MAX, Diagnosis, DiagnosisCode, Plan, Selection
from sandbox.privacy.measurements import NotProved
from sandbox.worker.accept import check_claims
from sandbox.worker.add_noise import add_noise
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.keys import TooManyKeys
from sandbox.worker.layer_check import typed_layers
from sandbox.worker.post_process import post_process
from sandbox.worker.released import select_released
from sandbox.worker.render import released_reference, render_relation, row_rendering
from sandbox.worker.scalars import scalars
from sandbox.worker.set_cells import rows_shown
from sandbox.worker.sql_types import NotRenderable, name_of
from sandbox.worker.twin_constants import read_constants, with_few_constants
from sandbox.worker.twin_tables import empty_twin, fill_twin, rows_max
from sandbox.worker.twin_types import typed

_DOES_NOT_BIND = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    NotRenderable,
)


class _TypeDiffers(Exception):
    """A rendered expression has another DuckDB type than its node claims."""


def serve_twin(request: bytes, limits: EngineLimits) -> bytes:
    """Return the encoded diagnosis of an encoded plan."""
    try:
        plan = wire.decode_plan(request)
    except wire.WireError:
        return wire.encode_diagnosis(Diagnosis(DiagnosisCode.PLAN_NOT_ACCEPTED, 0))
    with open_empty(limits) as rows, open_empty(limits) as released:
        return wire.encode_diagnosis(diagnose(plan, rows, released))


def diagnose(
    plan: Plan, rows: duckdb.DuckDBPyConnection, released: duckdb.DuckDBPyConnection
) -> Diagnosis:
    """Return what the plan does on the twin. Both connections are empty engines."""
    try:
        check_claims(plan)
    except (ValueError, NotProved):
        return Diagnosis(DiagnosisCode.PLAN_NOT_ACCEPTED, 0)
    try:
        keys = _rehearse(plan, rows, released)
    except TooManyKeys:
        return Diagnosis(DiagnosisCode.TOO_MANY_KEYS, KEYS_MAX + 1)
    except _TypeDiffers:
        return Diagnosis(DiagnosisCode.TYPE_DIFFERS, 0)
    except _DOES_NOT_BIND:
        return Diagnosis(DiagnosisCode.DOES_NOT_BIND, 0)
    except (duckdb.Error, ValueError, ArithmeticError, NotProved):
        return Diagnosis(DiagnosisCode.RAISES, 0)
    return Diagnosis(DiagnosisCode.READY, keys)


def _rehearse(
    plan: Plan, rows: duckdb.DuckDBPyConnection, released: duckdb.DuckDBPyConnection
) -> int:
    empty_twin(plan.measurement, rows)
    exact = execute(plan.measurement, rows)
    _check_row_types(plan, rows)
    _finish(plan, exact, released)
    _check_released_types(plan, released)
    read_constants(plan.measurement, rows)
    fill_twin(plan.measurement, rows)
    fewer = with_few_constants(plan.measurement, rows_max(plan.measurement))
    filled = execute(fewer, rows)
    _finish(plan, filled, released)
    if plan.measurement.selection is None:
        return rows_shown(plan, exact.keys, exact.sizes)
    # Hardly a group of the twin has units enough, so the plan is rehearsed once more as if one unit were.
    lenient = _lenient(replace(plan, measurement=fewer), plan.measurement.selection)
    _finish(lenient, execute(lenient.measurement, rows), released)
    return plan.measurement.selection.keys_max


def _lenient(plan: Plan, selection: Selection) -> Plan:
    """Return the plan with the lowest threshold there is, at a delta of 1: only where there is no data."""
    loss = PrivacyLoss(selection.loss.accountant, selection.loss.primary, DELTA_UNIT)
    easy = replace(selection, units_least=1, threshold=2, loss=loss)
    return replace(plan, measurement=replace(plan.measurement, selection=easy))


def _finish(plan: Plan, exact: ExactAggregates, released: duckdb.DuckDBPyConnection) -> None:
    post_process(plan, add_noise(plan.measurement, exact), released)


def _check_row_types(plan: Plan, rows: duckdb.DuckDBPyConnection) -> None:
    for exprs, relation in typed(plan.measurement):
        rendering = row_rendering(plan.measurement.scans, {})
        values = ", ".join(rendering.render(expr) for expr in exprs)
        source = render_relation(relation, plan.measurement.scans, rendering)
        types = tuple(expr.type for expr in exprs)
        _check_types(f"SELECT {values} FROM {source}", rendering.parameters, types, rows)  # noqa: S608


def _check_released_types(plan: Plan, released: duckdb.DuckDBPyConnection) -> None:
    for query, parameters, type_ in typed_layers(plan):
        _check_types(query, parameters, (type_,), released)
    exprs: list[Expr] = []
    if plan.post.relation is None:
        exprs += [output.expr for output in plan.post.outputs]
        exprs += [term.expr for term in plan.post.order]
        exprs += [plan.post.having] if plan.post.having else []
    exprs += [AggregateRef(index, found.type) for index, found in enumerate(plan.aggregates)]
    for expr in exprs:
        rendering = scalars(released_reference, {})
        value = rendering.render(expr)
        query = select_released(plan, rendering, f"{value} AS x", "")
        _check_types(query, rendering.parameters, (expr.type,), released)


def _check_types(
    query: str,
    parameters: dict[str, object],
    types: tuple[SqlType, ...],
    connection: duckdb.DuckDBPyConnection,
) -> None:
    described = connection.execute(f"DESCRIBE {query}", parameters).fetchall()
    if [row[1] for row in described] != [name_of(type_) for type_ in types]:
        raise _TypeDiffers
