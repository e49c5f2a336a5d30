"""Groups that nobody declared: the threshold that a noisy count of units must reach before a group may show.

Statement   With every unit in at most C groups, showing exactly the groups that hold at least `units_least` units and whose
            count of units plus discrete Gaussian noise reaches the threshold is (rho, delta)-approximate zCDP, for
            rho = C / (2·scale²) and delta = 1 - (1 - p)**C, where p bounds P(noise >= threshold - units_least).
Reason      docs/proofs/partition_selection.md. The mass AT the threshold counts: a group that one unit brings up to
            `units_least` shows if the noise is at least the difference, not only above it.
Source      Bun and Steinke 2016, definition 8.1 and lemma 8.2; Korolova et al. 2009 (thresholding); Desfontaines, Voss,
            Gipson and Mandayam 2022 (partition selection). The tail is our own sum, in decimals rounded against the
            spender: OpenDP 0.16's threshold measurements leave out the mass at the threshold.
Units       scale and threshold in privacy units; delta in 10**-18.
Refuses     (ValueError) a delta of 0, and a threshold beyond every count.
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import lru_cache

from policies.terms import DELTA_UNIT
from sandbox.boundary import TOTAL_MAX
from sandbox.privacy.measurements import read_scale

DRAWS_MAX = 100_000  # present groups that get noise in one release: a second or two of drawing

_DIGITS = 60
_UP = Context(prec=_DIGITS, rounding=ROUND_CEILING)
_DOWN = Context(prec=_DIGITS, rounding=ROUND_FLOOR)
# Every step below errs by at most a few units in the 60th digit; a sum of thousands of them by less than this.
_ERR_UP, _ERR_DOWN = Decimal(1) + Decimal(10) ** -50, Decimal(1) - Decimal(10) ** -50
_ROOT_TWO_PI_DOWN = Decimal("2.50662827463100050241576528481104525300698674060993")
_SUMMED_UP_TO = 8.0  # scale up to which the tail is summed term by term
_NEGLIGIBLE = Decimal(10) ** -40
_FRACTION_DEPTH = 400  # even: a convergent of even depth lies above Mills' ratio


def least_units(units_declared_max: int, groups_max: int) -> int:
    """Return how few units a group may have before it is left out unseen, so that at most DRAWS_MAX groups get noise.

    Follows from declarations alone. 1 leaves nothing out: a group without units is not there.
    """
    return max(1, -(-units_declared_max * groups_max // DRAWS_MAX))


@lru_cache(maxsize=256)
def threshold(scale_hex: str, groups_max: int, units_least: int, delta: int) -> int:
    """Return the smallest threshold whose delta is at most `delta`."""
    if delta < 1 or units_least < 1:
        raise ValueError("groups that nobody declared need a delta")
    low, high = 0, max(1, math.ceil(read_scale(scale_hex)))
    while delta_of(scale_hex, groups_max, high) > delta:
        low, high = high, 2 * high
        if high > TOTAL_MAX:
            raise ValueError("the delta is too small; no count would reach the threshold")
    while high - low > 1:
        middle = (low + high) // 2
        if delta_of(scale_hex, groups_max, middle) <= delta:
            high = middle
        else:
            low = middle
    return units_least + high


def delta_of(scale_hex: str, groups_max: int, distance: int) -> int:
    """Return a bound on the chance that some group shows that is one unit's doing, rounded up.

    `distance` is threshold minus `units_least`: what the noise has to add.
    """
    if distance < 1 or groups_max < 1:
        raise ValueError("the threshold lies above the least number of units")
    shows = tail(scale_hex, distance)
    hidden = _DOWN.subtract(Decimal(1), shows)
    if hidden <= 0:
        return DELTA_UNIT
    some = _UP.subtract(Decimal(1), _power_down(hidden, groups_max))
    return int(_UP.multiply(some, Decimal(DELTA_UNIT)).to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=1024)
def tail(scale_hex: str, distance: int) -> Decimal:
    """Return a bound from above on P(noise >= distance) for discrete Gaussian noise, the mass at `distance` included."""
    scale = Decimal(read_scale(scale_hex))
    if distance < 1:
        raise ValueError("the tail begins above 0")
    found = _summed(scale, distance) if scale <= _SUMMED_UP_TO else _integrated(scale, distance)
    return min(Decimal(1), found)


def hidden(scale_hex: str, units_least: int, threshold_: int, units: int) -> float:
    """Return the probability that a group of so many units is not shown.

    For people, before anything is spent: it does not see the data. Not promised: more than six digits.
    """
    if units < units_least:
        return 1.0
    return 1.0 - _at_least(read_scale(scale_hex), threshold_ - units)


def units_for(scale_hex: str, units_least: int, threshold_: int, chance: float) -> int:
    """Return the smallest number of units with which a group is hidden with probability at most `chance`."""
    low, high = units_least - 1, threshold_ + math.ceil(20 * read_scale(scale_hex)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if hidden(scale_hex, units_least, threshold_, middle) <= chance:
            high = middle
        else:
            low = middle
    return high


def _summed(scale: Decimal, distance: int) -> Decimal:
    """Add the tail up term by term; beyond the last one the terms fall faster than a geometric series."""
    twice = _UP.multiply(Decimal(2), _UP.multiply(scale, scale))
    first = term = _weight_up(distance, twice)
    sum_, last = first, distance
    while term > first * _NEGLIGIBLE:
        last += 1
        term = _weight_up(last, twice)
        sum_ = _UP.add(sum_, term)
    ratio = _UP.multiply(_UP.exp(_UP.divide(Decimal(-(2 * last + 1)), twice)), _ERR_UP)
    rest = _UP.divide(_UP.multiply(term, ratio), _DOWN.subtract(Decimal(1), ratio))
    return _UP.multiply(_UP.divide(_UP.add(sum_, rest), _mass_down(scale, twice)), _ERR_UP)


def _weight_up(at: int, twice: Decimal) -> Decimal:
    # `twice` is rounded up, so the exponent is nearer to 0 than it is and the weight larger.
    return _UP.multiply(_UP.exp(_UP.divide(Decimal(-at * at), twice)), _ERR_UP)


def _mass_down(scale: Decimal, twice: Decimal) -> Decimal:
    """Return a bound from below on the sum of all weights: scale·sqrt(2·pi) by Poisson summation, or the first terms."""
    smooth = _DOWN.multiply(scale, _ROOT_TWO_PI_DOWN)
    few = Decimal(1)
    for at in range(1, 9):
        weight = _DOWN.exp(_DOWN.divide(Decimal(-at * at), twice))
        few = _DOWN.add(few, _DOWN.multiply(Decimal(2), _DOWN.multiply(weight, _ERR_DOWN)))
    return _DOWN.multiply(max(smooth, few), _ERR_DOWN)


def _integrated(scale: Decimal, distance: int) -> Decimal:
    """Bound the tail by the normal law's from half a step earlier.

    Right of one scale the weights are convex, so each is at most the area of its own unit interval (Hermite and Hadamard);
    and all of them weigh at least scale·sqrt(2·pi), as the normal density's area does.
    """
    start = _DOWN.divide(_DOWN.subtract(Decimal(distance), Decimal("0.5")), scale)
    if start <= 1:
        return Decimal(1)
    square = _DOWN.multiply(start, start)
    density = _UP.divide(_UP.exp(_UP.divide(-square, Decimal(2))), _ROOT_TWO_PI_DOWN)
    return _UP.multiply(_UP.multiply(density, _mills_up(start)), _ERR_UP)


def _mills_up(x: Decimal) -> Decimal:
    """Return a bound from above on (1 - Phi(x)) / phi(x) for x > 0, by Laplace's continued fraction."""
    value = x
    for depth in range(_FRACTION_DEPTH, 0, -1):
        value = _UP.add(x, _UP.divide(Decimal(depth), value))
    return _UP.multiply(_UP.divide(Decimal(1), value), _ERR_UP)


def _power_down(base: Decimal, exponent: int) -> Decimal:
    """Return a bound from below on base**exponent for a base in (0, 1]: each product is rounded down."""
    result, square = Decimal(1), base
    while exponent:
        if exponent & 1:
            result = _DOWN.multiply(result, square)
        square = _DOWN.multiply(square, square)
        exponent >>= 1
    return result


def _at_least(scale: float, distance: int) -> float:
    if scale > _SUMMED_UP_TO:
        return math.erfc((distance - 0.5) / (scale * math.sqrt(2.0))) / 2.0
    reach = math.ceil(12 * scale) + 1
    above = sum(math.exp(-((z / scale) ** 2) / 2) for z in range(max(distance, -reach), reach + 1))
    return above / sum(math.exp(-((z / scale) ** 2) / 2) for z in range(-reach, reach + 1))
