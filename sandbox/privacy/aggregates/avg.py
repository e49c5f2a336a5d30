"""AVG as a noisy clipped sum over a noisy clipped count.

Statement   One unit moves the sum as SUM's statement says and the count as COUNT's; the two losses add.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md, once per moment.
Source      Wilson et al., Differentially Private SQL with Bounded User Contribution, 2020; the ratio is post-processing
            (Dwork and Roth 2014, Proposition 2.1).
Not promised  The ratio is biased when the noisy count is small. It is NULL exactly when the noisy count is not
            positive, and is held inside the declared interval of one value. NaN counts as NULL.
"""

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import MomentKind
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    counted,
    row_moment,
    sum_moment,
)
from sandbox.privacy.aggregates.sum import step_value


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    total = sum_moment(argument)
    nan_counts = total.value.type.kind is not TypeKind.DOUBLE
    return (total, row_moment(MomentKind.SUM, counted(argument, nan_counts)))


def _result_type(argument: SqlType | None) -> SqlType:
    if argument is None:
        raise ValueError("avg has an argument")
    if argument.kind in (
        TypeKind.INTEGER,
        TypeKind.BIGINT,
        TypeKind.HUGEINT,
        TypeKind.DECIMAL,
        TypeKind.DOUBLE,
    ):
        return DOUBLE
    raise ValueError("avg takes numbers")


def _finish(ending: Ending) -> Expr:
    total, count = ending.moments
    step = step_value(ending.steps)
    lower = Literal(DOUBLE, ending.value_lower * step)
    upper = Literal(DOUBLE, ending.value_upper * step)
    in_steps = Call(
        Op.DIV, (Call(Op.CAST, (total,), DOUBLE), Call(Op.CAST, (count,), DOUBLE)), DOUBLE
    )
    ratio = Call(Op.MUL, (in_steps, Literal(DOUBLE, step)), DOUBLE)
    # The ratio is never NULL or NaN where the count is positive, so least and greatest are safe here.
    held = Call(Op.GREATEST, (lower, Call(Op.LEAST, (upper, ratio), DOUBLE)), DOUBLE)
    positive = Call(Op.GT, (count, Literal(BIGINT, 0)), BOOLEAN)
    return Call(Op.CASE, (positive, held), DOUBLE)


AVG = Aggregate(AggregateName.AVG, _moments, _result_type, _finish)
