"""SUM as a noisy clipped sum of fixed-point steps.

Statement   One unit moves the sum of a group by at most max(|partial_lower|, |partial_upper|) steps, in at most its
            declared groups.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md. Steps are whole numbers because floating sums depend on the
            order of rows, and their true sensitivity is then far above the one on paper.
Source      Casacuberta et al., Widespread Underestimation of Sensitivity in Differentially Private Libraries, CCS 2022.
Not promised  The sum of no rows is 0, not NULL: NULL would say exactly that nobody is there. NaN counts as NULL.
"""

from decimal import Decimal

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import StepBase
from sandbox.privacy.aggregates.aggregate import (
    DOUBLE,
    HUGEINT,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    Steps,
    sum_moment,
)

_TOTAL_DIGITS = 19  # of an i64
_DECIMAL_DIGITS = 38


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    return (sum_moment(argument),)


def _result_type(argument: SqlType | None) -> SqlType:
    if argument is None:
        raise ValueError("sum has an argument")
    if argument.kind in (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT):
        return HUGEINT
    if argument.kind is TypeKind.DECIMAL:
        return SqlType(TypeKind.DECIMAL, _DECIMAL_DIGITS, argument.scale)
    if argument.kind is TypeKind.DOUBLE:
        return DOUBLE
    raise ValueError("sum takes numbers")


def step_value(steps: Steps) -> float:
    """Return one step as a float."""
    if steps.base is StepBase.TWO:
        return 2.0**-steps.exponent
    return float(Decimal(1).scaleb(-steps.exponent))


def _finish(ending: Ending) -> Expr:
    (total,) = ending.moments
    if ending.type.kind is TypeKind.DOUBLE:
        step = Literal(DOUBLE, step_value(ending.steps))
        return Call(Op.MUL, (Call(Op.CAST, (total,), DOUBLE), step), DOUBLE)
    exponent = ending.steps.exponent
    if exponent <= 0:
        step = Literal(HUGEINT, 10**-exponent)
        return Call(Op.CAST, (Call(Op.MUL, (total, step), HUGEINT),), ending.type)
    # 0.01 as DECIMAL(2,2), times a whole number of at most 19 digits.
    step = Literal(SqlType(TypeKind.DECIMAL, exponent, exponent), Decimal(1).scaleb(-exponent))
    whole = Call(Op.CAST, (total,), SqlType(TypeKind.DECIMAL, _TOTAL_DIGITS, 0))
    product = SqlType(TypeKind.DECIMAL, _TOTAL_DIGITS + exponent, exponent)
    return Call(Op.CAST, (Call(Op.MUL, (whole, step), product),), ending.type)


SUM = Aggregate(AggregateName.SUM, _moments, _result_type, _finish)
