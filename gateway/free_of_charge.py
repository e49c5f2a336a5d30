"""The papers of free use. Every usage record names a price plan and an agreement, also where nothing is to pay: then
these, which say so and are published with the policy.
"""

import json

from policies.access.model import AccessPolicy
from policies.documents import document_digest

_NAME = "free"


def free_plan() -> bytes:
    """Return the price plan in which everything is free."""
    return _written(
        {
            "apiVersion": "keyong/v1",
            "kind": "PricePlan",
            "metadata": {"id": "FREE", "version": 1},
            "currency": "CNY",
            "tax": "none",
            "per_query_uy": 0,
            "per_cell_uy": 0,
            "per_column_uy": 0,
            "per_epsilon_uy": 0,
            "per_rho_uy": 0,
            "size_class_uy": {"S": 0, "M": 0, "L": 0},
            "minimum_fee_uy": 0,
            "rounding": "half_up",
        }
    )


def free_agreement(policy: AccessPolicy) -> bytes:
    """Return the agreement by which the holder alone would be paid the nothing that is due."""
    holder = policy.holder
    return _written(
        {
            "apiVersion": "keyong/v1",
            "kind": "SplitAgreement",
            "metadata": {"id": f"FREE-{holder.id}"[:64], "version": 1},
            "parties": [
                {
                    "id": holder.id,
                    "name": holder.id,
                    "type": holder.type.value,
                    "jurisdiction": policy.metadata.jurisdiction,
                }
            ],
            "stages": [
                {"name": "采集", "weight": 1, "shares": [{"party": holder.id, "weight": 1}]}
            ],
        }
    )


def plan_digest(policy: AccessPolicy) -> str:
    """Return the digest of the plan by which a policy's use is priced."""
    return policy.price.digest if policy.price else document_digest(free_plan(), _NAME)


def agreement_digest(policy: AccessPolicy) -> str:
    """Return the digest of the agreement by which a policy's income is shared."""
    if policy.revenue:
        return policy.revenue.digest
    return document_digest(free_agreement(policy), _NAME)


def _written(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()
