"""Stage 5: `BoundedQuery` → `Plan`. The asked loss is split over the moments, and the noise it buys is proved by OpenDP."""

from policies.refusals import Refused, Stage
from policies.terms import PrivacyLoss
from sandbox.boundary import (
    PLAN_FORMAT,
    Measurement,
    Moment,
    Output,
    Plan,
    PostProcess,
)
from sandbox.compiler.amounts import amount
from sandbox.compiler.bound import BoundedMoment, BoundedQuery
from sandbox.compiler.canonical import canonical
from sandbox.compiler.choosing import loss_with_delta, selection_and_rest
from sandbox.compiler.set_moments import share_out
from sandbox.privacy.measurements import (
    NotProved,
    calibrate,
    calibrate_choice,
    prove,
)


def plan(bounded: BoundedQuery, loss: PrivacyLoss) -> Plan:
    """Spend at most `loss` on the query; equal questions get equal plans.

    Refuses: a loss under another accountant or above the cap of policy or family, and a loss too small to split.
    """
    _check_caps(bounded, loss)
    loss = loss_with_delta(bounded, loss)
    chosen, rest = selection_and_rest(bounded, loss)
    shared = share_out(bounded, rest)
    query = bounded.permitted.query
    catalogue = bounded.permitted.catalogue
    made = Plan(
        format=PLAN_FORMAT,
        dataset=catalogue.dataset.id,
        snapshot=catalogue.snapshot_id,
        accountant=loss.accountant,
        measurement=Measurement(
            scans=bounded.scans,
            relation=bounded.relation,
            unit=bounded.unit,
            keys=bounded.keys,
            groups_per_unit_max=bounded.groups_per_unit_max,
            moments=tuple(_moment(share.moment, share.loss) for share in shared.shares),
            sets=shared.sets,
            selection=chosen,
        ),
        aggregates=bounded.aggregates,
        post=PostProcess(
            relation=query.layers,
            outputs=tuple(Output(output.expr) for output in query.outputs),
            having=query.having,
            order=query.order,
            limit=query.limit,
            offset=query.offset,
            sets=shared.shown,
        ),
        loss=loss,
    )
    return canonical(made)


def _check_caps(bounded: BoundedQuery, loss: PrivacyLoss) -> None:
    family = bounded.permitted.catalogue.dataset.family
    budget = bounded.permitted.policy.budget
    if {loss.accountant} != {family.accountant, budget.accountant}:
        field = "epsilon" if family.accountant.value == "pure_eps" else "rho"
        raise Refused("loss_missing", Stage.PLAN, field=field)
    limit = min(family.loss_per_query_max, budget.per_query_max)
    if loss.primary > limit:
        most = PrivacyLoss(loss.accountant, limit, 0)
        raise Refused("loss_per_query_exceeded", Stage.PLAN, asked=amount(loss), limit=amount(most))


def _moment(moment: BoundedMoment, share: PrivacyLoss) -> Moment:
    spec, reach = moment.spec, moment.sensitivity
    try:
        if spec.rank is not None:
            one = reach.l2_squared // reach.l1
            scale = calibrate_choice(share.accountant, one, reach.l1 // one, share)
        else:
            scale = calibrate(share.accountant, reach.l1, reach.l2_squared, share)
            # a second way to the same claim: the map of the very measurement the worker will use
            prove(share.accountant, reach.l1, reach.l2_squared, scale, share)
    except (NotProved, ValueError):
        raise Refused("loss_too_small", Stage.PLAN, asked=amount(share), moments=1) from None
    return Moment(
        kind=spec.kind,
        value=spec.value,
        step_base=spec.step_base,
        step_exponent=spec.step_exponent,
        row_lower=spec.row_lower,
        row_upper=spec.row_upper,
        partial_lower=moment.partial_lower,
        partial_upper=moment.partial_upper,
        sensitivity_l1=reach.l1,
        sensitivity_l2_squared=reach.l2_squared,
        loss=share,
        scale=scale,
        rank=spec.rank,
    )
