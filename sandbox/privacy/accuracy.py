"""What the noise does to an answer: deviation, half-width and quantiles of the two noise laws, in steps.

All of it follows from the scale alone, so it is known before anything is spent and reveals nothing.

Source   Discrete Laplace P(k) ~ exp(-|k|/s): closed forms, Inusah and Kozubowski 2006. Discrete Gaussian
         P(k) ~ exp(-k*k/(2*s*s)): summed up to scale 64; beyond it the Gaussian with continuity correction is within
         1e-5 of every probability (Poisson summation).
"""

import math
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate, pairwise

from sandbox.boundary import Mechanism
from sandbox.privacy.measurements import read_scale

_SUMMED_UP_TO = 64.0  # scale above which the discrete Gaussian is taken from the continuous one
_TAIL_DEVIATIONS = 12  # the mass beyond is under 1e-31


def deviation(mechanism: Mechanism, scale_hex: str) -> float:
    """Return the standard deviation of the noise."""
    scale = read_scale(scale_hex)
    if mechanism is Mechanism.DISCRETE_LAPLACE:
        half = 0.5 / scale
        return 1.0 / (math.sqrt(2.0) * math.sinh(half)) if half < 350.0 else 0.0
    if scale > _SUMMED_UP_TO:
        return scale
    first, cumulative = _gaussian_table(scale)
    masses = [cumulative[0], *(b - a for a, b in pairwise(cumulative))]
    return math.sqrt(sum(mass * (first + i) ** 2 for i, mass in enumerate(masses)))


def half_width(mechanism: Mechanism, scale_hex: str, alpha: float) -> int:
    """Return the smallest whole h such that the noise stays within [-h, h] with probability at least 1 - alpha."""
    if not 0.0 < alpha < 1.0:
        raise ValueError("alpha lies between 0 and 1")
    return max(0, quantile(mechanism, scale_hex, 1.0 - alpha / 2.0))


def quantile(mechanism: Mechanism, scale_hex: str, p: float) -> int:
    """Return the smallest whole k with P(noise <= k) at least p."""
    if not 0.0 < p < 1.0:
        raise ValueError("a probability lies between 0 and 1")
    scale = read_scale(scale_hex)
    if mechanism is Mechanism.DISCRETE_LAPLACE:
        return _laplace_quantile(scale, p)
    if scale > _SUMMED_UP_TO:
        return math.ceil(_normal_quantile(p) * scale - 0.5)
    first, cumulative = _gaussian_table(scale)
    return first + min(bisect_left(cumulative, p), len(cumulative) - 1)


def _laplace_quantile(scale: float, p: float) -> int:
    # P(noise <= k) = 1 - a**(k+1)/(1+a) for k >= 0 and a**-k/(1+a) for k < 0, where a = exp(-1/scale).
    shift = math.log1p(math.exp(-1.0 / scale))
    if p > math.exp(-1.0 / scale - shift):  # P(noise <= -1)
        return max(0, math.ceil(-scale * (math.log1p(-p) + shift) - 1.0))
    return math.ceil(scale * (math.log(p) + shift))


@lru_cache(maxsize=64)
def _gaussian_table(scale: float) -> tuple[int, list[float]]:
    reach = math.ceil(_TAIL_DEVIATIONS * scale) + 1
    weights = [math.exp(-((k / scale) ** 2) / 2.0) for k in range(-reach, reach + 1)]
    mass = math.fsum(weights)
    return -reach, [partial / mass for partial in accumulate(weights)]


def _normal_quantile(p: float) -> float:
    lower, upper = -40.0, 40.0
    for _ in range(100):
        middle = (lower + upper) / 2.0
        if math.erfc(-middle / math.sqrt(2.0)) / 2.0 < p:
            lower = middle
        else:
            upper = middle
    return upper
