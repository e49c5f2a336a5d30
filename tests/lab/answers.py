"""Answer one line of questions in one of the four modes; whatever goes wrong becomes a verdict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod

import duckdb

from policies.refusals import Refused, Stage
from policies.terms import NANO, Accountant, AggregateName, PrivacyLoss
from sandbox.boundary import Plan, Release
from sandbox.client import Failed, Planned, rehearse, run
from sandbox.privacy.grouping import sets_of
from sandbox.privacy.measurements import NotProved
from sandbox.runtimes.base import Runtime
from sandbox.runtimes.list import RUNTIMES
from sandbox.worker.execute import ExactAggregates
from tests.lab.bench import RUN_LIMITS, Bench, NotAccepted
from tests.lab.order import rows_in_groups
from tests.lab.values import plain

_OF_BOTH = (
    AggregateName.COVAR_POP,
    AggregateName.COVAR_SAMP,
    AggregateName.CORR,
    AggregateName.REGR_SLOPE,
    AggregateName.REGR_INTERCEPT,
    AggregateName.REGR_R2,
    AggregateName.REGR_SXY,
)
_NAMES = {
    AggregateName.COUNT: ("count",),
    AggregateName.COUNT_DISTINCT: ("units",),
    AggregateName.SUM: ("sum", "count"),
    AggregateName.AVG: ("sum", "count"),
    AggregateName.VAR_POP: ("sum", "count", "squares"),
    AggregateName.VAR_SAMP: ("sum", "count", "squares"),
    AggregateName.STDDEV_POP: ("sum", "count", "squares"),
    AggregateName.STDDEV_SAMP: ("sum", "count", "squares"),
    AggregateName.REGR_COUNT: ("count",),
    AggregateName.BOOL_AND: ("units",),
    AggregateName.BOOL_OR: ("units",),
    **dict.fromkeys((AggregateName.REGR_AVGX, AggregateName.REGR_AVGY), ("sum", "count")),
    **dict.fromkeys((AggregateName.REGR_SXX, AggregateName.REGR_SYY), ("sum", "count", "squares")),
    **dict.fromkeys(_OF_BOTH, ("sum", "count", "other", "products", "other_squares", "squares")),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of output; `loss` in whole epsilon (or rho), `moments` as claimed by the plan."""

    verdict: str
    code: str | None = None
    message: str | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    loss: float | None = None
    moments: tuple[Mapping[str, object], ...] = field(default=())


def answer(bench: Bench, mode: str, question: Mapping[str, object]) -> Answer:
    """Answer one question. A bug becomes `failed`, `internal`: one query never ends the lab."""
    try:
        planned = bench.plan(
            str(question["sql"]), _purpose(bench, question), loss_of(bench, question)
        )
        return _MODES[mode](bench, planned)
    except Refused as refused:
        place = f" at {refused.at}" if refused.at else ""
        return Answer("refused", refused.code, refused.message("en") + place)
    except NotAccepted as failed:
        return Answer("failed", failed.failure.value)
    except (duckdb.Error, NotProved) as error:
        return Answer("failed", "run_failed", type(error).__name__)
    except Exception as error:  # the lab reports bugs, it does not hide them
        return Answer("failed", "internal", f"{type(error).__name__}: {error}"[:300])


def loss_of(bench: Bench, question: Mapping[str, object]) -> PrivacyLoss:
    """Return the asked loss, or as much as one query may cost, at most 1."""
    budget = bench.policy.budget
    name = "epsilon" if budget.accountant is Accountant.PURE_EPS else "rho"
    asked = question.get(name, question.get("epsilon"))
    if asked is None:
        return PrivacyLoss(budget.accountant, min(NANO, budget.per_query_max), 0)
    try:
        primary = int(Fraction(str(asked)) * NANO)
    except (ValueError, ZeroDivisionError):
        primary = 0
    if primary <= 0:
        raise Refused("loss_not_positive", Stage.DOOR, field=name, value=str(asked)[:40])
    return PrivacyLoss(budget.accountant, primary, 0)


def _purpose(bench: Bench, question: Mapping[str, object]) -> str:
    asked = question.get("purpose")
    return bench.policy.purposes[0].code if asked is None else str(asked)


def _check(bench: Bench, planned: Planned) -> Answer:
    bench.rehearse(planned.plan)
    return _accepted(planned, planned.labels, ())


