"""The cells of an answer, set after set: sums made consistent, and the error law of each set's cells."""

from dataclasses import dataclass
from math import prod

from policies.terms import Scalar
from sandbox.boundary import KEYS_MAX, GroupingSet, Mechanism, Moment, MomentKind, Plan
from sandbox.privacy import accuracy, measurements
from sandbox.privacy.consistency import Keys, Measured, reconcile, weights_of
from sandbox.privacy.grouping import finest_moments, sets_of
from sandbox.privacy.ranks import RankLaw
from sandbox.privacy.spread import ErrorLaw, NoiseLaw, Noisy, spread_of
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.keys import TooManyKeys

I64_MAX = 2**63 - 1
_LEAST_VARIANCE = 1e-12  # of noise so small that its computed deviation is 0: weights stay finite


@dataclass(frozen=True, slots=True)
class Cells:
    """Columns of the released rows, equally long.

    `sets` is each row's grouping set; `rolled[i]` says whether the row adds up over key i; `moments` one column for each
    moment of the first set.
    """

    sets: tuple[int, ...]
    keys: tuple[tuple[Scalar, ...], ...]
    rolled: tuple[tuple[int, ...], ...]
    moments: tuple[tuple[int, ...], ...]


def cells_of(plan: Plan, noisy: NoisyAggregates) -> Cells:
    """Return the rows that an answer is made from, in its order of sets and of keys.

    Refuses (TooManyKeys) more rows than a release holds: a set may be shown more than once.
    """
    count = len(plan.measurement.keys)
    if not plan.measurement.sets and not plan.post.sets:
        keys = tuple(tuple(row[index] for row in noisy.keys) for index in range(count))
        return Cells((0,) * len(noisy.keys), keys, (), noisy.moments)
    sets = sets_of(plan.measurement)
    vectors = _consistent(plan, noisy)
    starts = _starts(noisy.sizes, tuple(each.keys for each in sets))
    shown = plan.post.sets or tuple(range(len(sets)))
    if rows_shown(plan, noisy.keys, noisy.sizes) > KEYS_MAX:
        raise TooManyKeys("the grouping sets make more rows than a release holds")
    rows = [
        (index, row) for index in shown for row in noisy.keys[starts[index] : starts[index + 1]]
    ]
    return Cells(
        tuple(index for index, _ in rows),
        tuple(tuple(row[key] for _, row in rows) for key in range(count)),
        tuple(tuple(int(key not in sets[index].keys) for index, _ in rows) for key in range(count)),
        tuple(tuple(total for index in shown for total in vector[index]) for vector in vectors),
    )


def rows_shown(plan: Plan, keys: tuple[tuple[Scalar, ...], ...], sizes: tuple[int, ...]) -> int:
    """Return how many rows the answer has before HAVING and LIMIT: a set may be shown more than once."""
    if not plan.post.sets:
        return len(keys)
    starts = _starts(sizes, tuple(each.keys for each in sets_of(plan.measurement)))
    return sum(starts[index + 1] - starts[index] for index in plan.post.sets)


def error_laws(plan: Plan, sizes: tuple[int, ...]) -> tuple[tuple[ErrorLaw, ...], ...]:
    """Return, for each grouping set and each moment of the first set, the error law of every cell."""
    sets = sets_of(plan.measurement)
    columns = [_laws(plan, sizes, index) for index in range(len(finest_moments(plan.measurement)))]
    return tuple(tuple(column[place] for column in columns) for place in range(len(sets)))


def _laws(plan: Plan, sizes: tuple[int, ...], index: int) -> list[ErrorLaw]:
    sets = sets_of(plan.measurement)
    measured = _measured(plan, index)
    own: dict[Keys, ErrorLaw] = {each.keys: _own_law(moment) for each, moment in measured}
    first = measured[0][1]
    if 0 in sizes:  # a key without any value: there are no rows to speak of
        return [_own_law(first) for _ in sets]
    if first.kind is not MomentKind.SUM or len(sets) == 1:
        return [own[each.keys] for each in sets]
    noise = tuple(
        Noisy(each.keys, weight, _variance(moment))
        for (each, moment), weight in zip(measured, _weights(sizes, measured), strict=True)
    )
    named = dict(enumerate(sizes))
    # One set alone is reconciled with nothing: its own cells keep the noise law itself.
    untouched = own if len(measured) == 1 else {}
    return [
        untouched.get(each.keys) or spread_of(named, noise, each.keys, _mechanism(first))
        for each in sets
    ]


def _consistent(plan: Plan, noisy: NoisyAggregates) -> list[list[tuple[int, ...]]]:
    """Return, for each moment of the first set, its vector over each set."""
    sets = sets_of(plan.measurement)
    named = dict(enumerate(noisy.sizes))
    found: list[list[tuple[int, ...]]] = []
    for index, moment in enumerate(finest_moments(plan.measurement)):
        if 0 in noisy.sizes:
            found.append([() for _ in sets])
            continue
        drawn = [place for each in sets if (place := each.moments[index]) is not None]
        if moment.kind is not MomentKind.SUM:
            found.append([noisy.moments[place] for place in drawn])
            continue
        measured = _measured(plan, index)
        weights = _weights(noisy.sizes, measured)
        vectors = tuple(
            Measured(each.keys, weight, noisy.moments[place])
            for (each, _), weight, place in zip(measured, weights, drawn, strict=True)
        )
        reconciled = reconcile(named, vectors, tuple(each.keys for each in sets))
        found.append([tuple(map(_held, vector)) for vector in reconciled])
    return found


def _measured(plan: Plan, index: int) -> list[tuple[GroupingSet, Moment]]:
    """Return the sets over which a moment of the first set is measured, and as which moment."""
    return [
        (each, plan.measurement.moments[place])
        for each in sets_of(plan.measurement)
        if (place := each.moments[index]) is not None
    ]


def _weights(sizes: tuple[int, ...], measured: list[tuple[GroupingSet, Moment]]) -> tuple[int, ...]:
    return weights_of(
        tuple(_variance(moment) for _, moment in measured),
        tuple(prod(sizes[key] for key in each.keys) for each, _ in measured),
    )


def _starts(sizes: tuple[int, ...], sets: tuple[Keys, ...]) -> list[int]:
    """Return where the rows of each set begin among those of all; one more for the end."""
    starts = [0]
    for keys in sets:
        starts.append(starts[-1] + (0 if 0 in sizes else prod(sizes[key] for key in keys)))
    return starts


def _held(total: int) -> int:
    return max(-I64_MAX, min(I64_MAX, total))


def _own_law(moment: Moment) -> ErrorLaw:
    if moment.kind is MomentKind.RANK:
        return RankLaw()
    return NoiseLaw(_mechanism(moment), moment.scale)


def _mechanism(moment: Moment) -> Mechanism:
    return measurements.mechanism(moment.loss.accountant)


def _variance(moment: Moment) -> float:
    return max(_LEAST_VARIANCE, accuracy.deviation(_mechanism(moment), moment.scale) ** 2)
