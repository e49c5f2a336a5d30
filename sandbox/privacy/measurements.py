"""The noise of a moment: its scale, the proof that the scale is enough, and the draw.

Source      Discrete Laplace: Ghosh et al. 2009. Discrete Gaussian: Canonne, Kamath and Steinke 2020, Theorem 4.
            Both as OpenDP 0.16 measurements on vectors of i64; the loss is OpenDP's own privacy map, not our formula.
            Choices: noisy max, McKenna and Sheldon 2020 (pure epsilon, with exponential noise) and Dong et al. 2020 (rho
            of the exponential mechanism, with Gumbel noise), as OpenDP 0.16 measurements on vectors of u64.
Units       scales in steps; losses as `PrivacyLoss`. Every float is rounded against the spender: the loss down, the L2
            distance up.
Refuses     scales that are not finite, not positive or beyond SCALE_MAX; OpenDP itself accepts 0 and adds no noise.
"""

import math
from collections.abc import Callable
from fractions import Fraction

from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import TOTAL_MAX, Mechanism, Moment, MomentKind
from sandbox.privacy import opendp_library

# OpenDP's i64 output saturates at 2**63. Totals stop at 2**62, so noise of this scale saturates with probability
# e**-64 at most.
SCALE_MAX = 2.0**56
# Scales are floats with this many significant bits: coarse enough to search, fine enough to waste under 1 in 10**9.
_SCALE_BITS = 32

_MECHANISMS = {
    Accountant.PURE_EPS: Mechanism.DISCRETE_LAPLACE,
    Accountant.APPROX_ZCDP: Mechanism.DISCRETE_GAUSSIAN,
}


class NotProved(Exception):
    """OpenDP's privacy map does not prove the claimed loss at the claimed scale."""


def mechanism(accountant: Accountant) -> Mechanism:
    """Return the noise law of an accountant: pure epsilon cannot hold Gaussian noise, rho wastes half on Laplace."""
    return _MECHANISMS[accountant]


def law(moment: Moment) -> Mechanism:
    """Return the noise law of a moment."""
    if moment.kind is MomentKind.RANK:
        return Mechanism.NOISY_MAX
    return mechanism(moment.loss.accountant)


def calibrate(accountant: Accountant, l1: int, l2_squared: int, loss: PrivacyLoss) -> str:
    """Return the smallest scale on the grid that OpenDP proves to cost at most `loss`, as `float.hex()`.

    Refuses a loss so small that the scale would pass SCALE_MAX (ValueError).
    """
    _check_claim(accountant, l1, l2_squared, loss)
    if accountant is Accountant.PURE_EPS:
        close = float(Fraction(l1 * NANO, loss.primary))
    else:
        close = math.sqrt(Fraction(l2_squared * NANO, 2 * loss.primary))
    return _first_proved(close, lambda s: _is_proved(accountant, l1, l2_squared, s, loss))


def _first_proved(close: float, is_proved: Callable[[float], bool]) -> str:
    mantissa, exponent = math.frexp(close)
    significand = math.floor(math.ldexp(mantissa, _SCALE_BITS)) - 1
    # The closed form lies within two grid points; the map decides which of them is the first that is proved.
    while True:
        scale = math.ldexp(significand, exponent - _SCALE_BITS)
        if scale > SCALE_MAX:
            raise ValueError(
                "the loss is too small for these bounds; the noise would fill the number range"
            )
        if scale > 0 and is_proved(scale):
            return scale.hex()
        significand += 1


def calibrate_choice(accountant: Accountant, reach: int, groups: int, loss: PrivacyLoss) -> str:
    """Return the smallest scale at which OpenDP proves choices in `groups` groups, every score moved at most `reach`, to
    cost at most `loss` together, as `float.hex()`.

    Refuses a loss so small that the scale would pass SCALE_MAX (ValueError).
    """
    _check_claim(accountant, groups * reach, groups * reach * reach, loss)
    if accountant is Accountant.PURE_EPS:
        close = float(Fraction(2 * groups * reach * NANO, loss.primary))
    else:
        close = math.sqrt(Fraction(groups * reach * reach * NANO, 2 * loss.primary))
    return _first_proved(close, lambda s: _is_choice_proved(accountant, reach, groups, s, loss))


def prove_choice(
    accountant: Accountant, reach: int, groups: int, scale_hex: str, loss: PrivacyLoss
) -> None:
    """Check that choices of this scale in `groups` groups together cost at most `loss`, or raise NotProved."""
    _check_claim(accountant, groups * reach, groups * reach * reach, loss)
    if not _is_choice_proved(accountant, reach, groups, read_scale(scale_hex), loss):
        raise NotProved("the privacy map exceeds the claimed loss")


