"""Which moments a query measures: each one once, however many aggregates are made of it.

The choice follows from the question and its declared bounds alone. Fewer moments means a larger share of the loss for each.
"""

from dataclasses import dataclass

from policies.terms import AggregateName
from sandbox.boundary import NoisyAggregate
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.privacy.aggregates import AGGREGATES, Argument, MomentSpec
from sandbox.privacy.aggregates.aggregate import present_count
from sandbox.privacy.aggregates.sum import derived_moments, worth_deriving


@dataclass(frozen=True, slots=True)
class Asked:
    """An aggregate of the query and what it is applied to, bounded."""

    aggregate: ResolvedAggregate
    argument: Argument


def share(asked: tuple[Asked, ...]) -> tuple[tuple[MomentSpec, ...], tuple[NoisyAggregate, ...]]:
    """Return the moments of a query without repetition, and each aggregate as a function of them."""
    measured = [spec for each in asked if not _is_sum(each) for spec in _own(each)]
    specs: list[MomentSpec] = []
    aggregates = []
    for each in asked:
        chosen = _derived(each, measured) or _own(each)
        specs += [spec for spec in dict.fromkeys(chosen) if spec not in specs]
        aggregates.append(
            NoisyAggregate(
                each.aggregate.name,
                tuple(specs.index(spec) for spec in chosen),
                tuple(spec.offset for spec in chosen),
                each.aggregate.type,
                each.argument.row_lower,
                each.argument.row_upper,
            )
        )
    return tuple(specs), tuple(aggregates)


def _is_sum(each: Asked) -> bool:
    return each.aggregate.name is AggregateName.SUM


def _own(each: Asked) -> tuple[MomentSpec, ...]:
    return AGGREGATES[each.aggregate.name].moments(each.argument)


def _derived(each: Asked, measured: list[MomentSpec]) -> tuple[MomentSpec, ...] | None:
    """Return a sum's other two moments if their count is measured anyway and they are no less exact."""
    if not _is_sum(each) or present_count(each.argument) not in measured:
        return None
    return derived_moments(each.argument) if worth_deriving(each.argument) else None
