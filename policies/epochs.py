"""Epochs: declared periods of rows, named `2024`, `2024-Q1` or `2024-03`.

Every row lies in exactly one, and the loss spent on an epoch stays with it. So the labels are a
closed list fixed by the declaration, and never computed from the data.
"""

import re
from datetime import date, timedelta

from policies.dataset import Dataset, Epoch, Grain

EPOCHS_MAX = 1200
_FORMS = {
    Grain.YEAR: re.compile(r"(\d{4})", re.ASCII),
    Grain.QUARTER: re.compile(r"(\d{4})-Q([1-4])", re.ASCII),
    Grain.MONTH: re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII),
}
_PER_YEAR = {Grain.YEAR: 1, Grain.QUARTER: 4, Grain.MONTH: 12}
_YEAR_MIN, _YEAR_MAX = 1000, 9998


def ordinal(grain: Grain, label: str) -> int | None:
    """Count periods of the grain since year 0, or None if the label is not one of the grain."""
    match = _FORMS[grain].fullmatch(label)
    if match is None or not _YEAR_MIN <= int(match[1]) <= _YEAR_MAX:
        return None
    within = int(match[2]) - 1 if match.lastindex == 2 else 0
    return int(match[1]) * _PER_YEAR[grain] + within


def label_of(grain: Grain, number: int) -> str:
    """Name the period with that ordinal."""
    year, within = divmod(number, _PER_YEAR[grain])
    match grain:
        case Grain.YEAR:
            return f"{year:04d}"
        case Grain.QUARTER:
            return f"{year:04d}-Q{within + 1}"
        case Grain.MONTH:
            return f"{year:04d}-{within + 1:02d}"


def labels(epoch: Epoch) -> tuple[str, ...]:
    """List every declared period in order."""
    first, last = ordinal(epoch.grain, epoch.first), ordinal(epoch.grain, epoch.last)
    if first is None or last is None:
        return ()
    return tuple(label_of(epoch.grain, number) for number in range(first, last + 1))


def declared_epochs(dataset: Dataset) -> tuple[str, ...]:
    """List every period that any table of the dataset declares, in the order of the tables."""
    found = [label for table in dataset.tables if table.epoch for label in labels(table.epoch)]
    return tuple(dict.fromkeys(found))


def days(grain: Grain, label: str) -> tuple[date, date]:
    """Return the first and the last day of a period."""
    number = ordinal(grain, label)
    if number is None:
        raise ValueError(f"`{label}` is not a {grain.value}")
    return _first_day(grain, number), _first_day(grain, number + 1) - timedelta(days=1)


def epoch_of(grain: Grain, day: date) -> str:
    """Name the period a day lies in."""
    per_year = _PER_YEAR[grain]
    return label_of(grain, day.year * per_year + (day.month - 1) * per_year // 12)


def _first_day(grain: Grain, number: int) -> date:
    per_year = _PER_YEAR[grain]
    year, within = divmod(number, per_year)
    return date(year, 1 + within * 12 // per_year, 1)
