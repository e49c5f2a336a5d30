"""How exact an answer will be, told before anything is spent: a function of the plan's scales, so it reveals nothing.

Statement   `half_width` holds the error of a column's noise with 95 %, whatever the data. Where the error depends on how many
            rows a value is over, `at` gives it for a number of rows, for the worst values the declaration allows.
Basis       `noise_law`: one total, the law itself. `bound`: a sum of several, a clamped one, a coarser grouping set, an average;
            the true half-width is at most this (averages and variances to the first order in 1 / rows).
Not in it   What the declared bounds cut off; that is no noise.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.above import Form, form, is_noisy, origin, ratio
from policies.terms import AggregateName
from sandbox.algebra import Expr
from sandbox.boundary import (
    GroupingSet,
    GroupKey,
    Measurement,
    Mechanism,
    Moment,
    NoisyAggregate,
    Plan,
    StepBase,
)
from sandbox.privacy.accuracy import deviation, half_width, sum_half_width
from sandbox.privacy.aggregates.aggregate import ONE
from sandbox.privacy.grouping import sets_of, values_at_most
from sandbox.privacy.measurements import mechanism
from sandbox.privacy.ranks import is_extreme, outside

_TOTALS = (
    AggregateName.COUNT,
    AggregateName.COUNT_DISTINCT,
    AggregateName.SUM,
    AggregateName.REGR_COUNT,
)
_MEANS = (AggregateName.AVG, AggregateName.REGR_AVGX, AggregateName.REGR_AVGY)
_SAMPLES = (AggregateName.VAR_SAMP, AggregateName.STDDEV_SAMP)
_ROOTS = (AggregateName.STDDEV_POP, AggregateName.STDDEV_SAMP)
_SPREADS = (AggregateName.VAR_POP, AggregateName.VAR_SAMP, *_ROOTS)
ALPHA = 0.05  # intervals cover 95 %
# An average's error depends on how many rows it is over, which is what nobody may know; so it is told for these.
ROWS_EXAMPLES = (100, 1_000, 10_000, 100_000)


class Basis(StrEnum):
    """What a foretold half-width is."""

    NOISE_LAW = "noise_law"
    BOUND = "bound"
    RANK = "rank"  # of an order statistic: a bound on how many rows lie between the answer's bin and the rank
    WITH_ANSWER = "with_answer"  # it cannot be foretold; the answer brings it


@dataclass(frozen=True, slots=True)
class AtRows:
    """The half-width of an average over so many rows."""

    rows: int
    half_width: float


@dataclass(frozen=True, slots=True)
class OverRows:
    """A half-width that falls with the number of rows: min(widest, times / (rows - less)), its root with `root`."""

    times: float
    widest: float
    less: int
    root: bool

    def at(self, rows: int) -> float:
        """Return the half-width over so many rows; infinite where they are too few to say anything."""
        found = (
            self.widest if rows <= self.less else min(self.widest, self.times / (rows - self.less))
        )
        return math.sqrt(found) if self.root else found

    def tenth_from(self) -> int | None:
        """Return over how many rows it is a tenth of the widest it can be, None if it can be of any width."""
        if math.isinf(self.widest):
            return None
        share = 100.0 if self.root else 10.0
        return math.ceil(share * self.times / self.widest) + self.less


@dataclass(frozen=True, slots=True)
class RankError:
    """How many rows an order statistic is off by, with 95 %, and how wide the bin is that is answered."""

    rows: float
    bin: float


@dataclass(frozen=True, slots=True)
class Expected:
    """The error of one column. `half_width` and `deviation` are None where they depend on how many rows there are."""

    mechanism: str
    scales: tuple[float, ...]
    half_width: float | None
    deviation: float | None
    over_rows: OverRows | None
    basis: Basis
    rank: RankError | None

    @property
    def at_rows(self) -> tuple[AtRows, ...]:
        """Return the half-width for some numbers of rows."""
        over = self.over_rows
        found = () if over is None else tuple(AtRows(n, over.at(n)) for n in ROWS_EXAMPLES)
        return tuple(at for at in found if math.isfinite(at.half_width))

    def at(self, rows: int | None) -> float | None:
        """Return the half-width, over so many rows if it depends on them; None where it cannot be foretold."""
        if self.over_rows is not None and rows is not None:
            return self.over_rows.at(rows)
        return self.half_width


@dataclass(frozen=True, slots=True)
class _Cell:
    """The noise of one moment in the cells of one grouping set.

    `cells` is how many cells of the moment add up, `rounding` the deviation, in steps, that making the sets agree adds.
    """

    moment: Moment
    cells: int
    rounding: float


_Cells = tuple[_Cell, ...]


def expected(plan: Plan) -> tuple[Expected | None, ...]:
    """Return the expected error of each column of the answer, None for columns without noise."""
    return tuple(_of_output(plan, output.expr) for output in plan.post.outputs)


def _of_output(plan: Plan, expr: Expr) -> Expected | None:
    relation = plan.post.relation
    if not is_noisy(expr, relation):
        return None
    over_cells = origin(expr, relation)
    found = None if over_cells is None else form(over_cells)
    if over_cells is not None and found is None and (parts := ratio(over_cells)) is not None:
        return max((_share(plan, *parts, cells) for cells in _shown_cells(plan)), key=_worth)
    if found is None or not found.weights:
        return _unforetold(plan, plan.measurement.moments)
    errors = [_of_form(plan, found, cells) for cells in _shown_cells(plan)]
    # the least exact of the grouping sets speaks for the column
    return max(errors, key=_worth)


def _worth(error: Expected) -> float:
    return error.over_rows.times if error.over_rows is not None else error.half_width or 0.0


def _unforetold(plan: Plan, moments: tuple[Moment, ...]) -> Expected:
    scales = tuple(float.fromhex(m.scale) * step(m) for m in moments if m.rank is None)
    law = mechanism(plan.accountant).value
    return Expected(law, scales, None, None, None, Basis.WITH_ANSWER, None)


def _of_form(plan: Plan, found: Form, cells: _Cells) -> Expected:
    aggregates = [plan.aggregates[index] for index in found.weights]
    used = dict.fromkeys(index for a in aggregates for index in a.moments)
    nothing = _unforetold(plan, tuple(cells[index].moment for index in used))
    if {aggregate.name for aggregate in aggregates} <= set(_TOTALS):
        return _total(plan, found, cells)
    if len(aggregates) > 1:
        return nothing
    [aggregate], [weight] = aggregates, found.weights.values()
    if cells[aggregate.moments[0]].moment.rank is not None:
        return _choice(cells[aggregate.moments[0]].moment, abs(weight), nothing)
    if aggregate.name in _MEANS:
        over = _average(plan, aggregate, cells)
    elif aggregate.name in _SPREADS:
        over = _variance(plan, aggregate, cells)
    else:
        return nothing
    factor = abs(weight) ** (2 if over.root else 1)
    over = replace(over, times=over.times * factor, widest=over.widest * factor)
    return replace(nothing, over_rows=over, basis=Basis.BOUND)


def _share(plan: Plan, above: Form, below: int, cells: _Cells) -> Expected:
    """Bound the half-width of totals over count(*): (h_totals + largest share of one row * h_count) / (rows - h_count).

    |(a + x) / (n + y) - a / n| = |x - a/n * y| / (n + y), and a/n lies within what one row can add.
    """
    named = [plan.aggregates[index] for index in above.weights]
    divisor = plan.aggregates[below]
    nothing = _unforetold(plan, tuple(cell.moment for cell in cells))
    counted = cells[divisor.moments[0]]
    every = divisor.name is AggregateName.COUNT and counted.moment.value == ONE
    if not every or not named or not {each.name for each in named} <= set(_TOTALS):
        return nothing
    largest = sum(
        abs(weight) * _largest(plan.aggregates[index], cells)
        for index, weight in above.weights.items()
    )
    totals, of_count = _total(plan, above, cells), _half(plan, counted)
    times = (totals.half_width or 0.0) + largest * of_count
    over = OverRows(times, math.inf, math.ceil(of_count), False)
    return replace(nothing, over_rows=over, basis=Basis.BOUND)


def _largest(aggregate: NoisyAggregate, cells: _Cells) -> float:
    """Return the most that one row can add to a total."""
    moment, offset = cells[aggregate.moments[0]].moment, aggregate.offsets[0]
    ends = (moment.row_lower + offset, moment.row_upper + offset)
    return max(map(abs, ends)) * step(moment)


def _choice(moment: Moment, weight: float, nothing: Expected) -> Expected:
    """Bound the rows between the bin that is chosen and the rank: all bins further off together have 5 % at most.

    The smallest and the largest value are looked for that many rows inside, so they may be off by as many more. Of a mode
    they are the rows that the value of most rows has more; a choice has no width.
    """
    if moment.rank is None:
        raise ValueError("only a rank is chosen")
    rows = outside(moment) * (2 if is_extreme(moment.rank) else 1)
    width = 0.0 if moment.rank.choices else moment.rank.bin_steps * step(moment) * weight
    error = RankError(rows, width)
    return replace(nothing, mechanism=Mechanism.NOISY_MAX.value, basis=Basis.RANK, rank=error)


def _total(plan: Plan, found: Form, cells: _Cells) -> Expected:
    """Return the error of a weighted sum of counts and sums, each of which may be made of a centred one and a count."""
    law = mechanism(plan.accountant)
    worth: dict[int, float] = {}
    for index, weight in found.weights.items():
        aggregate = plan.aggregates[index]
        first, *rest = aggregate.moments
        unit = step(cells[first].moment) * weight
        worth[first] = worth.get(first, 0.0) + unit
        for moment in rest:
            worth[moment] = worth.get(moment, 0.0) + unit * float(aggregate.offsets[0])
    # Laplace noise of several cells is closer to the normal law than that of one, so one as wide is a bound.
    terms = tuple(
        (cells[moment].moment.scale, value * math.sqrt(cells[moment].cells))
        for moment, value in worth.items()
        if value
    )
    alone = len(terms) == 1 and not found.cut and not plan.measurement.sets
    rounding = math.hypot(*(value * cells[moment].rounding for moment, value in worth.items()))
    return Expected(
        law.value,
        tuple(float.fromhex(scale) * abs(value) for scale, value in terms),
        (sum_half_width(law, terms, ALPHA) if terms else 0.0) + 2 * rounding,
        math.hypot(rounding, *(value * deviation(law, scale) for scale, value in terms)),
        None,
        Basis.NOISE_LAW if alone else Basis.BOUND,
        None,
    )


def _average(plan: Plan, aggregate: NoisyAggregate, cells: _Cells) -> OverRows:
    """Bound the half-width by the worst mean the declaration allows: (h_sum + max|value - middle| * h_count) / rows."""
    total, count = (cells[index] for index in aggregate.moments)
    of_total, of_count = _half(plan, total), _half(plan, count)
    width = (aggregate.value_upper - aggregate.value_lower) * step(total.moment)
    middle = aggregate.offsets[0]
    ends = (aggregate.value_lower - middle, aggregate.value_upper - middle)
    largest = max(map(abs, ends)) * step(total.moment)
    # The answer is clamped into the declared interval, so no error is wider than that.
    return OverRows(of_total + largest * of_count, width, 0, False)


def _variance(plan: Plan, aggregate: NoisyAggregate, cells: _Cells) -> OverRows:
    """Bound the half-width of a variance: squares, and twice the largest deviation times the error of the mean.

    A standard deviation is off by the root of that at most: |√a - √b| ≤ √|a - b|.
    """
    total, count, squares = (cells[index] for index in aggregate.moments)
    of_total, of_count, of_squares = (_half(plan, c) for c in (total, count, squares))
    largest = (aggregate.value_upper - aggregate.value_lower) / 2 * step(total.moment)
    of_mean = of_total + largest * of_count
    worst = of_squares + largest**2 / 2 * of_count + 2 * largest * of_mean
    sample = aggregate.name in _SAMPLES
    widest = largest**2 * (2 if sample else 1)
    return OverRows(worst, widest, 1 if sample else 0, aggregate.name in _ROOTS)


def _half(plan: Plan, cell: _Cell) -> float:
    one = half_width(mechanism(plan.accountant), cell.moment.scale, ALPHA)
    return (one * math.sqrt(cell.cells) + 2 * cell.rounding) * step(cell.moment)


def _shown_cells(plan: Plan) -> tuple[_Cells, ...]:
    """Return the noise of each moment in the cells of each grouping set that the answer shows."""
    every = sets_of(plan.measurement)
    shown = dict.fromkeys(plan.post.sets) if plan.post.sets else range(len(every))
    return tuple(_cells(plan.measurement, every, every[index]) for index in shown)


def _cells(measurement: Measurement, every: tuple[GroupingSet, ...], wanted: GroupingSet) -> _Cells:
    return tuple(_cell(measurement, every, wanted, place) for place in range(len(wanted.moments)))


def _cell(
    measurement: Measurement,
    every: tuple[GroupingSet, ...],
    wanted: GroupingSet,
    place: int,
) -> _Cell:
    measured = [(each, index) for each in every if (index := each.moments[place]) is not None]
    rounding = math.sqrt(2.0 ** len(wanted.keys) / 12.0) if len(measured) > 1 else 0.0
    cells = [
        _Cell(measurement.moments[index], _beneath(measurement, each, wanted), rounding)
        for each, index in measured
        if set(wanted.keys) <= set(each.keys)
    ]
    return min(cells, key=lambda cell: float.fromhex(cell.moment.scale) * math.sqrt(cell.cells))


def _beneath(measurement: Measurement, finer: GroupingSet, wanted: GroupingSet) -> int:
    extra = [measurement.keys[key] for key in set(finer.keys) - set(wanted.keys)]
    declared = [key for key in extra if isinstance(key, GroupKey)]
    if len(declared) < len(extra) and measurement.selection is not None:
        return measurement.selection.keys_max
    return math.prod(values_at_most(key) for key in declared)


def step(moment: Moment) -> float:
    """Return how much one step of a moment is worth."""
    base = 10 if moment.step_base is StepBase.TEN else 2
    return float(base) ** -moment.step_exponent
