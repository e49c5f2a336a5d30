"""GET /v1/budgets: where every account stands that concerns the caller."""

from typing import Any

from fastapi import APIRouter

from audit.charge import Balance
from gateway.accounts import Account, Moment, allowance_accounts, epoch_account, family_accounts
from gateway.amounts import account_text
from gateway.caller import AnyClient, AnyNode
from gateway.identity.clients import Role
from gateway.node import Node
from gateway.register import Known, Served, policies_of, policies_over
from gateway.routes.datasets import visible

router = APIRouter(prefix="/v1", tags=["budget"])


@router.get("/budgets")
def budgets(client: AnyClient, node: AnyNode) -> dict[str, Any]:
    """Return the accounts: an operator's own pace, and what the family has left for all operators together."""
    known = node.register.known()
    served = [s for s in known.datasets.values() if visible(known, s, client)]
    found = {account.id: account for s in served for account in _shared(known, s)}
    operators = [client.party] if Role.OPERATOR in client.roles else []
    if Role.HOLDER in client.roles:
        operators = [p.operator.id for s in served for p in policies_over(known, s)]
    for s in served:
        for operator in operators:
            found |= {a.id: a for a in _paces(node, known, s, operator)}
    shown: list[dict[str, Any] | None] = [
        _shown(account, node.ledger.balance(account.id)) for account in found.values()
    ]
    for operator in dict.fromkeys(operators):
        shown += [
            _opened(node, f"failures/{operator}/{s.catalogue.dataset.family.id}") for s in served
        ]
        shown.append(_opened(node, f"credit/{operator}"))
    return {"accounts": [account for account in shown if account is not None]}


def _shared(known: Known, served: Served) -> tuple[Account, ...]:
    dataset = served.catalogue.dataset
    over = policies_over(known, served)
    if not over:
        return family_accounts(dataset)
    labels = [*served.catalogue.epochs]
    if any(table.private and table.epoch is None for table in dataset.tables):
        labels.append("always")
    return (*family_accounts(dataset), *(epoch_account(dataset, label, over) for label in labels))


def _paces(node: Node, known: Known, served: Served, operator: str) -> tuple[Account, ...]:
    moment = Moment(node.clock(), node.settings.calendar_offset_minutes)
    return tuple(
        account
        for policy in policies_of(known, operator, served)
        for purpose in policy.purposes
        for account in allowance_accounts(policy, purpose.code, moment)
    )


def _shown(account: Account, balance: Balance | None) -> dict[str, Any]:
    return _written(balance or Balance(account.id, account.unit, account.cap, 0, 0))


def _opened(node: Node, account: str) -> dict[str, Any] | None:
    balance = node.ledger.balance(account)
    return None if balance is None else _written(balance)


def _written(balance: Balance) -> dict[str, Any]:
    return {
        "account": balance.account_id,
        "unit": balance.unit.value,
        "cap": account_text(balance.unit, balance.cap),
        "spent": account_text(balance.unit, balance.posted),
        "held": account_text(balance.unit, balance.held),
        "available": account_text(balance.unit, max(0, balance.available)),
        "part_spent": round((balance.posted + balance.held) / balance.cap, 4) if balance.cap else 0,
    }
