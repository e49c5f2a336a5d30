"""Read what a policy grants of one column: uses, domain, bounds, bin."""

from datetime import date, datetime
from decimal import Decimal

from policies.access.model import ColumnGrant, Domain, ListDomain, RangeDomain, RefDomain
from policies.reading.nodes import Mapping, Scalar, Sequence
from policies.reading.reader import Reader
from policies.reading.values import day_of, decimal_of, instant_of
from policies.terms import ColumnUse, ValueBound
from policies.terms import Scalar as Value

DOMAIN_VALUES_MAX = 10_000
Bound = Decimal | date | datetime


def read_column(name: str, reader: Reader) -> ColumnGrant:
    """Read the grant of one column."""
    column = ColumnGrant(
        name=name,
        uses=reader.choices("use", ColumnUse),
        domain=read_domain(reader) if reader.has("domain") else None,
        bounds=read_bounds(reader) if reader.has("bounds") else None,
        bin=reader.number("bin") if reader.has("bin") else None,
    )
    if column.bin is not None and column.bin <= 0:
        reader.invalid("bin", "must be above 0")
    reader.close()
    return column


def read_bounds(reader: Reader) -> ValueBound | None:
    """Read an interval of values."""
    found = [bound_of(scalar) for scalar in reader.scalars("bounds")]
    lower, upper = found if len(found) == 2 else (None, None)
    if lower is None or upper is None or type(lower) is not type(upper):
        reader.invalid("bounds", "must be two numbers, two days or two moments: [low, high]")
    elif lower > upper:  # type: ignore[operator]
        reader.invalid("bounds", "must have the lower bound first")
    else:
        return ValueBound(lower, upper)
    return None


def bound_of(scalar: Scalar) -> Bound | None:
    """Read one end of an interval: a number, a day, or a moment without offset."""
    number = decimal_of(scalar)
    if number is not None:
        return number
    day = day_of(scalar.text)
    if day is not None:
        return day
    moment = instant_of(scalar.text)
    return moment if moment is not None and moment.tzinfo is None else None


def read_domain(reader: Reader) -> Domain | None:
    """Read a closed set of values: a list, a range, or a reference to a public column."""
    node = reader.raw("domain")
    if isinstance(node, Mapping):
        return reader.section("domain", _named_domain)
    if not isinstance(node, Sequence):
        if node is not None:
            reader.invalid(
                "domain", "must be a list of values, {range: [a, b]} or {ref: table.column}"
            )
        return None
    values = tuple(value_of(scalar) for scalar in reader.scalars("domain"))
    # null in the list declares a group of its own for rows without a value
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) != 1:
        reader.invalid("domain", "must hold values of one type, besides null; quote text")
    if len(set(values)) != len(values) or len(values) > DOMAIN_VALUES_MAX:
        reader.invalid("domain", f"must hold at most {DOMAIN_VALUES_MAX} different values")
    return ListDomain(values)


def value_of(scalar: Scalar) -> Value:
    """Read one value of a list: days only without quotes, so that text stays text."""
    day = day_of(scalar.text) if scalar.plain else None
    return day if day is not None else scalar.value()


def _named_domain(reader: Reader) -> Domain:
    if reader.has("range") == reader.has("ref"):
        reader.missing("range", "write either `range` or `ref`")
        reader.close()
    if reader.has("range"):
        return _range(reader)
    table, _, column = reader.text("ref").partition(".")
    if not table or not column:
        reader.invalid("ref", "must name a column of a public table, as weather.region")
    reader.close()
    return RefDomain(table, column)


def _range(reader: Reader) -> RangeDomain:
    ends = tuple(value_of(scalar) for scalar in reader.scalars("range"))
    match ends:
        case (bool(), _) | (_, bool()):
            pass
        case (int() as lower, int() as upper) if lower <= upper:
            reader.close()
            return RangeDomain(lower, upper)
        case (date() as first, date() as last) if first <= last:
            reader.close()
            return RangeDomain(first, last)
    reader.invalid("range", "must be two whole numbers or two days: [lowest, highest]")
    reader.close()
    raise AssertionError("an invalid range was not abandoned")
