"""Derive every bound of a plan again, beside the data, and refuse the plan if one differs.

The compiler is outside the boundary. A wrong or a captured compiler may ask for a sharper answer than it pays for; here
its claims meet the snapshot's own facts and the same mathematics, before any row is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.terms import Accountant, PrivacyLoss
from sandbox.algebra import Expr, columns_of
from sandbox.boundary import (
    PLAN_FORMAT,
    UNIT_COLUMN,
    DomainSource,
    EitherValues,
    Failure,
    GroupKey,
    ImageValues,
    Measurement,
    Moment,
    MomentKind,
    Plan,
    StepBase,
    TableScan,
)
from sandbox.privacy import composition, contribution, measurements
from sandbox.privacy.domain_size import Values
from sandbox.privacy.grouping import finest_moments
from sandbox.worker.accept_aggregate import NotAccepted, check_aggregate
from sandbox.worker.accept_post import check_post
from sandbox.worker.accept_rank import check_rank
from sandbox.worker.accept_selection import check_selection
from sandbox.worker.accept_sets import check_sets, sensitivities
from sandbox.worker.steps import fits
from sandbox.worker.unit_flow import check_unit_flow

SNAPSHOT_FORMAT = "1"
_INTERNAL = "_ky_"

# Columns of every table of the snapshot, by table, with their types in DuckDB's words.
Columns = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """What the holder fixed at ingest: the identity of the file and the most that one query may cost."""

    dataset: str
    snapshot: str
    accountant: Accountant
    primary_max: int
    delta_max: int


def read_facts(meta: Mapping[str, str]) -> SnapshotFacts:
    """Read the snapshot's own facts. Refuses (NotAccepted) another format and missing or garbled entries."""
    try:
        if meta["format_version"] != SNAPSHOT_FORMAT:
            raise NotAccepted("the snapshot has another format")
        return SnapshotFacts(
            meta["dataset"],
            meta["snapshot"],
            Accountant(meta["accountant"]),
            int(meta["loss_per_query_max"]),
            int(meta["delta_per_query_max"]),
        )
    except (KeyError, ValueError) as error:
        raise NotAccepted("the snapshot does not say what a query may cost") from error


def accept(plan: Plan, meta: Mapping[str, str], columns: Columns) -> Failure | None:
    """Return None if every claim of the plan follows from the snapshot and the mathematics, else why not."""
    try:
        facts = read_facts(meta)
        if (plan.dataset, plan.snapshot) != (facts.dataset, facts.snapshot):
            return Failure.SNAPSHOT_MISMATCH
        _check_losses(plan, facts)
        _check_scans(plan.measurement.scans, columns)
        check_claims(plan)
    except (ValueError, measurements.NotProved):
        return Failure.PLAN_NOT_ACCEPTED
    return None


def check_claims(plan: Plan) -> None:
    """Check all that does not need the snapshot, or raise. The twin runs this too, before anything is spent."""
    if plan.format != PLAN_FORMAT:
        raise NotAccepted("the plan has another format")
    if plan.accountant is not plan.loss.accountant:
        raise NotAccepted("the plan and its loss name two accountants")
    check_sets(plan.measurement, plan.post)
    _check_measurement(plan.measurement, plan.accountant)
    spent = composition.total(losses_of(plan.measurement))
    if spent.primary > plan.loss.primary or spent.delta > plan.loss.delta:
        raise NotAccepted("the moments cost more than the plan says")
    for aggregate in plan.aggregates:
        check_aggregate(aggregate, finest_moments(plan.measurement))
    check_post(plan)


def losses_of(measurement: Measurement) -> tuple[PrivacyLoss, ...]:
    """Return what each draw of a measurement costs: one for each moment, and one for the choice of its groups."""
    chosen = () if measurement.selection is None else (measurement.selection.loss,)
    return (*(moment.loss for moment in measurement.moments), *chosen)


def _check_losses(plan: Plan, facts: SnapshotFacts) -> None:
    if plan.accountant is not facts.accountant:
        raise NotAccepted("the family counts its losses in another way")
    if plan.loss.primary > facts.primary_max or plan.loss.delta > facts.delta_max:
        raise NotAccepted("the plan costs more than one query may")


def _check_scans(scans: tuple[TableScan, ...], columns: Columns) -> None:
    for scan in scans:
        # Tables of our own hold the family secret and the original unit keys.
        if scan.table.lower().startswith(_INTERNAL) or scan.table not in columns:
            raise NotAccepted("the snapshot has no such table")
        stored = columns[scan.table]
        if scan.private is not (UNIT_COLUMN in stored):
            raise NotAccepted("the plan and the snapshot disagree on what is private")
        if any(stored.get(column.name) != str(column.type) for column in scan.columns):
            raise NotAccepted("the plan and the snapshot disagree on a column")


def _check_measurement(measurement: Measurement, accountant: Accountant) -> None:
    if any(
        column.name.lower().startswith(_INTERNAL)
        for scan in measurement.scans
        for column in scan.columns
    ):
        raise NotAccepted("a plan reads no column of our own")
    check_unit_flow(measurement)
    for key in measurement.keys:
        if isinstance(key, GroupKey):
            _check_key(key)
    check_selection(measurement, accountant)
    if not measurement.moments:
        raise NotAccepted("a plan measures something")
    for moment, moved in zip(measurement.moments, sensitivities(measurement), strict=True):
        if moment.kind is MomentKind.RANK:
            check_rank(moment, measurement, accountant)
        else:
            _check_moment(moment, moved, accountant)


def _check_key(key: GroupKey) -> None:
    if key.outcomes and key.sources:
        raise NotAccepted("a key has constants or sources, not both")
    if not key.outcomes:
        _check_sources(key.expr, key.sources)


def _check_sources(expr: Expr, sources: tuple[DomainSource, ...]) -> None:
    if {source.column for source in sources} != set(columns_of(expr)):
        raise NotAccepted("a key has a domain for each column it reads")
    for source in sources:
        _check_values(source.values)


def _check_values(values: Values) -> None:
    if isinstance(values, ImageValues):
        _check_sources(values.expr, values.sources)
    elif isinstance(values, EitherValues):
        for part in values.parts:
            _check_values(part)


def _check_moment(moment: Moment, moved: contribution.Sensitivity, accountant: Accountant) -> None:
    if not _measurable(moment):
        raise NotAccepted("a moment of this type has no such steps")
    if moment.rank is not None:
        raise NotAccepted("only a rank looks for one")
    rows = _rows_per_group(moment)
    derived = contribution.bound_partials(moment.kind, moment.row_lower, moment.row_upper, rows)
    if derived != (moment.partial_lower, moment.partial_upper):
        raise NotAccepted("the partial bounds are no whole number of rows")
    if (moved.l1, moved.l2_squared) != (moment.sensitivity_l1, moment.sensitivity_l2_squared):
        raise NotAccepted("the sensitivity is not the one that follows")
    scale = measurements.calibrate(accountant, moved.l1, moved.l2_squared, moment.loss)
    if scale != moment.scale:
        raise NotAccepted("the scale is not the one that follows")


def _measurable(moment: Moment) -> bool:
    if moment.kind is MomentKind.DISTINCT:  # values of any type, counted one by one
        return (moment.step_base, moment.step_exponent) == (StepBase.TEN, 0)
    return fits(moment.value.type, moment)


def _rows_per_group(moment: Moment) -> int:
    if moment.kind is MomentKind.PRESENCE:
        return 1
    if moment.row_upper > 0:
        return moment.partial_upper // moment.row_upper
    if moment.row_lower < 0:
        return moment.partial_lower // moment.row_lower
    return 1
