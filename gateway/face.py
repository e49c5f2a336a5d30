"""The face of an answer: everything shown around the noisy values that is known before they are drawn.

It holds names the asker chose and public facts of the plan, never a value, and is fixed before the reservation, so that
nothing shown beside an answer can depend on data.
"""

from collections.abc import Mapping
from typing import Any

from audit.money.rating import PricePart, Quote
from gateway.accuracy import Expected, expected, step
from gateway.amounts import loss_fields
from gateway.find_loss import Target
from policies.access.model import AccessPolicy
from policies.dataset import Dataset
from policies.pricing import PricePlan
from policies.terms import PrivacyLoss
from sandbox.boundary import Moment, Plan, Selection
from sandbox.client import Planned
from sandbox.privacy.partition_selection import units_for

HIDDEN_CHANCES = (0.99, 0.5, 0.05, 0.001)


def columns_face(planned: Planned) -> list[dict[str, Any]]:
    """Write the columns: name, mechanism, scale and expected error."""
    shown = []
    for label, error in zip(planned.labels, expected(planned.plan), strict=True):
        shown.append({"name": label, "noise": None if error is None else noise_fields(error)})
    return shown


def noise_fields(error: Expected) -> dict[str, Any]:
    """Write what is known of a column's noise beforehand."""
    return {
        "mechanism": error.mechanism,
        "scale": list(error.scales),
        "half_width_95": error.half_width,
        "deviation": error.deviation,
        "basis": error.basis.value,
        # The smallest value, of a count the smallest group, that is told to within a tenth of itself.
        "tenth_from": None if error.half_width is None else 10 * error.half_width,
        # Over how many rows an average is told to within a tenth of the widest error its declaration allows.
        "tenth_of_range_from_rows": None
        if error.over_rows is None
        else error.over_rows.tenth_from(),
        # An order statistic: how many rows lie between its bin and the rank, at most, and how wide the bin is.
        "rank_off_95_rows": None if error.rank is None else error.rank.rows,
        "bin": None if error.rank is None else error.rank.bin,
        "half_width_95_at_rows": [
            {"rows": at.rows, "half_width": at.half_width} for at in error.at_rows
        ],
    }


def accuracy_face(targets: tuple[Target, ...]) -> list[dict[str, Any]]:
    """Write which half-widths were asked for, where the loss was found from them."""
    return [
        {
            "column": target.label,
            "half_width_95": float(target.half_width),
            "rows": target.rows,
            "asked": target.words,
        }
        for target in targets
    ]


def privacy_face(plan: Plan, epochs: tuple[str, ...], spent: PrivacyLoss | None) -> dict[str, Any]:
    """Write what the answer costs the units and by which bounds. `spent` is None for a stored answer."""
    nothing = {"epsilon": "0"} if plan.loss.accountant.value == "pure_eps" else {"rho": "0"}
    return {
        "accountant": plan.loss.accountant.value,
        "loss": loss_fields(plan.loss),
        "charged": loss_fields(spent)
        if spent
        else {"accountant": plan.loss.accountant.value, **nothing, "delta": "0"},
        "epochs": list(epochs),
        "bounds": {
            "groups_per_unit_max": plan.measurement.groups_per_unit_max,
            "moments": [_moment_fields(moment) for moment in plan.measurement.moments],
            "selection": selection_fields(plan.measurement.selection),
        },
    }


def selection_fields(selection: Selection | None) -> dict[str, Any] | None:
    """Write how groups without declared values are chosen, and how many people keep a group from being hidden.

    `hidden`: a group of so many units is left out with at most that probability. Known before anything is spent.
    """
    if selection is None:
        return None
    least, reached = selection.units_least, selection.threshold
    return {
        "units_least": least,
        "threshold": reached,
        "groups_max": selection.keys_max,
        "scale": float.fromhex(selection.scale),
        "loss": loss_fields(selection.loss),
        "hidden": [
            {"units": units_for(selection.scale, least, reached, chance), "probability": chance}
            for chance in HIDDEN_CHANCES
        ],
    }


def _moment_fields(moment: Moment) -> dict[str, Any]:
    return {
        "kind": moment.kind.value,
        "row": [moment.row_lower * step(moment), moment.row_upper * step(moment)],
        "unit_and_group": [
            moment.partial_lower * step(moment),
            moment.partial_upper * step(moment),
        ],
        "step": step(moment),
        "loss": loss_fields(moment.loss),
    }


def price_face(plan: PricePlan, quote: Quote, components: tuple[PricePart, ...]) -> dict[str, Any]:
    """Write the price in whole micro-yuan, with its parts."""
    return {
        "currency": plan.currency,
        "plan": f"{plan.id}@{plan.version}",
        **{name: int(amount) for name, amount in quote.fields().items()},
        "parts": [{"name": part.name, "amount_uy": part.amount_uy} for part in components],
    }


def policy_face(policy: AccessPolicy) -> dict[str, Any]:
    """Name the policy that decided."""
    return {
        "id": policy.metadata.id,
        "version": policy.metadata.version,
        "digest": policy.digest,
        "holder": policy.holder.id,
    }


def dataset_face(dataset: Dataset, snapshot: str) -> dict[str, Any]:
    """Name the dataset and the snapshot."""
    return {
        "id": dataset.id,
        "version": dataset.version,
        "snapshot": snapshot,
        "size_class": dataset.size_class.value,
    }


Face = Mapping[str, Any]
