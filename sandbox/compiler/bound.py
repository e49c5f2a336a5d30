"""Stage 4: `PermittedQuery` → `BoundedQuery`. After this stage one privacy unit changes at most a known amount.

The relation is private by the rules of docs/proofs/relations.md; every aggregate becomes moments whose rows, partials and
groups are bounded by declarations; every key has declared values.
"""

from dataclasses import dataclass

from policies.refusals import Refused, Stage
from policies.terms import AggregateName, ContributionBound
from sandbox.algebra import (
    Call,
    Column,
    Expr,
    Filter,
    Join,
    JoinType,
    Literal,
    Op,
    Relation,
    Scan,
    columns_of,
)
from sandbox.boundary import (
    STEPS_MAX,
    UNIT_COLUMN,
    GroupKey,
    NoisyAggregate,
    ScanColumn,
    StepBase,
    TableScan,
)
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.check import PermittedQuery
from sandbox.compiler.epochs import epochs_touched
from sandbox.compiler.facts import DeclaredFacts
from sandbox.compiler.intervals import interval
from sandbox.compiler.keys import declare_key, groups_at_most
from sandbox.compiler.links import unit_of
from sandbox.compiler.resolve import ResolvedQuery
from sandbox.compiler.sharing import Asked, share
from sandbox.compiler.stepped import inside, stepped
from sandbox.compiler.types import BOOLEAN
from sandbox.privacy.aggregates import Argument, MomentSpec, Steps
from sandbox.privacy.contribution import Sensitivity, bound_partials, sensitivity

CONTRIBUTION_MAX = 2**20  # of joined tables together; beyond it the noise drowns everything


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
    keys: tuple[GroupKey, ...]
    groups_per_unit_max: int
    moments: tuple[BoundedMoment, ...]
    aggregates: tuple[NoisyAggregate, ...]
    epochs: tuple[str, ...]


def bound(permitted: PermittedQuery) -> BoundedQuery:
    """Bound what one unit can do.

    Refuses: values without bounds, keys without declared values, sums too large to be exact.
    """
    query = permitted.query
    facts = DeclaredFacts(permitted.policy, permitted.catalogue, query.tables)
    keys = tuple(declare_key(key, facts) for key in query.keys)
    contribution = _contribution(permitted)
    groups = min(contribution.groups_per_unit_max, groups_at_most(keys))
    specs, aggregates = share(tuple(Asked(a, _argument(a, query, facts)) for a in query.aggregates))
    return BoundedQuery(
        permitted=permitted,
        scans=_scans(query),
        relation=_relation(query),
        unit=next(unit_of(t) for t in query.tables if t.table.private),
        keys=keys,
        groups_per_unit_max=groups,
        moments=tuple(_bounded(s, contribution.rows_per_group_max, groups) for s in specs),
        aggregates=aggregates,
        epochs=epochs_touched(query),
    )


def _bounded(spec: MomentSpec, rows_per_group_max: int, groups: int) -> BoundedMoment:
    try:
        lower, upper = bound_partials(spec.kind, spec.row_lower, spec.row_upper, rows_per_group_max)
        reach = sensitivity(lower, upper, groups)
    except ValueError:
        raise Refused(
            "bounds_too_wide",
            Stage.BOUND,
            what="one unit's contribution",
            magnitude=max(abs(spec.row_lower), abs(spec.row_upper)) * rows_per_group_max * groups,
            limit=STEPS_MAX,
        ) from None
    return BoundedMoment(spec, lower, upper, reach)


def _contribution(permitted: PermittedQuery) -> ContributionBound:
    """Multiply the declared bounds of the private tables: a joined row exists once for each combination."""
    rows = per_group = groups = 1
    for table in permitted.query.tables:
        if not table.table.private:
            continue
        grant = permitted.policy.table(table.table.name)
        if grant is None or grant.unit is None:
            raise Refused(
                "table_not_granted",
                Stage.BOUND,
                at=table.at,
                table=table.table.name,
                purpose="a privacy unit",
                owner=permitted.policy.holder.id,
            )
        rows *= grant.unit.bound.rows_per_unit_max
        per_group *= grant.unit.bound.rows_per_group_max
        groups *= grant.unit.bound.groups_per_unit_max
    return ContributionBound(
        min(rows, CONTRIBUTION_MAX), min(per_group, CONTRIBUTION_MAX), min(groups, CONTRIBUTION_MAX)
    )


def _argument(aggregate: ResolvedAggregate, query: ResolvedQuery, facts: DeclaredFacts) -> Argument:
    whole = Steps(StepBase.TEN, 0)
    value = aggregate.value
    if aggregate.name is AggregateName.COUNT_DISTINCT:
        distinct = None if _is_unit(value, query) else value
        return Argument(distinct, aggregate.condition, whole, 0, 1)
    if value is None or aggregate.name is AggregateName.COUNT:
        return Argument(value, aggregate.condition, whole, 0, 1)
    reach = interval(value, facts.bounds)
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
    """Tell whether a value is the privacy unit's own column: it is never NULL, so its presence needs no test."""
    if not isinstance(value, Column):
        return False
    table = query.tables[value.scan].table
    unit = table.unit
    return unit is not None and unit.references is None and unit.column == value.name


def _named(column: Column, query: ResolvedQuery) -> str:
    return f"{query.tables[column.scan].table.name}.{column.name}"


def _relation(query: ResolvedQuery) -> Relation:
    """Return the joined and filtered relation, with every unit equality as a condition of its own."""
    relation: Relation = Scan(0)
    for index in range(1, len(query.tables)):
        mine = list(query.conditions[index])
        mine += [c for c in query.links if max(p.scan for p in columns_of(c)) == index]
        relation = Join(JoinType.INNER, relation, Scan(index), conjunction(tuple(mine)))
    return Filter(relation, conjunction(query.where)) if query.where else relation


def conjunction(parts: tuple[Expr, ...]) -> Expr:
    """Return all parts under one AND; TRUE for none."""
    if not parts:
        return Literal(BOOLEAN, True)
    return parts[0] if len(parts) == 1 else Call(Op.AND, parts, BOOLEAN)


def _scans(query: ResolvedQuery) -> tuple[TableScan, ...]:
    exprs: list[Expr] = [c for group in query.conditions for c in group]
    exprs += [*query.where, *query.links, *(k.expr for k in query.keys)]
    for aggregate in query.aggregates:
        exprs += [e for e in (aggregate.value, aggregate.condition) if e is not None]
    used = {c for expr in exprs for c in columns_of(expr) if c.name != UNIT_COLUMN}
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