def _exact(bench: Bench, planned: Planned) -> Answer:
    bench.rehearse(planned.plan)
    return _accepted(planned, planned.labels, _cells(bench.exact(planned.plan)))


def _bounded(bench: Bench, planned: Planned) -> Answer:
    bench.rehearse(planned.plan)
    exact = bench.bounded(planned.plan)
    names = (*key_names(planned.plan), *moment_names(planned.plan))
    counted = replace(exact, moments=rows_in_groups(planned.plan, exact))
    return _accepted(planned, names, _totals(planned.plan, counted))


def _run(bench: Bench, planned: Planned) -> Answer:
    runtime: Runtime = RUNTIMES["namespace"]()
    rehearse(planned.plan, bench.policy, runtime, RUN_LIMITS)
    done = run(planned.plan, bench.snapshot, runtime, RUN_LIMITS)
    if isinstance(done, Failed):
        return Answer("failed", done.reason)
    return _accepted(planned, planned.labels, _cells(done.release))


_MODES: Mapping[str, Callable[[Bench, Planned], Answer]] = {
    "check": _check,
    "exact": _exact,
    "bounded": _bounded,
    "run": _run,
}
MODES = tuple(_MODES)


def _accepted(
    planned: Planned, columns: tuple[str, ...], rows: tuple[tuple[object, ...], ...]
) -> Answer:
    plan = planned.plan
    return Answer(
        "accepted",
        columns=columns,
        rows=rows,
        loss=plan.loss.primary / NANO,
        moments=tuple(claims(plan)),
    )


def claims(plan: Plan) -> list[Mapping[str, object]]:
    """Return what the plan claims of each moment: how far one unit moves its vector over all groups."""
    return [
        {
            "name": name,
            "key_columns": list(key_names(plan)),
            "sensitivity_l1": moment.sensitivity_l1,
            "sensitivity_l2": root_up(moment.sensitivity_l2_squared),
        }
        for name, moment in zip(moment_names(plan), plan.measurement.moments, strict=True)
    ]


def key_names(plan: Plan) -> tuple[str, ...]:
    """Name the key columns of the exact moments."""
    return tuple(f"k{index}" for index in range(len(plan.measurement.keys)))


def moment_names(plan: Plan) -> tuple[str, ...]:
    """Name each moment by its number and what it adds up."""
    found: dict[int, str] = {}
    for aggregate in plan.aggregates:
        known = _NAMES.get(aggregate.name) or _of_ranks(len(aggregate.moments))
        for index, name in zip(aggregate.moments, known, strict=False):
            found.setdefault(index, name)
    names = {
        place: f"m{place}_{found[index]}"
        for each in sets_of(plan.measurement)
        for index, place in enumerate(each.moments)
        if place is not None
    }
    return tuple(names[place] for place in range(len(plan.measurement.moments)))


def _of_ranks(moments: int) -> tuple[str, ...]:
    """Name the moments of an order statistic: rows in bins, as often as a rank is looked for, and their number."""
    return (*("rank", "lower", "upper")[: moments - 1], "count")


def root_up(square: int) -> float:
    """Return a float that is at least the square root, and the root itself where it is whole."""
    root = math.sqrt(square)
    while Fraction(root) ** 2 < square:
        root = math.nextafter(root, math.inf)
    return root


def _cells(release: Release) -> tuple[tuple[object, ...], ...]:
    return tuple(tuple(plain(cell.value) for cell in row) for row in release.rows)


def _totals(plan: Plan, exact: ExactAggregates) -> tuple[tuple[object, ...], ...]:
    """Return the totals row by row; 0 in the rows of grouping sets over which a moment is not measured."""
    columns = []
    starts: dict[int, int] = {}
    row = 0
    for each in sets_of(plan.measurement):
        starts |= {place: row for place in each.moments if place is not None}
        row += prod(exact.sizes[key] for key in each.keys) if exact.keys else 0
    for place, vector in enumerate(exact.moments):
        after = len(exact.keys) - starts[place] - len(vector)
        columns.append([*(0,) * starts[place], *vector, *(0,) * after])
    return tuple(
        (*(plain(value) for value in key), *(column[place] for column in columns))
        for place, key in enumerate(exact.keys)
    )
