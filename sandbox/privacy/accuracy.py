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
_POINTS = 2_000  # for the half-width of several noises together
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


def sum_half_width(
    mechanism: Mechanism, terms: tuple[tuple[str, float], ...], alpha: float
) -> float:
    """Return a half-width that holds a weighted sum of independent noises with probability 1 - alpha.

    `terms` are scales and weights. From evenly spread points of the noise law: the same question, the same answer.
    """
    if len(terms) == 1:
        return half_width(mechanism, terms[0][0], alpha) * abs(terms[0][1])
    found = sorted(
        abs(sum(w * quantile(mechanism, scale, p) for (scale, w), p in zip(terms, at, strict=True)))
        for at in even_points(len(terms), _POINTS)
    )
    return found[math.ceil((1.0 - alpha) * _POINTS)]


def even_points(dimensions: int, count: int) -> tuple[tuple[float, ...], ...]:
    """Return `count` points spread evenly over the unit cube.

    Source   Hammersley's construction: one stratified coordinate, the others by the additive recurrence with the
             powers of the generalised golden ratio, x**(d+1) = x + 1 (Niederreiter 1992, chapter 3).
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / dimensions)
    return tuple(
        ((i + 0.5) / count, *((0.5 + i * ratio**-j) % 1.0 or 0.5 for j in range(1, dimensions)))
        for i in range(count)
    )


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
