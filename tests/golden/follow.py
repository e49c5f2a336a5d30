"""What follows from a question: the SQL of its plan as the worker runs it, and what it spends; or the refusal."""

import re
from decimal import Decimal
from typing import Any

import duckdb

from policies.refusals import Refused
from policies.terms import DELTA_UNIT, NANO, Accountant
from sandbox.algebra import Relation, RowOrder
from sandbox.boundary import Measurement, Mechanism, Moment, Plan
from sandbox.privacy.measurements import law as law_of
from sandbox.worker.engine import EngineLimits, open_empty
from sandbox.worker.execute import execute
from sandbox.worker.layer_facts import fact, facts_of
from sandbox.worker.layer_forms import ordered_by
from sandbox.worker.layers import LayerRendering
from sandbox.worker.twin_tables import empty_twin
from tests.golden.cases import Case
from tests.unit.compiler_world import compiled

LIMITS = EngineLimits(memory_bytes=256 * 1024 * 1024, threads=1)
_READING = ("_ky_partials", "_ky_kept", "_ky_placed", "_ky_present")
_HEAD = re.compile(r"ask with (epsilon|rho) (1|0\.5)")
_ACCOUNTANTS = {"epsilon": Accountant.PURE_EPS, "rho": Accountant.APPROX_ZCDP}
_LAWS = {
    Mechanism.DISCRETE_LAPLACE: "laplace",
    Mechanism.DISCRETE_GAUSSIAN: "gaussian",
    Mechanism.NOISY_MAX: "choice",
}
_BREAKS = re.compile(
    r" (?=(?:WITH|WHERE|GROUP BY|JOIN|SELECT|UNION ALL|ORDER BY)\b)"
    r"|(?<!DISTINCT) (?=FROM\b)|(?<=\),) (?=_ky_\w+ AS)"
)


class Recorder:
    """A connection that writes down what it is asked to run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.statements: list[str] = []
        self._connection = connection

    def execute(self, query: str, parameters: Any = None) -> duckdb.DuckDBPyConnection:
        self.statements.append(query)
        return self._connection.execute(query, parameters)


def plan_of(case: Case) -> Plan:
    """Compile the question of a case."""
    head, sql = case.ask
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError(f"`{head}` is not a heading of a question")
    primary = int(float(found[2]) * NANO)
    return compiled(sql, _ACCOUNTANTS[found[1]], primary).plan


def followed(case: Case) -> Case:
    """Return the case with everything after its question made anew."""
    try:
        plan = plan_of(case)
    except Refused as refused:
        place = f" at {refused.at}" if refused.at else ""
        text = f"{refused.message('en')}\n{refused.message('zh-CN')}"
        return Case(case.comment, (case.ask, (f"refused {refused.code}{place}", text)))
    sections = [
        case.ask,
        ("plan", "\n".join(statements(plan.measurement))),
        ("spend", "\n".join([*map(spend, plan.measurement.moments), *choice(plan.measurement)])),
    ]
    if plan.post.relation is not None:
        sections.append(("above", above(plan, plan.post.relation)))
    return Case(case.comment, tuple(sections))


def above(plan: Plan, relation: Relation) -> str:
    """Return the statement that reads released cells, without its LIMIT, and how each column finds its interval."""
    layers = LayerRendering(plan, "_ky_cells", draws=0)
    rows = layers.rows(relation, spine=True)
    shown = [layers.rendering.render(output.expr) for output in plan.post.outputs]
    terms = tuple(RowOrder(t.expr, t.descending, t.nulls_first) for t in plan.post.order)
    order = ordered_by(terms, rows.ties, layers.rendering)
    known = facts_of(relation, plan)
    noise = [fact(output.expr, known).noise.name.lower() for output in plan.post.outputs]
    text = _BREAKS.sub("\n  ", f"SELECT {', '.join(shown)} FROM {rows.text}{order}")
    return f"{text};\nnoise: {', '.join(noise)}"


def statements(measurement: Measurement) -> list[str]:
    """Return the statements that read rows, each clause on a line of its own; constants are parameters."""
    with open_empty(LIMITS) as connection:
        empty_twin(measurement, connection)
        recorder = Recorder(connection)
        execute(measurement, recorder)  # type: ignore[arg-type]
    reading = [text for text in recorder.statements if any(name in text for name in _READING)]
    return [_BREAKS.sub("\n  ", text) + ";" for text in reading]


def spend(moment: Moment) -> str:
    """Return one line: how far a unit moves the moment, and what noise that buys at which loss."""
    law = _LAWS[law_of(moment)]
    name = "epsilon" if moment.loss.accountant is Accountant.PURE_EPS else "rho"
    return (
        f"{moment.kind.value:9}{law:9} rows [{moment.row_lower}, {moment.row_upper}]"
        f" partials [{moment.partial_lower}, {moment.partial_upper}] L1={moment.sensitivity_l1}"
        f" L2²={moment.sensitivity_l2_squared} scale={float.fromhex(moment.scale):.6g}"
        f" {name}={moment.loss.primary / NANO:g}{_rank(moment)}"
    )


def choice(measurement: Measurement) -> list[str]:
    """Return the line of the noise that chooses undeclared groups, if there are such."""
    chosen = measurement.selection
    if chosen is None:
        return []
    delta = Decimal(chosen.loss.delta) / DELTA_UNIT
    return [
        f"groups   gaussian units at least {chosen.units_least}, noisy at least {chosen.threshold},"
        f" shown at most {chosen.keys_max} C={measurement.groups_per_unit_max}"
        f" scale={float.fromhex(chosen.scale):.6g} rho={chosen.loss.primary / NANO:g}"
        f" delta={delta.normalize()}"
    ]


def _rank(moment: Moment) -> str:
    rank = moment.rank
    if rank is None:
        return ""
    return f" {rank.side.value} of {rank.numerator}/{rank.denominator} in bins of {rank.bin_steps}"
