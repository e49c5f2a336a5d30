"""Make the noisy totals of several grouping sets agree: every total is the sum of its parts, to the last unit.

Statement   `reconcile` returns, for the weights 1/(variance * groups), the generalised least squares estimate of every wanted
            set from all measured ones, rounded so that totals stay the sums of their parts. A rounded cell is within
            2**(keys - 1) of the estimate.
Reason      docs/proofs/grouping_sets.md, theorems 2 and 3. Along each key a vector splits into its total and the
            differences to the first value; over all keys that splits the vectors into parts that the noise does not mix, and
            the same part of two sets estimates the same thing. So each part is a weighted mean, whatever the sets are.
Units       steps. Whole numbers only: the parts carry _FINE binary digits, and every set is computed from the same parts.
Not promised  Anything about privacy: it reads noisy numbers and public sizes only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

_FINE = 24  # binary digits of a part behind the point
_WEIGHT_ONE = 2**24

Keys = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """The noisy vector over the groups of one set, the last key running fastest, and its whole-number weight."""

    keys: Keys
    weight: int
    vector: tuple[int, ...]


def weights_of(variances: tuple[float, ...], groups: tuple[int, ...]) -> tuple[int, ...]:
    """Return whole-number weights in proportion to 1/(variance * groups), the largest _WEIGHT_ONE, none below 1."""
    inverse = [1.0 / (variance * size) for variance, size in zip(variances, groups, strict=True)]
    largest = max(inverse)
    return tuple(max(1, round(_WEIGHT_ONE * each / largest)) for each in inverse)


def subsets(keys: Keys) -> Iterator[Keys]:
    """Return every subset of the keys of a set."""
    for size in range(len(keys) + 1):
        yield from combinations(keys, size)


def reconcile(
    sizes: Mapping[int, int], measured: tuple[Measured, ...], wanted: tuple[Keys, ...]
) -> tuple[tuple[int, ...], ...]:
    """Return a consistent vector of whole numbers for each wanted set. `sizes` says how many values each key has.

    Refuses (ValueError) a wanted set that no measured one contains.
    """
    if any(not any(set(keys) <= set(each.keys) for each in measured) for keys in wanted):
        raise ValueError("a set follows from a finer one that was measured")
    parts = _parts(sizes, measured)
    return tuple(_rounded(_together(sizes, parts, keys)) for keys in wanted)


def _parts(sizes: Mapping[int, int], measured: tuple[Measured, ...]) -> dict[Keys, list[int]]:
    """Return each part as the weighted mean over the sets that hold it, in units of 2**-_FINE."""
    sums: dict[Keys, list[int]] = {}
    weights: dict[Keys, int] = {}
    for each in measured:
        split = list(each.vector)
        for axis in _axes(sizes, each.keys):
            _split(split, axis)
        for part in subsets(each.keys):
            found = sums.setdefault(part, [0] * prod(sizes[key] - 1 for key in part))
            for place, index in enumerate(_places(sizes, each.keys, part)):
                found[place] += each.weight * split[index]
            weights[part] = weights.get(part, 0) + each.weight
    return {part: [(s << _FINE) // weights[part] for s in found] for part, found in sums.items()}


@dataclass(frozen=True, slots=True)
class _Estimate:
    """A vector over the groups of a set: `values` in units of 1/`unit`."""

    axes: tuple["_Axis", ...]
    values: list[int]
    unit: int


def _together(sizes: Mapping[int, int], parts: Mapping[Keys, list[int]], keys: Keys) -> _Estimate:
    axes = _axes(sizes, keys)
    values = [0] * prod(sizes[key] for key in keys)
    for part in subsets(keys):
        for value, index in zip(parts[part], _places(sizes, keys, part), strict=True):
            values[index] = value
    for axis in axes:
        _join(values, axis)
    return _Estimate(axes, values, prod(axis.size for axis in axes) << _FINE)


def _rounded(estimate: _Estimate) -> tuple[int, ...]:
    """Round the running totals over all keys, and take the differences again.

    The running totals of a coarser set are among those of a finer one, so both round them alike.
    """
    values, unit = list(estimate.values), estimate.unit
    for axis in estimate.axes:
        for line in axis.lines():
            for place in range(1, axis.size):
                values[line + place * axis.stride] += values[line + (place - 1) * axis.stride]
    values = [(2 * value + unit) // (2 * unit) for value in values]
    for axis in estimate.axes:
        for line in axis.lines():
            for place in range(axis.size - 1, 0, -1):
                values[line + place * axis.stride] -= values[line + (place - 1) * axis.stride]
    return tuple(values)


@dataclass(frozen=True, slots=True)
class _Axis:
    """One key of a set: its values lie `stride` apart in a vector of `length`."""

    size: int
    stride: int
    length: int

    def lines(self) -> Iterator[int]:
        """Return the place of the first value of every line along this key."""
        block = self.size * self.stride
        for start in range(0, self.length, block):
            yield from range(start, start + self.stride)


def _axes(sizes: Mapping[int, int], keys: Keys) -> tuple[_Axis, ...]:
    length = prod(sizes[key] for key in keys)
    found, stride = [], length
    for key in keys:
        stride //= sizes[key]
        found.append(_Axis(sizes[key], stride, length))
    return tuple(found)


def _split(values: list[int], axis: _Axis) -> None:
    """Put the total of each line in its first place, and in the others the differences to the first value."""
    for line in axis.lines():
        places = range(line, line + axis.size * axis.stride, axis.stride)
        first, total = values[line], sum(values[place] for place in places)
        for place in places:
            values[place] -= first
        values[line] = total


def _join(values: list[int], axis: _Axis) -> None:
    """Undo `_split`, times the number of values: total - sum of differences is the first value so many times."""
    for line in axis.lines():
        others = range(line + axis.stride, line + axis.size * axis.stride, axis.stride)
        first = values[line] - sum(values[place] for place in others)
        for place in others:
            values[place] = first + axis.size * values[place]
        values[line] = first


def _places(sizes: Mapping[int, int], keys: Keys, part: Keys) -> Iterator[int]:
    """Return where a part lies in a split vector: not first along its own keys, first along the others."""
    axes = _axes(sizes, keys)
    ranges = [
        range(axis.stride, axis.size * axis.stride, axis.stride) if key in part else range(1)
        for key, axis in zip(keys, axes, strict=True)
    ]
    return (sum(offsets) for offsets in product(*ranges))
