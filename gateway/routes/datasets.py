"""GET /v1/datasets: what a caller may ask about, with every bound and domain it needs to write a query."""

from typing import Any

from fastapi import APIRouter

from gateway.amounts import LOSS_FIELD, loss_text, time_text
from gateway.caller import AnyClient, AnyNode
from gateway.identity.clients import Client, Role
from gateway.register import Known, Served, is_held, policies_of
from policies.access.model import (
    AccessPolicy,
    ColumnGrant,
    Domain,
    ListDomain,
    RangeDomain,
    RefDomain,
    TableGrant,
)
from policies.catalogue import Catalogue
from policies.refusals import Refused, Stage
from policies.terms import Scalar

router = APIRouter(prefix="/v1/datasets", tags=["catalogue"])


@router.get("")
def list_datasets(client: AnyClient, node: AnyNode) -> dict[str, Any]:
    """Return the datasets the caller has a policy for, or holds."""
    known = node.register.known()
    return {
        "datasets": [
            _head(known, served)
            for name, served in sorted(known.datasets.items())
            if visible(known, served, client)
        ]
    }


@router.get("/{dataset}")
def one_dataset(dataset: str, client: AnyClient, node: AnyNode) -> dict[str, Any]:
    """Return a dataset's schema with what each of the caller's policies grants in it."""
    known = node.register.known()
    served = known.datasets.get(dataset)
    if served is None or not visible(known, served, client):
        raise Refused("not_found", Stage.DOOR)
    policies = policies_of(known, client.party, served)
    return _head(known, served) | {
        "policies": [_policy(policy, served.catalogue) for policy in policies]
    }


def visible(known: Known, served: Served, client: Client) -> bool:
    """Tell whether the caller may know that a dataset exists."""
    if Role.HOLDER in client.roles and served.catalogue.dataset.holder.id == client.party:
        return True
    return Role.OPERATOR in client.roles and bool(policies_of(known, client.party, served))


def _head(known: Known, served: Served) -> dict[str, Any]:
    dataset = served.catalogue.dataset
    family = dataset.family
    return {
        "id": dataset.id,
        "version": dataset.version,
        "holder": dataset.holder.id,
        "snapshot": served.commitment,
        "size_class": dataset.size_class.value,
        "unit": family.unit,
        "accountant": family.accountant.value,
        "loss_field": LOSS_FIELD[family.accountant],
        "loss_per_query_max": loss_text(family.loss_per_query_max),
        "epochs": list(served.catalogue.epochs),
        "suspended": is_held(known, dataset.id),
    }


def _policy(policy: AccessPolicy, catalogue: Catalogue) -> dict[str, Any]:
    budget = policy.budget
    return {
        "id": policy.metadata.id,
        "version": policy.metadata.version,
        "effective": {
            "from": time_text(policy.effective.start),
            "to": time_text(policy.effective.end),
        },
        "purposes": [
            {"code": p.code, "class": p.purpose_class.value, "fee": p.fee.value}
            for p in policy.purposes
        ],
        "aggregates": [name.value for name in policy.query.aggregates],
        "max_groups": policy.query.max_groups,
        "loss_per_query_max": loss_text(budget.per_query_max),
        "tables": [_table(grant, catalogue) for grant in policy.tables],
    }


def _table(grant: TableGrant, catalogue: Catalogue) -> dict[str, Any]:
    table = catalogue.dataset.table(grant.name)
    types = {column.name: str(column.type) for column in table.columns} if table else {}
    unit = grant.unit
    return {
        "name": grant.name,
        "public": grant.public,
        "unit": unit.column if unit else None,
        "rows_per_group_max": unit.bound.rows_per_group_max if unit else None,
        "groups_per_unit_max": unit.bound.groups_per_unit_max if unit else None,
        "columns": [_column(column, types.get(column.name, "")) for column in grant.columns],
        "joins": [
            {"to": join.to, "using": [list(pair) for pair in join.using], "kind": join.kind.value}
            for join in grant.joins
        ],
    }


def _column(grant: ColumnGrant, kind: str) -> dict[str, Any]:
    bounds = grant.bounds
    return {
        "name": grant.name,
        "type": kind,
        "uses": [use.value for use in grant.uses],
        "bounds": [str(bounds.lower), str(bounds.upper)] if bounds else None,
        "domain": _domain(grant.domain),
    }


def _domain(domain: Domain | None) -> dict[str, Any] | None:
    match domain:
        case ListDomain(values):
            return {"values": [_shown(value) for value in values]}
        case RangeDomain(lower, upper):
            return {"range": [str(lower), str(upper)]}
        case RefDomain(table, column):
            return {"ref": f"{table}.{column}"}
    return None


def _shown(value: Scalar) -> Any:
    return value if value is None or isinstance(value, bool | int | str) else str(value)
