"""Meter a plan before it runs, and price it: what is billed is fixed by text, policy and declaration alone."""

from audit.money.metering import Usage
from audit.money.rating import PricePart, Quote, parts, price
from gateway.free_of_charge import plan_digest
from gateway.register import Known
from policies.access.model import AccessPolicy, PurposeGrant
from policies.dataset import Dataset
from policies.pricing import PricePlan
from policies.terms import Accountant, PrivacyLoss
from sandbox.boundary import Diagnosis
from sandbox.client import Planned


def meter(
    planned: Planned,
    diagnosis: Diagnosis,
    dataset: Dataset,
    purpose: PurposeGrant,
    loss: PrivacyLoss | None,
) -> Usage:
    """Count a query. `loss` is None for a stored answer, which costs the units nothing."""
    spent = loss.primary if loss is not None else 0
    pure = dataset.family.accountant is Accountant.PURE_EPS
    return Usage(
        queries=1,
        cells_declared=max(1, diagnosis.keys * len(planned.plan.aggregates)),
        tables=len(planned.tables),
        columns=max(1, len(planned.columns)),
        epsilon_nano=spent if pure else 0,
        rho_nano=0 if pure else spent,
        size_class=dataset.size_class.value,
        purpose_class=purpose.purpose_class,
    )


def plan_of(known: Known, policy: AccessPolicy) -> PricePlan:
    """Return the price plan a policy names."""
    return known.plans[plan_digest(policy)]


def quote(plan: PricePlan, usage: Usage) -> tuple[Quote, tuple[PricePart, ...]]:
    """Return the price and what it is made of."""
    return price(plan, usage), tuple(part for part in parts(plan, usage) if part.amount_uy)
