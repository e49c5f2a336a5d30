"""How exact an answer will be, told before anything is spent: a function of the plan's scales, so it reveals nothing."""

from dataclasses import dataclass
from math import hypot

from policies.terms import AggregateName
from sandbox.algebra import AggregateRef, KeyRef, walk
from sandbox.boundary import Moment, NoisyAggregate, Plan, StepBase
from sandbox.privacy.accuracy import deviation, half_width, sum_half_width
from sandbox.privacy.measurements import mechanism

_TOTALS = (AggregateName.COUNT, AggregateName.COUNT_DISTINCT, AggregateName.SUM)
_SPREADS = (AggregateName.VAR_POP, AggregateName.VAR_SAMP)
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
    if aggregate.name in _SPREADS:
        return Expected(law.value, scales, None, None, _variance(plan, aggregate))
    if aggregate.name not in _TOTALS:
        return Expected(law.value, scales, None, None, ())
    return _total(plan, aggregate, scales)


def _total(plan: Plan, aggregate: NoisyAggregate, scales: tuple[float, ...]) -> Expected:
    """Return the error of a count, or of a sum that may be made of a centred one and a count."""
    law = mechanism(plan.accountant)
    used = tuple(plan.measurement.moments[index] for index in aggregate.moments)
    worth = (1.0, *(float(aggregate.offsets[0]) for _ in used[1:]))
    terms = tuple((moment.scale, weight) for moment, weight in zip(used, worth, strict=True))
    spread = hypot(*(weight * deviation(law, scale) for scale, weight in terms))
    unit = step(used[0])
    return Expected(law.value, scales, sum_half_width(law, terms, ALPHA) * unit, spread * unit, ())


def _average(plan: Plan, aggregate: NoisyAggregate) -> tuple[AtRows, ...]:
    """Bound the half-width by the worst mean the declaration allows: (h_sum + max|value - middle| * h_count) / rows."""
    total, count = (plan.measurement.moments[index] for index in aggregate.moments)
    of_total, of_count = _half(plan, total), _half(plan, count)
    width = (aggregate.value_upper - aggregate.value_lower) * step(total)
    middle = aggregate.offsets[0]
    ends = (aggregate.value_lower - middle, aggregate.value_upper - middle)
    largest = max(map(abs, ends)) * step(total)
    return tuple(
        # The answer is clamped into the declared interval, so no error is wider than that.
        AtRows(rows, min(width, (of_total + largest * of_count) / rows))
        for rows in ROWS_EXAMPLES
    )


def _variance(plan: Plan, aggregate: NoisyAggregate) -> tuple[AtRows, ...]:
    """Bound the half-width of a variance: squares, and twice the largest deviation times the error of the mean."""
    total, count, squares = (plan.measurement.moments[index] for index in aggregate.moments)
    of_total, of_count, of_squares = (_half(plan, m) for m in (total, count, squares))
    largest = (aggregate.value_upper - aggregate.value_lower) / 2 * step(total)
    of_mean = of_total + largest * of_count
    worst = of_squares + largest**2 / 2 * of_count + 2 * largest * of_mean
    return tuple(AtRows(rows, min(largest**2, worst / rows)) for rows in ROWS_EXAMPLES)


def _half(plan: Plan, moment: Moment) -> float:
    return half_width(mechanism(plan.accountant), moment.scale, ALPHA) * step(moment)


def step(moment: Moment) -> float:
    """Return how much one step of a moment is worth."""
    base = 10 if moment.step_base is StepBase.TEN else 2
    return float(base) ** -moment.step_exponent
