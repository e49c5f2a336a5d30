"""Values of an answer as JSON has them, so that nothing is rounded on the way."""

import math
from datetime import date, datetime
from decimal import Decimal

from policies.terms import Scalar


def plain(value: Scalar) -> object:
    """Return a JSON value: whole numbers as numbers, DECIMAL and dates as text, NaN and infinities as text."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value
