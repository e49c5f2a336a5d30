"""SUM as a noisy clipped sum of fixed-point steps.

Statement   One unit moves the sum of a group by at most max(|partial_lower|, |partial_upper|) steps, in at most its
            declared groups.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md. Steps are whole numbers because floating sums depend on the
            order of rows, and their true sensitivity is then far above the one on paper.
            Where a count of the same rows is measured anyway, the sum is that of value - middle plus middle times the
            count: with r half the interval and c its middle, r*r + c*c is at most (r + |c|)**2, so the error is no larger.
Source      Casacuberta et al., Widespread Underestimation of Sensitivity in Differentially Private Libraries, CCS 2022.
Not promised  The sum of no rows is 0, not NULL: NULL would say exactly that nobody is there. NaN counts as NULL.
"""

from decimal import Decimal

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.privacy.aggregates.aggregate import (
    DOUBLE,
    HUGEINT,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    measured_number,
    present_count,
    step_value,
    sum_moment,
)
from sandbox.privacy.aggregates.centred import centred_moment
from sandbox.privacy.aggregates.reals import whole_total

_TOTAL_DIGITS = 19  # of an i64
_DERIVED_DIGITS = 38  # of a total plus a middle times a count: below 2**104
_DECIMAL_DIGITS = 38


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    return (sum_moment(argument),)


def _result_type(argument: SqlType | None) -> SqlType:
    number = measured_number(argument)
    if number.kind is TypeKind.DECIMAL:
        return SqlType(TypeKind.DECIMAL, _DECIMAL_DIGITS, number.scale)
    return DOUBLE if number.kind is TypeKind.DOUBLE else HUGEINT


def derived_moments(argument: Argument) -> tuple[MomentSpec, ...]:
    """Return the two moments a sum also follows from: the sum around the middle, and the count of the same rows."""
    return (centred_moment(argument), present_count(argument))


def worth_deriving(argument: Argument) -> bool:
    """Tell whether the sum is no less exact from its derived moments, at the same loss for each moment."""
    derived, plain = centred_moment(argument), sum_moment(argument)
    half = max(1, abs(derived.row_lower), abs(derived.row_upper))
    whole = max(1, abs(plain.row_lower), abs(plain.row_upper))
    return derived.offset != 0 and half**2 + derived.offset**2 <= whole**2


def _finish(ending: Ending) -> Expr:
    total = whole_total(ending, 0, ending.moments[-1])
    steps = ending.steps[0]
    if ending.type.kind is TypeKind.DOUBLE:
        step = Literal(DOUBLE, step_value(steps))
        return Call(Op.MUL, (Call(Op.CAST, (total,), DOUBLE), step), DOUBLE)
    exponent = steps.exponent
    if exponent <= 0:
        step = Literal(HUGEINT, 10**-exponent)
        return Call(Op.CAST, (Call(Op.MUL, (total, step), HUGEINT),), ending.type)
    # 0.01 as DECIMAL(2,2), times a whole number.
    step = Literal(SqlType(TypeKind.DECIMAL, exponent, exponent), Decimal(1).scaleb(-exponent))
    digits = _DERIVED_DIGITS if len(ending.moments) > 1 else _TOTAL_DIGITS
    whole = Call(Op.CAST, (total,), SqlType(TypeKind.DECIMAL, digits, 0))
    product = SqlType(TypeKind.DECIMAL, min(_DECIMAL_DIGITS, digits + exponent), exponent)
    return Call(Op.CAST, (Call(Op.MUL, (whole, step), product),), ending.type)


SUM = Aggregate(AggregateName.SUM, _moments, _result_type, _finish)
