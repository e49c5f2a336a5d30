"""Compare two versions of a policy by meaning: what widens, what narrows, what changes neither.

A widening needs the quorum of `policies/approvals.py`; a narrowing may take effect at once. When
in doubt a change counts as widening: a needless second signature costs less than a missed one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from policies.access.model import (
    AccessPolicy,
    ColumnGrant,
    Domain,
    JoinGrant,
    ListDomain,
    RangeDomain,
    ResultFormat,
    TableGrant,
    Window,
)
from policies.dataset_document import decimal_units
from policies.terms import DELTA_UNIT, NANO


class Direction(StrEnum):
    """Whether more or less may be asked after a change."""

    WIDENS = "widens"
    NARROWS = "narrows"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where, from what, to what."""

    direction: Direction
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that allows more the higher it is, and how it reads; None allows without limit."""

    value: int | Decimal | None
    text: str

    def __str__(self) -> str:
        return self.text


# A fact of a policy: a grant that is there or not, a limit, or a text without an order.
Facts = Mapping[str, Limit | str]

GRANTED = "granted"
# Facts that only inform, and facts that only restrict: to drop one of these allows more.
ABOUT, DUTY = "about.", "duty."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def diff(before: AccessPolicy, after: AccessPolicy) -> tuple[Change, ...]:
    """List every change of meaning, widenings first."""
    old, new = dict(_facts(before)), dict(_facts(after))
    changes = [
        Change(
            _direction(name, old.get(name), new.get(name)), name, _said(old, name), _said(new, name)
        )
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    order = list(Direction)
    return tuple(sorted(changes, key=lambda change: order.index(change.direction)))


def widens(before: AccessPolicy, after: AccessPolicy) -> bool:
    """Tell whether anything may be asked after the change that could not be asked before."""
    return any(change.direction is Direction.WIDENS for change in diff(before, after))


def _direction(name: str, old: Limit | str | None, new: Limit | str | None) -> Direction:
    if name.startswith(ABOUT):
        return Direction.NEUTRAL
    if (old if name.startswith(DUTY) else new) is None:
        return Direction.NARROWS
    if isinstance(old, Limit) and isinstance(new, Limit):
        less = new.value is not None and (old.value is None or new.value < old.value)
        return Direction.NARROWS if less else Direction.WIDENS
    return Direction.WIDENS


def _said(facts: Facts, name: str) -> str:
    return str(facts[name]) if name in facts else "nothing"


def _facts(policy: AccessPolicy) -> Iterator[tuple[str, Limit | str]]:
    """State the policy as independent facts; everything it says is in one of them."""
    yield f"{ABOUT}version", str(policy.metadata.version)
    yield f"{ABOUT}supersedes", str(policy.metadata.supersedes)
    yield f"{ABOUT}basis", str(policy.metadata.basis)
    yield f"{ABOUT}tests", str(policy.tests)
    yield "id", policy.metadata.id
    yield "jurisdiction", policy.metadata.jurisdiction
    yield "parties.holder", str(policy.holder)
    yield "parties.operator", str(policy.operator)
    yield "classification", str(policy.classification)
    yield "effective.from", _instant(policy.effective.start, -1)
    yield "effective.to", _instant(policy.effective.end, 1)
    yield "price", str(policy.price)
    yield "revenue", str(policy.revenue)
    for purpose in policy.purposes:
        yield f"purposes.{purpose.code}", f"{purpose.purpose_class.value}, {purpose.fee.value}"
    for word in policy.obligations:
        yield f"{DUTY}{word}", GRANTED
    yield from _limits(policy)
    yield from _budget(policy)
    for table in policy.tables:
        yield from _table(table)


def _limits(policy: AccessPolicy) -> Iterator[tuple[str, Limit | str]]:
    query, output = policy.query, policy.output
    yield "query.max_groups", _count(query.max_groups)
    yield "query.max_literals", _count(query.max_literals)
    yield "query.failures_max", _count(query.failures_max)
    if query.private_keys:
        yield "query.private_keys", GRANTED
    for name in query.aggregates:
        yield f"query.aggregates.{name.value}", GRANTED
    yield "output.max_rows", _count(output.max_rows)
    for form in output.formats or ResultFormat:
        yield f"output.formats.{form.value}", GRANTED


def _budget(policy: AccessPolicy) -> Iterator[tuple[str, Limit | str]]:
    budget = policy.budget
    yield "budget.accountant", f"{budget.accountant.value} per {budget.unit}"
    yield "budget.per_query_max", _loss(budget.per_query_max, NANO)
    yield "budget.lifetime_per_epoch", _loss(budget.lifetime_per_epoch, NANO)
    yield "budget.delta_total", _loss(budget.delta_total, DELTA_UNIT)
    # without a limit of its own, one query may spend the whole
    most = budget.delta_per_query or budget.delta_total
    yield "budget.delta_per_query", _loss(most, DELTA_UNIT)
    paces = {(allowance.purpose, allowance.window): allowance for allowance in budget.allowances}
    for purpose in policy.purposes:
        # A second window paces a purpose further, so losing one allows more.
        for window in Window:
            pace = paces.get((purpose.code, window))
            limit = _loss(pace.primary, NANO) if pace else Limit(None, "no limit")
            yield f"budget.allowances.{purpose.code}.{window.value}", limit


def _table(table: TableGrant) -> Iterator[tuple[str, Limit | str]]:
    at = f"tables.{table.name}"
    yield at, "public" if table.unit is None else f"private by {table.unit.column}"
    if table.unit is not None:
        bound = table.unit.bound
        yield f"{at}.max_rows_per_unit", _count(bound.rows_per_unit_max)
        yield f"{at}.max_rows_per_group", _count(bound.rows_per_group_max)
        yield f"{at}.max_groups_per_unit", _count(bound.groups_per_unit_max)
    for join in table.joins:
        yield f"{at}.joins.{_join(join)}", GRANTED
    for column in table.columns:
        yield from _column(f"{at}.columns.{column.name}", column)


def _join(join: JoinGrant) -> str:
    pairs = ", ".join(sorted(f"{own} = {theirs}" for own, theirs in join.using))
    return f"{join.kind.value} {join.to} on {pairs}"


def _column(at: str, column: ColumnGrant) -> Iterator[tuple[str, Limit | str]]:
    for use in column.uses:
        yield f"{at}.use.{use.value}", GRANTED
    if column.bounds is not None:
        yield f"{at}.bounds.low", _end(column.bounds.lower, -1)
        yield f"{at}.bounds.high", _end(column.bounds.upper, 1)
    # A finer bin shows more, and no bin shows most.
    yield f"{at}.bin", Limit(-column.bin, str(column.bin)) if column.bin else Limit(None, "no bin")
    if column.domain is not None:
        yield from _domain(f"{at}.domain", column.domain)


def _domain(at: str, domain: Domain) -> Iterator[tuple[str, Limit | str]]:
    match domain:
        case ListDomain(values):
            for value in values:
                yield f"{at}.{value!r}", GRANTED
        case RangeDomain(lower, upper):
            yield f"{at}.low", _end(lower, -1)
            yield f"{at}.high", _end(upper, 1)
        case _:
            yield f"{at}.ref", f"{domain.table}.{domain.column}"


def _count(value: int | None) -> Limit:
    return Limit(value, "no limit" if value is None else str(value))


def _loss(units: int, per_one: int) -> Limit:
    return Limit(units, decimal_units(units, per_one))


def _instant(moment: datetime, sign: int) -> Limit:
    return Limit(sign * ((moment - _EPOCH) // timedelta(microseconds=1)), moment.isoformat())


def _end(value: int | Decimal | date | datetime, sign: int) -> Limit:
    """Place an end of an interval on a line, so that wider and narrower can be told."""
    match value:
        case datetime():
            return _instant(value.replace(tzinfo=UTC), sign)
        case date():
            return Limit(sign * value.toordinal(), value.isoformat())
        case _:
            return Limit(sign * Decimal(value), str(value))
