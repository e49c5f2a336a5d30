"""How exact an answer will be, told before anything is spent: a function of the plan's scales, so it reveals nothing."""

from dataclasses import dataclass

from policies.terms import AggregateName
from sandbox.algebra import AggregateRef, KeyRef, walk
from sandbox.boundary import Moment, NoisyAggregate, Plan, StepBase
from sandbox.privacy.accuracy import deviation, half_width
from sandbox.privacy.measurements import mechanism

ALPHA = 0.05  # intervals cover 95 %
# An average's error depends on how many rows it is over, which is what nobody may know; so it is told for these.
ROWS_EXAMPLES = (100, 1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class AtRows:
    """The half-width of an average over so many rows."""

    rows: int
    half_width: float


@dataclass(frozen=True, slots=True)
class Expected:
    """The error of one column. `half_width` and `deviation` are None where they depend on how many rows there are."""

    mechanism: str
    scales: tuple[float, ...]
    half_width: float | None
    deviation: float | None
    at_rows: tuple[AtRows, ...]

    def at(self, rows: int | None) -> float | None:
        """Return the half-width, over so many rows if it depends on them; None where it cannot be foretold."""
        if self.half_width is not None or not self.at_rows or rows is None:
            return self.half_width
        *_, before, last = self.at_rows
        if before.half_width == last.half_width:
            return last.half_width  # the declared interval is the bound, over however many rows
        return last.half_width * last.rows / rows


def expected(plan: Plan) -> tuple[Expected | None, ...]:
    """Return the expected error of each column of the answer, None for columns without noise."""
    return tuple(_of_output(plan, output.expr) for output in plan.post.outputs)


def _of_output(plan: Plan, expr: object) -> Expected | None:
    if isinstance(expr, KeyRef):
        return None
    refs = tuple(node for node in walk(expr) if isinstance(node, AggregateRef))  # type: ignore[arg-type]
    if not refs:
        return None
    moments = tuple(
        dict.fromkeys(index for ref in refs for index in plan.aggregates[ref.index].moments)
    )
    used = tuple(plan.measurement.moments[index] for index in moments)
    scales = tuple(float.fromhex(moment.scale) * step(moment) for moment in used)
    law = mechanism(plan.accountant)
    if not isinstance(expr, AggregateRef):
        # An expression over several noisy values: its interval comes with the answer.
        return Expected(law.value, scales, None, None, ())
    aggregate = plan.aggregates[expr.index]
    if aggregate.name is AggregateName.AVG:
        return Expected(law.value, scales, None, None, _average(plan, aggregate))
    moment = used[0]
    return Expected(
        law.value,
        scales,
        half_width(law, moment.scale, ALPHA) * step(moment),
        deviation(law, moment.scale) * step(moment),
        (),
    )


def _average(plan: Plan, aggregate: NoisyAggregate) -> tuple[AtRows, ...]:
    """Bound the half-width by the worst mean the declaration allows: (h_sum + max|value| · h_count) / rows."""
    total, count = (plan.measurement.moments[index] for index in aggregate.moments)
    law = mechanism(plan.accountant)
    of_total = half_width(law, total.scale, ALPHA) * step(total)
    of_count = half_width(law, count.scale, ALPHA)
    width = (aggregate.value_upper - aggregate.value_lower) * step(total)
    largest = max(abs(aggregate.value_lower), abs(aggregate.value_upper)) * step(total)
    return tuple(
        # The answer is clamped into the declared interval, so no error is wider than that.
        AtRows(rows, min(width, (of_total + largest * of_count) / rows))
        for rows in ROWS_EXAMPLES
    )


def step(moment: Moment) -> float:
    """Return how much one step of a moment is worth."""
    base = 10 if moment.step_base is StepBase.TEN else 2
    return float(base) ** -moment.step_exponent
