"""How losses add up inside one release, in whole nano-units.

Source   Dwork and Roth 2014, Theorem 3.16 (pure epsilon); Bun and Steinke 2016, Lemma 1.7 (zCDP): both simply add.
"""

from policies.terms import PrivacyLoss


def split(loss: PrivacyLoss, parts: int) -> tuple[PrivacyLoss, ...]:
    """Return equal shares of a loss, as `shares` does."""
    return shares(loss, (1,) * parts)


def shares(loss: PrivacyLoss, weights: tuple[int, ...]) -> tuple[PrivacyLoss, ...]:
    """Return shares of a loss in proportion to whole weights, rounded down so that together they never exceed it.

    Refuses a split that leaves a share of 0 (ValueError): it would ask for infinite noise.
    """
    if not weights or min(weights) < 1:
        raise ValueError("a loss is split into at least one part")
    parts = sum(weights)
    if loss.primary * min(weights) < parts:
        raise ValueError("the loss is too small to be split")
    return tuple(
        PrivacyLoss(loss.accountant, loss.primary * w // parts, loss.delta * w // parts)
        for w in weights
    )


def total(losses: tuple[PrivacyLoss, ...]) -> PrivacyLoss:
    """Return the loss of several measurements together. Refuses mixed accountants and the empty tuple (ValueError)."""
    accountants = {loss.accountant for loss in losses}
    if len(accountants) != 1:
        raise ValueError("losses add up under exactly one accountant")
    return PrivacyLoss(
        accountants.pop(),
        sum(loss.primary for loss in losses),
        sum(loss.delta for loss in losses),
    )
