"""The fixed-point steps in which a value is measured, and its declared interval in them."""

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from policies.refusals import Refused, Stage
from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.boundary import STEPS_MAX, StepBase
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.intervals import Interval
from sandbox.compiler.types import is_integer
from sandbox.privacy.aggregates import Argument, Steps
from sandbox.privacy.aggregates.pairs import OF_SECOND, Pair

BINARY_STEPS_MAX = 20  # a DOUBLE is measured in steps of at least 2**-20
# A step is split where the middle of an interval of at most so many lies between two: it matters for few of them only.
SPLIT_STEPS_MAX = 1_000
_SPLIT_DIGITS_MAX = 36  # of a decimal that takes one digit more, and one for the difference


def stepped(aggregate: ResolvedAggregate, found: Interval, *, summed: bool) -> Argument:
    """Return the argument of an aggregate in steps.

    `summed` says that the same value is also asked for as a sum, which is a whole number of the value's own steps.
    Refuses: an interval without ends (by the caller), and one that is too wide to be exact.
    """
    value = aggregate.value
    if value is None or found.low is None or found.high is None:
        raise ValueError("what is measured has a value and an interval")
    steps = _steps(value.type, max(abs(found.low), abs(found.high)))
    unit = Fraction(10 if steps.base is StepBase.TEN else 2) ** steps.exponent
    low, high = floor(found.low * unit), ceil(found.high * unit)
    if max(abs(low), abs(high)) > STEPS_MAX:
        raise Refused(
            "bounds_too_wide",
            Stage.BOUND,
            at=aggregate.at,
            what=inside(aggregate.words),
            magnitude=max(abs(low), abs(high)),
            limit=STEPS_MAX,
        )
    argument = Argument(value, aggregate.condition, steps, low, high)
    return argument if summed or aggregate.name is AggregateName.SUM else _split(argument)


def paired(name: AggregateName, first: Argument, second: Argument) -> Pair:
    """Return two arguments as one; the one that the aggregate's name is about comes first."""
    own, other = (second, first) if name in OF_SECOND else (first, second)
    return Pair(own.value, own.condition, own.steps, own.row_lower, own.row_upper, other=other)


def _split(argument: Argument) -> Argument:
    """Return the argument in tenths of its steps where its middle lies between two of few steps, as of 0 and 1."""
    type_ = SqlType(TypeKind.HUGEINT) if argument.value is None else argument.value.type
    roomy = type_.kind in (TypeKind.INTEGER, TypeKind.BIGINT) or (
        type_.kind is TypeKind.DECIMAL and type_.precision <= _SPLIT_DIGITS_MAX
    )
    low, high = argument.row_lower, argument.row_upper
    if not roomy or (low + high) % 2 == 0 or high - low > SPLIT_STEPS_MAX:
        return argument
    steps = Steps(argument.steps.base, argument.steps.exponent + 1)
    return replace(argument, steps=steps, row_lower=10 * low, row_upper=10 * high)


def _steps(kind: SqlType, reach: Fraction) -> Steps:
    if is_integer(kind):
        return Steps(StepBase.TEN, 0)
    if kind.kind is TypeKind.DECIMAL:
        return Steps(StepBase.TEN, kind.scale)
    room = STEPS_MAX // max(1, ceil(reach))
    return Steps(StepBase.TWO, max(0, min(BINARY_STEPS_MAX, room.bit_length() - 1)))


def inside(words: str) -> str:
    """Return the argument of an aggregate as the user wrote it."""
    opening = words.find("(")
    return words[opening + 1 : -1] if opening >= 0 and words.endswith(")") else words
