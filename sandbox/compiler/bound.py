"""Stage 4: `PermittedQuery` → `BoundedQuery`. After this stage one privacy unit changes at most a known amount.

The relation is private by the rules of docs/proofs/relations.md; every aggregate becomes moments whose rows, partials and
groups are bounded by declarations; every key has declared values.
"""

from dataclasses import dataclass, replace

from policies.refusals import Refused, Stage
from policies.terms import AggregateName
from sandbox.algebra import (
    Column,
    Expr,
    Relation,
    columns_of,
)
from sandbox.boundary import (
    STEPS_MAX,
    GroupKey,
    NoisyAggregate,
    PrivateKey,
    ScanColumn,
    StepBase,
    TableScan,
)
from sandbox.compiler.aggregates import ResolvedAggregate, pair_of, parts_of
from sandbox.compiler.check import PermittedQuery
from sandbox.compiler.epochs import epochs_touched
from sandbox.compiler.facts import DeclaredFacts
from sandbox.compiler.intervals import EVERYTHING, interval
from sandbox.compiler.lineage import origins
from sandbox.compiler.modes import mode_argument
from sandbox.compiler.private_keys import group_keys, groups_per_unit
from sandbox.compiler.quantiles import instants, ranked, room_for
from sandbox.compiler.resolve import ResolvedQuery
from sandbox.compiler.settle import scanned
from sandbox.compiler.sharing import Asked, share
from sandbox.compiler.stepped import inside, paired, stepped
from sandbox.privacy.aggregates import Argument, MomentSpec, Steps
from sandbox.privacy.aggregates.pairs import PAIRED
from sandbox.privacy.aggregates.quantile import INSTANTS
from sandbox.privacy.contribution import (
    Sensitivity,
    bound_partials,
    rank_sensitivity,
    sensitivity,
)


@dataclass(frozen=True, slots=True)
class BoundedMoment:
    """A moment with its bounds in steps and how far one unit can move it."""

    spec: MomentSpec
    partial_lower: int
    partial_upper: int
    sensitivity: Sensitivity


@dataclass(frozen=True, slots=True)
class BoundedQuery:
    """A query whose every moment has a proven sensitivity; only the loss and the noise are missing."""

    permitted: PermittedQuery
    scans: tuple[TableScan, ...]
    relation: Relation
    unit: Column
    keys: tuple[GroupKey | PrivateKey, ...]
    groups_per_unit_max: int
    moments: tuple[BoundedMoment, ...]
    aggregates: tuple[NoisyAggregate, ...]
    epochs: tuple[str, ...]


def bound(permitted: PermittedQuery) -> BoundedQuery:
    """Bound what one unit can do.

    Refuses: values without bounds, keys without declared values, sums too large to be exact.
    """
    query = permitted.query
    facts = DeclaredFacts(permitted.policy, permitted.catalogue, query)
    contribution = facts.contributions.of(query.relation)
    keys = group_keys(permitted, facts)
    groups = groups_per_unit(keys, contribution)
    room = room_for(keys, query.aggregates)
    specs, aggregates = share(
        tuple(Asked(a, ranked(_argument(a, query, facts), a, room)) for a in query.aggregates)
    )
    return BoundedQuery(
        permitted=permitted,
        scans=_scans(query),
        relation=query.relation,
        unit=query.unit,
        keys=keys,
        groups_per_unit_max=groups,
        moments=tuple(_bounded(s, contribution.rows_per_group_max, groups) for s in specs),
        aggregates=aggregates,
        epochs=epochs_touched(query),
    )


def _bounded(spec: MomentSpec, rows_per_group_max: int, groups: int) -> BoundedMoment:
    try:
        lower, upper = bound_partials(spec.kind, spec.row_lower, spec.row_upper, rows_per_group_max)
        reach = (
            rank_sensitivity(spec.rank, rows_per_group_max, groups)
            if spec.rank is not None
            else sensitivity(lower, upper, groups)
        )
    except ValueError:
        raise Refused(
            "bounds_too_wide",
            Stage.BOUND,
            what="one unit's contribution",
            magnitude=max(abs(spec.row_lower), abs(spec.row_upper)) * rows_per_group_max * groups,
            limit=STEPS_MAX,
        ) from None
    return BoundedMoment(spec, lower, upper, reach)


def _argument(aggregate: ResolvedAggregate, query: ResolvedQuery, facts: DeclaredFacts) -> Argument:
    whole = Steps(StepBase.TEN, 0)
    value = aggregate.value
    if aggregate.name is AggregateName.COUNT_DISTINCT:
        distinct = None if _is_unit(value, query) else value
        return Argument(distinct, aggregate.condition, whole, 0, 1)
    if value is None or aggregate.name is AggregateName.COUNT:
        # the unit's key is never NULL, so counting it is counting rows: one measurement for both
        present = None if _is_unit(value, query) else value
        return Argument(present, aggregate.condition, whole, 0, 1)
    if aggregate.name is AggregateName.MODE:
        return mode_argument(aggregate, facts)
    if aggregate.name in PAIRED:
        counts = aggregate.name is AggregateName.REGR_COUNT
        first, second = (
            Argument(part, aggregate.condition, whole, 0, 1)
            if counts
            else _number(replace(aggregate, value=part), query, facts)
            for part in pair_of(value)
        )
        return paired(aggregate.name, first, second)
    return _number(aggregate, query, facts)


def _number(aggregate: ResolvedAggregate, query: ResolvedQuery, facts: DeclaredFacts) -> Argument:
    """Return a numeric argument in steps. Refuses: a value without bounds."""
    value = aggregate.value
    if value is None:
        raise ValueError("what is measured has a value")
    dated = instants(aggregate, value, facts.ends) if value.type in INSTANTS else None
    if dated is not None:
        return dated
    reach = interval(value, facts.bounds) if value.type not in INSTANTS else EVERYTHING
    if reach.low is None or reach.high is None:
        columns = ", ".join(_named(c, query) for c in columns_of(value))
        raise Refused(
            "bounds_missing",
            Stage.BOUND,
            at=aggregate.at,
            what=inside(aggregate.words),
            columns=columns or "it",
        )
    summed = any(
        (other.name, other.value, other.condition)
        == (AggregateName.SUM, value, aggregate.condition)
        for other in query.aggregates
    )
    return stepped(aggregate, reach, summed=summed)


def _is_unit(value: Expr | None, query: ResolvedQuery) -> bool:
    """Tell whether a value is the privacy unit's own key: it is never NULL, so its presence needs no test."""
    return value in query.unit_keys


def _named(column: Column, query: ResolvedQuery) -> str:
    found = sorted(origins(column, query.known), key=lambda c: (c.scan, c.name))
    named = [f"{query.tables[c.scan].table.name}.{c.name}" for c in found]
    return ", ".join(named) or "a computed column"


def _scans(query: ResolvedQuery) -> tuple[TableScan, ...]:
    tops = [k.expr for k in query.keys]
    tops += [e for a in query.aggregates for e in parts_of(a)]
    used = scanned(query.relation, tuple(tops))
    return tuple(
        TableScan(
            t.table.name,
            t.table.private,
            tuple(
                ScanColumn(c.name, c.type)
                for c in t.table.columns
                if any(u.scan == t.index and u.name == c.name for u in used)
            ),
        )
        for t in query.tables
    )
