"""Units of time by the words and the syntax that name them."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from sandbox.algebra import TimeUnit

UNITS: Mapping[str, TimeUnit] = MappingProxyType(
    {unit.value: unit for unit in TimeUnit}
    | {f"{unit.value}s": unit for unit in TimeUnit if not unit.value.startswith("dayof")}
    | {"dow": TimeUnit.DAYOFWEEK, "doy": TimeUnit.DAYOFYEAR, "dayofmonth": TimeUnit.DAY}
)

PARTS: Mapping[type[exp.Expr], TimeUnit] = MappingProxyType(
    {
        exp.Year: TimeUnit.YEAR,
        exp.Quarter: TimeUnit.QUARTER,
        exp.Month: TimeUnit.MONTH,
        exp.Week: TimeUnit.WEEK,
        exp.Day: TimeUnit.DAY,
        exp.DayOfMonth: TimeUnit.DAY,
        exp.DayOfWeek: TimeUnit.DAYOFWEEK,
        exp.DayOfYear: TimeUnit.DAYOFYEAR,
        exp.Hour: TimeUnit.HOUR,
        exp.Minute: TimeUnit.MINUTE,
    }
)
