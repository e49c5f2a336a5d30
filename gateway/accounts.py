"""Which accounts a query charges, and how much each may bear.

    family/<id>/lifetime                    all operators, all epochs, for ever; never resets
    family/<id>/delta                       likewise, the deltas of zCDP
    family/<id>/epoch/<label>               all operators, the rows of one epoch
    allowance/<policy>/<purpose>/<window>   one operator's pace
    failures/<operator>/<family>            one bit each, until the holder has looked
    credit/<operator>                       money

Each epoch a query can touch bears the whole loss: January and February hold the same person, so nothing is shared out.
"""

from dataclasses import dataclass
from datetime import datetime

from audit.charge import Charge, Unit
from audit.ledger import Ledger
from gateway.amounts import LOSS_UNIT
from gateway.windows import window_label
from policies.access.model import AccessPolicy, Window
from policies.dataset import Dataset
from policies.terms import Accountant, PrivacyLoss


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its cap and the document that says so."""

    id: str
    unit: Unit
    cap: int
    authority: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and where a day begins (minutes east of UTC)."""

    now: datetime
    offset_minutes: int

    def label(self, window: Window) -> str:
        """Name the window this moment lies in."""
        return window_label(window, self.now, self.offset_minutes)


@dataclass(frozen=True, slots=True)
class Load:
    """What one query puts on one account."""

    account: Account
    amount: int

    @property
    def charge(self) -> Charge:
        """Write it as the ledger takes it."""
        return Charge(self.account.id, self.account.unit, self.amount)


def family_accounts(dataset: Dataset) -> tuple[Account, ...]:
    """Return the accounts that a family has whatever is asked."""
    family = dataset.family
    authority = f"{dataset.id}@{dataset.version}"
    unit = LOSS_UNIT[family.accountant]
    lifetime = Account(f"family/{family.id}/lifetime", unit, family.lifetime, authority)
    if family.accountant is Accountant.PURE_EPS:
        return (lifetime,)
    delta = Account(f"family/{family.id}/delta", Unit.DELTA_E18, family.delta_total, authority)
    return lifetime, delta


def epoch_account(dataset: Dataset, label: str, policies: tuple[AccessPolicy, ...]) -> Account:
    """Return the account of one epoch. Several policies share it, so the strictest of them says its cap."""
    strictest = min(policies, key=lambda policy: policy.budget.lifetime_per_epoch)
    cap = min(strictest.budget.lifetime_per_epoch, dataset.family.lifetime)
    authority = f"{strictest.metadata.id}@{strictest.metadata.version}"
    unit = LOSS_UNIT[dataset.family.accountant]
    return Account(f"family/{dataset.family.id}/epoch/{label}", unit, cap, authority)


def allowance_accounts(policy: AccessPolicy, purpose: str, moment: Moment) -> tuple[Account, ...]:
    """Return the accounts of every window that paces a purpose."""
    authority = f"{policy.metadata.id}@{policy.metadata.version}"
    unit = LOSS_UNIT[policy.budget.accountant]
    return tuple(
        Account(
            f"allowance/{policy.metadata.id}/{purpose}/{moment.label(allowance.window)}",
            unit,
            allowance.primary,
            authority,
        )
        for allowance in policy.budget.allowances
        if allowance.purpose == purpose
    )


def loss_loads(
    dataset: Dataset, policies: tuple[AccessPolicy, ...], epochs: tuple[str, ...], loss: PrivacyLoss
) -> tuple[Load, ...]:
    """Charge the family, and each epoch that can be touched, the whole loss."""
    lifetime, *delta = family_accounts(dataset)
    return (
        Load(lifetime, loss.primary),
        *(Load(account, loss.delta) for account in delta),
        *(Load(epoch_account(dataset, label, policies), loss.primary) for label in epochs),
    )


def failure_load(operator: str, policy: AccessPolicy, family: str, seen: int) -> Load:
    """Set one failure aside: also in parallel, an operator's failed runs never pass the policy's number.

    `seen` counts the failures a holder has looked at; each review raises the cap by what was used.
    """
    authority = f"{policy.metadata.id}@{policy.metadata.version}"
    cap = seen + policy.query.failures_max
    return Load(Account(f"failures/{operator}/{family}", Unit.FAILURES, cap, authority), 1)


def credit_load(operator: str, credit_uy: int, due_uy: int) -> Load:
    """Hold the money; quote = hold = bill."""
    account = Account(f"credit/{operator}", Unit.MICRO_YUAN, credit_uy, "clients")
    return Load(account, due_uy)


def open_accounts(ledger: Ledger, accounts: tuple[Account, ...]) -> None:
    """Make sure that every account is open at its cap. A crash in between leaves an account that nothing was charged to."""
    for account in accounts:
        balance = ledger.balance(account.id)
        # Asking first saves a transaction for each account of each query: they hardly ever change.
        if balance is None or balance.cap != account.cap:
            ledger.open_account(account.id, account.unit, account.cap, account.authority)
