"""Selections of undeclared groups, and plans with them, made as the compiler makes them."""

from dataclasses import replace

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.algebra import Expr
from sandbox.boundary import GroupKey, Plan, PrivateKey, Selection
from sandbox.privacy.measurements import calibrate
from sandbox.privacy.partition_selection import threshold
from tests.unit.worker_world import Shape, plan_of

RHO = NANO // 10
DELTA = 10**9


def selection_of(delta: int, rho: int, groups: int, least: int) -> Selection:
    """Return a selection at this loss, for units in at most so many groups."""
    loss = PrivacyLoss(Accountant.APPROX_ZCDP, rho, delta)
    alone = PrivacyLoss(Accountant.APPROX_ZCDP, rho, 0)
    scale = calibrate(Accountant.APPROX_ZCDP, groups, groups, alone)
    return Selection(least, threshold(scale, groups, least, delta), 20_000, loss, scale)


def private_plan(shape: Shape, *keys: Expr | GroupKey, least: int = 1) -> Plan:
    """Return a plan over undeclared groups (expressions) within declared ones, as dear again for the choice."""
    declared = tuple(k if isinstance(k, GroupKey) else GroupKey(k, (None,), (), True) for k in keys)
    loss = PrivacyLoss(Accountant.APPROX_ZCDP, RHO, 0)
    plan = plan_of(replace(shape, keys=declared, loss=loss))
    chosen = selection_of(DELTA, RHO, shape.groups_per_unit_max, least)
    made = tuple(k if isinstance(k, GroupKey) else PrivateKey(k) for k in keys)
    measurement = replace(plan.measurement, keys=made, selection=chosen)
    return replace(
        plan,
        measurement=measurement,
        loss=PrivacyLoss(Accountant.APPROX_ZCDP, 2 * RHO, DELTA),
    )
