"""How far a reconciled cell may be off: its standard deviation and quantiles, from the noise of every set it was made of.

Statement   Every cell of a set has the same error law: a weighted sum of the measured sets' noise. Its variance and its fourth
            cumulant are exact; quantiles are those of the normal law corrected for the fourth cumulant.
Reason      docs/proofs/grouping_sets.md, theorem 4.
Source      Cornish and Fisher 1938, to the fourth cumulant: exact for the Gaussian, within 3 % of one Laplace alone at 95 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Protocol

from sandbox.boundary import Mechanism
from sandbox.privacy import accuracy
from sandbox.privacy.consistency import Keys, subsets

_EXCESS = {Mechanism.DISCRETE_LAPLACE: 3.0, Mechanism.DISCRETE_GAUSSIAN: 0.0}
_COARSE = 5.0  # deviation in steps under which an interval is rounded outward


@dataclass(frozen=True, slots=True)
class Noisy:
    """The noise of one measured set: its weight in the reconciliation and the variance of each of its cells."""

    keys: Keys
    weight: float
    variance: float


class ErrorLaw(Protocol):
    """What is known beforehand of how far a noisy number may be off."""

    @property
    def deviation(self) -> float:
        """The standard deviation."""

    def quantile(self, p: float) -> int:
        """Return a whole number that the error stays at or below with probability p."""

    def half_width(self, alpha: float) -> int:
        """Return a whole h such that the error stays within [-h, h] with probability 1 - alpha, or a little more."""


@dataclass(frozen=True, slots=True)
class NoiseLaw:
    """The error of a number that is measured once: the noise law itself."""

    mechanism: Mechanism
    scale: str

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return accuracy.deviation(self.mechanism, self.scale)

    def quantile(self, p: float) -> int:
        """Return the smallest whole k with P(noise <= k) at least p."""
        return accuracy.quantile(self.mechanism, self.scale, p)

    def half_width(self, alpha: float) -> int:
        """Return the smallest whole h that holds the noise with probability at least 1 - alpha."""
        return accuracy.half_width(self.mechanism, self.scale, alpha)


@dataclass(frozen=True, slots=True)
class Spread:
    """The error law of one cell. `excess` is its excess kurtosis: 0 for the Gaussian, 3 for Laplace."""

    deviation: float
    excess: float

    def quantile(self, p: float) -> int:
        """Return the whole number next to the point that the error stays below with probability p."""
        z = _normal_quantile(p)
        return round((z + self.excess / 24.0 * (z**3 - 3.0 * z)) * self.deviation)

    def half_width(self, alpha: float) -> int:
        """Return a whole h such that the error stays within [-h, h] with probability 1 - alpha, or a little more."""
        z = _normal_quantile(1.0 - alpha / 2.0)
        reach = (z + self.excess / 24.0 * (z**3 - 3.0 * z)) * self.deviation
        return max(0, math.ceil(reach if self.deviation < _COARSE else reach - 0.5))


def variances(
    sizes: Mapping[int, int], measured: tuple[Noisy, ...], wanted: tuple[Keys, ...]
) -> tuple[float, ...]:
    """Return the variance of a cell of each wanted set, for the best weights and without the rounding.

    A part of a set is as exact as all measured sets that hold it together.
    """
    known: dict[Keys, float] = {}
    for each in measured:
        inverse = 1.0 / (each.variance * _groups(sizes, each.keys))
        for part in subsets(each.keys):
            known[part] = known.get(part, 0.0) + inverse
    free = {part: prod(sizes[key] - 1 for key in part) for part in known}
    return tuple(
        sum(free[part] / known[part] for part in subsets(keys)) / _groups(sizes, keys) ** 2
        for keys in wanted
    )


def spread_of(
    sizes: Mapping[int, int], measured: tuple[Noisy, ...], wanted: Keys, mechanism: Mechanism
) -> Spread:
    """Return the error law of a cell of one wanted set, rounding included."""
    weights: dict[Keys, float] = {}
    for each in measured:
        for part in subsets(each.keys):
            weights[part] = weights.get(part, 0.0) + each.weight
    square = fourth = 0.0
    for each in measured:
        for coefficient, count in _coefficients(sizes, each, wanted, weights):
            square += count * each.variance * coefficient**2
            fourth += count * _EXCESS[mechanism] * each.variance**2 * coefficient**4
    if len(measured) > 1:  # one set alone is made of whole numbers and stays as it is
        square += 2.0 ** len(wanted) / 12.0
    return Spread(math.sqrt(square), fourth / square**2)


def _coefficients(
    sizes: Mapping[int, int], each: Noisy, wanted: Keys, weights: Mapping[Keys, float]
) -> list[tuple[float, int]]:
    """Return how much of the noise of one set's cells is in a wanted cell, and of how many cells that much.

    It depends only on which of the shared keys the two cells agree on. One bit for each shared key: first whether a part
    holds it, then, key by key, whether the two cells agree on it.
    """
    shared = tuple(key for key in wanted if key in each.keys)
    found = [
        each.weight / weights[tuple(k for place, k in enumerate(shared) if bits >> place & 1)]
        for bits in range(1 << len(shared))
    ]
    counts = [_groups(sizes, each.keys) // _groups(sizes, shared)] * len(found)
    for place, key in enumerate(shared):
        for bits in range(len(found)):
            if bits >> place & 1:
                without, within = found[bits ^ 1 << place], found[bits]
                found[bits ^ 1 << place] = without - within
                found[bits] = without + (sizes[key] - 1) * within
                counts[bits ^ 1 << place] *= sizes[key] - 1
    groups = _groups(sizes, wanted)
    return [(value / groups, count) for value, count in zip(found, counts, strict=True) if count]


def _groups(sizes: Mapping[int, int], keys: Keys) -> int:
    return prod(sizes[key] for key in keys)


@lru_cache(maxsize=1024)
def _normal_quantile(p: float) -> float:
    lower, upper = -40.0, 40.0
    for _ in range(100):
        middle = (lower + upper) / 2.0
        if math.erfc(-middle / math.sqrt(2.0)) / 2.0 < p:
            lower = middle
        else:
            upper = middle
    return upper
