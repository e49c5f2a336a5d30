"""From a wanted accuracy to the smallest loss that gives it, before anything is spent.

Method   The half-width of a column falls as the loss grows, so the loss is found by halving a grid: all losses of four
         significant digits up to what one query may spend. At each the whole plan is made, as it would be for asking.
Promised The plan at the loss found foretells at most the wanted half-width for every wanted column; at the next smaller loss
         of the grid it would not.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.accuracy import Basis, Expected, expected
from gateway.wanted import Accuracy, Wanted
from policies.refusals import Refused, Stage
from policies.terms import PrivacyLoss
from sandbox.boundary import Plan
from sandbox.client import Draft, Planned
from sandbox.compiler.amounts import amount
from sandbox.compiler.types import is_numeric

_FIRST = 1_000  # below it the grid holds every whole nano-unit
_DECADE = 9_000  # from 1000 to 9999 in each power of ten


@dataclass(frozen=True, slots=True)
class Target:
    """The half-width that one column of the answer may have."""

    index: int
    label: str
    half_width: Decimal
    rows: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Found:
    """The plan at the smallest loss, and what it was searched for."""

    planned: Planned
    targets: tuple[Target, ...]


def find_loss(draft: Draft, most: PrivacyLoss, wanted: Wanted) -> Found:
    """Return the plan that reaches the wanted accuracy at the smallest loss, `most` at most.

    Refuses  a column that is not there, an accuracy that cannot be foretold, and one that `most` does not reach.
    """
    planned = draft.at(most)
    targets = resolve_targets(planned, wanted)
    _refuse_out_of_reach(planned, targets, most)
    below, enough = -1, _steps_to(most.primary)
    while below + 1 < enough:
        middle = (below + enough) // 2
        tried = _tried(draft, PrivacyLoss(most.accountant, _grid(middle), most.delta))
        if tried is not None and reaches(tried.plan, targets):
            planned, enough = tried, middle
        else:
            below = middle
    return Found(planned, targets)


def reaches(plan: Plan, targets: tuple[Target, ...]) -> bool:
    """Tell whether a plan foretells the wanted half-widths."""
    errors = expected(plan)
    return all(_foretold(errors, target) <= target.half_width for target in targets)


def resolve_targets(planned: Planned, wanted: Wanted) -> tuple[Target, ...]:
    """Return which column may be off by how much.

    Refuses  an unknown column, a percentage of nothing, an average over nobody knows how many rows.
    """
    errors = expected(planned.plan)
    noisy = {
        index: label
        for index, (label, error) in enumerate(zip(planned.labels, errors, strict=True))
        if error is not None and is_numeric(planned.plan.post.outputs[index].expr.type)
    }
    known = dict(wanted.expected)
    for name in (*(a.column for a in wanted.accuracies if a.column is not None), *known):
        if [label.lower() for label in noisy.values()].count(name.lower()) != 1:
            columns = ", ".join(noisy.values())
            raise _refused("accuracy_column_unknown", column=name, columns=columns)
    return tuple(
        _target(index, label, each, errors, known)
        for each in wanted.accuracies
        for index, label in noisy.items()
        if each.column is None or each.column.lower() == label.lower()
    )


def _target(
    index: int,
    label: str,
    wanted: Accuracy,
    errors: tuple[Expected | None, ...],
    known: dict[str, Decimal],
) -> Target:
    error = errors[index]
    if error is None or error.basis is Basis.WITH_ANSWER:
        raise _refused("accuracy_not_foretold", column=label)
    if (error.rank is not None) is not wanted.ranked:
        raise _refused("accuracy_in_rows", column=label)
    if error.over_rows is not None and wanted.rows is None:
        raise _refused("accuracy_needs_rows", column=label)
    size = wanted.size
    if wanted.percent:
        base = wanted.base or known.get(label.lower())
        if base is None:
            raise _refused("accuracy_needs_expectation", column=label, size=size)
        size = size * base / 100
    return Target(index, label, size, wanted.rows, wanted.words)


def _foretold(errors: tuple[Expected | None, ...], target: Target) -> Decimal:
    error = errors[target.index]
    found = None if error is None else error.rank.rows if error.rank else error.at(target.rows)
    if found is None:
        raise AssertionError("a target has an error that can be foretold")
    return Decimal(found)


def _refuse_out_of_reach(planned: Planned, targets: tuple[Target, ...], most: PrivacyLoss) -> None:
    errors = expected(planned.plan)
    for target in targets:
        reached = _foretold(errors, target)
        if not reached <= target.half_width:
            raise _refused(
                "accuracy_out_of_reach",
                column=target.label,
                wanted=f"{target.half_width.normalize():f}",
                reached=f"{float(reached):.4g}",
                limit=amount(most),
            )


def _tried(draft: Draft, loss: PrivacyLoss) -> Planned | None:
    try:
        return draft.at(loss)
    except Refused as refused:
        if refused.code != "loss_too_small":
            raise
        return None


def _grid(step: int) -> int:
    """Return the loss of a step of the grid, in nano-units: 1, 2 … 9999, 10000, 10010, 10020 …"""
    if step < _FIRST - 1:
        return step + 1
    tens, digits = divmod(step - (_FIRST - 1), _DECADE)
    return (_FIRST + digits) * int(10**tens)


def _steps_to(primary: int) -> int:
    """Return the first step of the grid whose loss is at least this."""
    below, enough = -1, _DECADE * len(str(primary)) + _FIRST
    while below + 1 < enough:
        middle = (below + enough) // 2
        if _grid(middle) >= primary:
            enough = middle
        else:
            below = middle
    return enough


def _refused(code: str, **params: Any) -> Refused:
    return Refused(code, Stage.PLAN, **params)
