"""Check that a policy fits the dataset it is to be published with.

A policy may grant less than the declaration, never more: its bounds, losses and caps lie inside
what ingest enforced, and every name and type exists.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from policies.access.model import (
    AccessPolicy,
    ColumnGrant,
    ListDomain,
    RangeDomain,
    RefDomain,
    TableGrant,
)
from policies.dataset import Dataset, Table
from policies.reading.nodes import plain_decimal
from policies.reading.report import Problem
from policies.terms import ColumnUse, Scalar, SqlType, TypeKind

NUMERIC = (
    TypeKind.INTEGER,
    TypeKind.BIGINT,
    TypeKind.HUGEINT,
    TypeKind.DECIMAL,
    TypeKind.DOUBLE,
)
_INSTANTS = (TypeKind.DATE, TypeKind.TIMESTAMP)  # min, max and quantiles take them
_WHOLE = (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT)


def fit(policy: AccessPolicy, dataset: Dataset) -> tuple[Problem, ...]:
    """Return every way in which the policy asks for more than the dataset declares, or nothing."""
    problems = list(_head(policy, dataset))
    for grant in policy.tables:
        table = dataset.table(grant.name)
        if table is None:
            problems.append(_no(("tables", grant.name), f"is not a table of `{dataset.id}`"))
        else:
            problems += _table(grant, table)
            for column in grant.columns:
                at = ("tables", grant.name, "columns", column.name)
                problems += _column(dataset, table, column, at)
            problems += _joins(dataset, grant)
    return tuple(problems)


def _head(policy: AccessPolicy, dataset: Dataset) -> Iterator[Problem]:
    budget, family = policy.budget, dataset.family
    if policy.holder != dataset.holder:
        yield _no(("parties", "holder"), f"is not the holder of `{dataset.id}`")
    if budget.accountant is not family.accountant:
        # Losses of different accountants never meet in one account.
        yield _no(("budget", "accountant"), f"must be {family.accountant.value}, as the family's")
        return
    if budget.unit != family.unit:
        yield _no(("budget", "unit"), f"must be `{family.unit}`, as the family's")
    for name, value, limit in (
        ("per_query_max", budget.per_query_max, family.loss_per_query_max),
        ("lifetime_per_epoch", budget.lifetime_per_epoch, family.lifetime),
        ("delta_total", budget.delta_total, family.delta_total),
    ):
        if value > limit:
            yield _no(("budget", name), "is above what the family declares")


def _table(grant: TableGrant, table: Table) -> Iterator[Problem]:
    at = ("tables", grant.name)
    if grant.public and table.private:
        yield _no((*at, "public"), "contradicts the dataset, where the table is private")
    if grant.unit is None or not table.private:
        if grant.unit is not None:
            yield _no((*at, "privacy_unit"), "belongs to a private table; this one is public")
        return
    if table.unit is None or table.contribution is None or grant.unit.column != table.unit.column:
        yield _no((*at, "privacy_unit", "column"), "is not the unit column the dataset declares")
        return
    ours, theirs = grant.unit.bound, table.contribution
    for name, value, limit in (
        ("max_rows_per_unit", ours.rows_per_unit_max, theirs.rows_per_unit_max),
        ("max_rows_per_group", ours.rows_per_group_max, theirs.rows_per_group_max),
        ("max_groups_per_unit", ours.groups_per_unit_max, theirs.groups_per_unit_max),
    ):
        if value > limit:
            yield _no((*at, "privacy_unit", name), f"is above {limit}, which the dataset declares")


def _column(
    dataset: Dataset, table: Table, grant: ColumnGrant, at: tuple[str, ...]
) -> Iterator[Problem]:
    column = table.column(grant.name)
    if column is None:
        yield _no(at, f"is not a column of `{table.name}`")
        return
    kind = column.type
    if ColumnUse.AGGREGATE in grant.uses and kind.kind not in (*NUMERIC, *_INSTANTS):
        yield _no((*at, "use"), f"has `aggregate`, but {kind} is not a number, a day or an instant")
    if grant.bounds is not None and not _bound_fits(grant.bounds.lower, kind):
        yield _no((*at, "bounds"), f"are not values of {kind}")
    if grant.bin is not None and kind.kind not in NUMERIC:
        yield _no((*at, "bin"), f"belongs to numbers, not to {kind}")
    yield from _domain(dataset, grant, kind, (*at, "domain"))


def _domain(
    dataset: Dataset, grant: ColumnGrant, kind: SqlType, at: tuple[str, ...]
) -> Iterator[Problem]:
    match grant.domain:
        case ListDomain(values):
            # null is a value of every type: the group of rows without one
            if not all(value is None or value_fits(value, kind) for value in values):
                yield _no(at, f"holds values that are not {kind}")
        case RangeDomain(lower, upper):
            days = kind.kind is TypeKind.DATE and isinstance(lower, date)
            if not days and not (value_fits(lower, kind) and value_fits(upper, kind)):
                yield _no(at, f"is not a range of {kind}")
            elif not days and kind.kind not in _WHOLE:
                yield _no(at, "must be a list; only whole numbers and days can be counted through")
        case RefDomain(table_name, column_name):
            table = dataset.table(table_name)
            column = table.column(column_name) if table else None
            if table is None or table.private or column is None or column.type != kind:
                yield _no(at, f"must refer to a {kind} column of a public table")


def _joins(dataset: Dataset, grant: TableGrant) -> Iterator[Problem]:
    own = dataset.table(grant.name)
    for index, join in enumerate(grant.joins):
        at = ("tables", grant.name, "joins", str(index))
        other = dataset.table(join.to)
        if other is None or own is None:
            continue  # another holder's table: its own policy and dataset speak for it
        for left, right in join.using:
            ours, theirs = own.column(left), other.column(right)
            if ours is None or theirs is None or ours.type != theirs.type:
                yield _no((*at, "using"), f"pairs `{left}` with `{right}`, which differ in type")


def _bound_fits(value: Decimal | date | datetime, kind: SqlType) -> bool:
    match value:
        case Decimal():
            return kind.kind in NUMERIC
        case datetime():
            return kind.kind is TypeKind.TIMESTAMP
        case date():
            return kind.kind in (TypeKind.DATE, TypeKind.TIMESTAMP)


def value_fits(value: Scalar, kind: SqlType) -> bool:
    """Tell whether a value of a domain can be a value of the column, without rounding."""
    match value:
        case bool():
            return kind.kind is TypeKind.BOOLEAN
        case int() | Decimal():
            return _number_fits(Decimal(value), kind)
        case str():
            return kind.kind is TypeKind.VARCHAR
        case datetime():
            return kind.kind is TypeKind.TIMESTAMP
        case date():
            return kind.kind is TypeKind.DATE
    return False


def _number_fits(value: Decimal, kind: SqlType) -> bool:
    whole = value == value.to_integral_value()
    match kind.kind:
        case TypeKind.INTEGER:
            return whole and -(2**31) <= value < 2**31
        case TypeKind.BIGINT:
            return whole and -(2**63) <= value < 2**63
        case TypeKind.HUGEINT:
            return whole and -(2**127) < value < 2**127
        case TypeKind.DECIMAL:
            places = len(plain_decimal(value).partition(".")[2])
            return places <= kind.scale and abs(value) < 10 ** (kind.precision - kind.scale)
        case TypeKind.DOUBLE:
            return True
    return False


def _no(pointer: tuple[str, ...], problem: str) -> Problem:
    params = (("field", ".".join(pointer)), ("problem", problem))
    return Problem("document_field_invalid", pointer, params)