def choose(accountant: Accountant, scale_hex: str, scores: tuple[int, ...]) -> int:
    """Return the index of a candidate, the least scored ones by far the likeliest.

    Refuses scores below 0 or beyond TOTAL_MAX, and an empty list (NotProved): OpenDP's u64 would read -1 as its largest.
    """
    if not scores or any(type(s) is not int or not 0 <= s <= TOTAL_MAX for s in scores):
        raise NotProved("a score is not a whole number within its bounds")
    chosen = opendp_library.choose(_choice(accountant, read_scale(scale_hex)), scores)
    if not 0 <= chosen < len(scores):
        raise NotProved("the measurement chose nobody")
    return chosen


def prove(
    accountant: Accountant, l1: int, l2_squared: int, scale_hex: str, loss: PrivacyLoss
) -> None:
    """Check that noise of this scale costs at most `loss`, or raise NotProved."""
    _check_claim(accountant, l1, l2_squared, loss)
    scale = read_scale(scale_hex)
    if not _is_proved(accountant, l1, l2_squared, scale, loss):
        raise NotProved("the privacy map exceeds the claimed loss")


def draw(accountant: Accountant, scale_hex: str, values: tuple[int, ...]) -> tuple[int, ...]:
    """Return the values with fresh noise of this scale, one measurement for the whole vector.

    Refuses values beyond TOTAL_MAX (NotProved): the caller clamps totals first, or saturation would hide them.
    """
    if any(type(value) is not int or abs(value) > TOTAL_MAX for value in values):
        raise NotProved("a total is not a whole number within its bounds")
    if not values:
        return ()
    noisy = opendp_library.draw(_measurement(accountant, read_scale(scale_hex)), values)
    if len(noisy) != len(values):  # a shorter answer would pair noise with the wrong group
        raise NotProved("the measurement changed the length of the vector")
    return noisy


def read_scale(scale_hex: str) -> float:
    """Return the scale that a canonical `float.hex()` text stands for, or raise NotProved."""
    try:
        scale = float.fromhex(scale_hex)
    except (ValueError, OverflowError):
        raise NotProved("the scale is not a number") from None
    # Written so that NaN fails: every comparison with it is false.
    if not 0.0 < scale <= SCALE_MAX or scale.hex() != scale_hex:
        raise NotProved("the scale is not a finite positive number in canonical form")
    return scale


def _measurement(accountant: Accountant, scale: float) -> opendp_library.Measurement:
    if accountant is Accountant.PURE_EPS:
        return opendp_library.laplace(scale)
    return opendp_library.gaussian(scale)


def _is_proved(
    accountant: Accountant, l1: int, l2_squared: int, scale: float, loss: PrivacyLoss
) -> bool:
    distance = l1 if accountant is Accountant.PURE_EPS else _root_up(l2_squared)
    proved = opendp_library.privacy_map(_measurement(accountant, scale), distance)
    return proved <= _loss_down(loss)


def _choice(accountant: Accountant, scale: float) -> opendp_library.Measurement:
    return opendp_library.least_scored(scale, accountant is Accountant.PURE_EPS)


def _is_choice_proved(
    accountant: Accountant, reach: int, groups: int, scale: float, loss: PrivacyLoss
) -> bool:
    # Each group is a choice of its own, and a unit is in at most so many of them: their losses add.
    one = Fraction(opendp_library.privacy_map(_choice(accountant, scale), reach))
    return groups * one <= Fraction(loss.primary, NANO)


def _check_claim(accountant: Accountant, l1: int, l2_squared: int, loss: PrivacyLoss) -> None:
    # A sensitivity of 0 would be proved by noise of scale 0 at any loss.
    if not 1 <= l1 <= TOTAL_MAX or not 1 <= l2_squared <= l1 * l1:
        raise NotProved("a sensitivity is a positive whole number within its bounds")
    if loss.accountant is not accountant:
        raise NotProved("the loss belongs to another accountant")


def _loss_down(loss: PrivacyLoss) -> float:
    """Return the largest float that is at most the loss."""
    close = loss.primary / NANO
    return close if Fraction(close) <= Fraction(loss.primary, NANO) else math.nextafter(close, 0.0)


def _root_up(square: int) -> float:
    """Return a float that is at least the square root."""
    root = math.sqrt(square)
    while Fraction(root) ** 2 < square:
        root = math.nextafter(root, math.inf)
    return root
