"""Derive again how undeclared groups are chosen, and refuse the plan if threshold, noise or loss differ."""

from policies.terms import Accountant, PrivacyLoss
from sandbox.boundary import KEYS_MAX, TOTAL_MAX, Measurement, PrivateKey
from sandbox.privacy import measurements
from sandbox.privacy.partition_selection import threshold


class NotChosen(ValueError):
    """Groups are not chosen as they must be, or not at the loss that the plan claims."""


def check_selection(measurement: Measurement, accountant: Accountant) -> None:
    """Check that private keys are chosen, and chosen at the loss they claim, or raise."""
    selection = measurement.selection
    private = any(isinstance(key, PrivateKey) for key in measurement.keys)
    if private is not (selection is not None):
        raise NotChosen("groups are chosen exactly if nobody declared them")
    if selection is None:
        return
    if accountant is not Accountant.APPROX_ZCDP or selection.loss.accountant is not accountant:
        raise NotChosen("pure epsilon cannot hold a group that only one unit brings about")
    most = measurement.groups_per_unit_max
    if not 1 <= most <= TOTAL_MAX or not 1 <= selection.units_least <= TOTAL_MAX:
        raise NotChosen("a unit is in at least one group, and a group has at least one unit")
    if not 1 <= selection.keys_max <= KEYS_MAX:
        raise NotChosen("a release shows some groups, and a bounded number")
    rho = PrivacyLoss(accountant, selection.loss.primary, 0)
    if measurements.calibrate(accountant, most, most, rho) != selection.scale:
        raise NotChosen("the scale is not the one that follows")
    derived = threshold(selection.scale, most, selection.units_least, selection.loss.delta)
    if derived != selection.threshold:
        raise NotChosen("the threshold is not the one that follows")
