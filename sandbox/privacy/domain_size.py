"""How many values a declared domain has at most: a public fact that both sides of the boundary compute alike."""

from datetime import date
from math import prod

from sandbox.boundary import EitherValues, ImageValues, ListedValues, ValueSeries

Values = ListedValues | ValueSeries | ImageValues | EitherValues


def domain_size(values: Values) -> int:
    """Return a number of values that a declared domain never exceeds, NULL apart.

    Refuses (ValueError) a series of anything but whole numbers or days.
    """
    if isinstance(values, ListedValues):
        return len(values.values)
    if isinstance(values, ImageValues):
        # one value for each combination of its columns' values, each of which may also be NULL
        return prod(domain_size(source.values) + 1 for source in values.sources)
    if isinstance(values, EitherValues):
        return sum(domain_size(part) for part in values.parts)
    first, last = values.first, values.last
    if type(first) is int and type(last) is int:
        return max(0, last - first + 1)
    if type(first) is date and type(last) is date:
        return max(0, (last - first).days + 1)
    raise ValueError("a series runs over whole numbers or days")
