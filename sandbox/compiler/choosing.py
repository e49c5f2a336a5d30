"""What choosing private groups costs, and with which threshold: a share of rho like any moment's, and a delta asked for."""

from policies.access.model import AccessPolicy
from policies.refusals import Refused, Stage
from policies.terms import PrivacyLoss
from sandbox.boundary import Selection
from sandbox.compiler.amounts import amount, delta_amount
from sandbox.compiler.bound import BoundedQuery
from sandbox.compiler.check import PermittedQuery
from sandbox.compiler.private_keys import has_private
from sandbox.privacy.measurements import NotProved, calibrate
from sandbox.privacy.partition_selection import least_units, threshold


def loss_with_delta(bounded: BoundedQuery, asked: PrivacyLoss) -> PrivacyLoss:
    """Return what the query spends: no delta unless a key is private, and then the asked one or the policy's own.

    Refuses: a private key without either, and a delta above what one query may spend.
    """
    permitted = bounded.permitted
    if not has_private(bounded.keys):
        return PrivacyLoss(asked.accountant, asked.primary, 0)
    delta = asked.delta or permitted.policy.budget.delta_per_query
    if not delta:
        raise Refused("delta_missing", Stage.PLAN)
    most = _delta_max(permitted)
    if delta > most:
        raise Refused(
            "loss_per_query_exceeded",
            Stage.PLAN,
            asked=delta_amount(delta),
            limit=delta_amount(most),
        )
    return PrivacyLoss(asked.accountant, asked.primary, delta)


def _delta_max(permitted: PermittedQuery) -> int:
    budget, family = permitted.policy.budget, permitted.catalogue.dataset.family
    return min(budget.delta_per_query or family.delta_total, budget.delta_total, family.delta_total)


def selection_and_rest(
    bounded: BoundedQuery, loss: PrivacyLoss
) -> tuple[Selection | None, PrivacyLoss]:
    """Return how the groups are chosen, at a share of rho like a moment's and all of delta, and what is left for moments.

    Refuses: several grouping sets of private groups, and a loss so small that no count would reach the threshold.
    """
    if not has_private(bounded.keys):
        return None, loss
    query = bounded.permitted.query
    if query.sets:
        raise Refused(
            "sql_feature_refused",
            Stage.PLAN,
            at=query.keys[0].at,
            what="several grouping sets of groups without a declared domain",
            cure="ask for it in one query for each grouping",
        )
    parts = len(bounded.moments) + 1
    if loss.primary < parts:
        raise Refused("loss_too_small", Stage.PLAN, asked=amount(loss), moments=parts)
    share = loss.primary // parts
    own = PrivacyLoss(loss.accountant, share, loss.delta)
    rest = PrivacyLoss(loss.accountant, loss.primary - share, 0)
    return _selection(bounded.permitted, bounded.groups_per_unit_max, own), rest


def _selection(permitted: PermittedQuery, groups_per_unit_max: int, loss: PrivacyLoss) -> Selection:
    units = permitted.catalogue.dataset.family.units_declared_max
    least, most = least_units(units, groups_per_unit_max), groups_per_unit_max
    try:
        rho = PrivacyLoss(loss.accountant, loss.primary, 0)
        scale = calibrate(loss.accountant, most, most, rho)
        reached = threshold(scale, most, least, loss.delta)
    except (NotProved, ValueError):
        raise Refused("loss_too_small", Stage.PLAN, asked=amount(loss), moments=1) from None
    return Selection(least, reached, _keys_max(permitted.policy), loss, scale)


def _keys_max(policy: AccessPolicy) -> int:
    """Return how many groups an answer shows at most: declared, so that neither price nor size depends on data."""
    rows = policy.output.max_rows
    return policy.query.max_groups if rows is None else min(policy.query.max_groups, rows)
