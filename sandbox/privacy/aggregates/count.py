"""COUNT as a noisy clipped sum of ones.

Statement   One unit moves the count of a group by at most its declared rows per group, in at most its declared groups.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md with rows in [0, 1].
Not promised  The noisy count may be negative: cutting it at 0 would bias every sum over it.
"""

from policies.terms import AggregateName, SqlType
from sandbox.algebra import Call, Expr, Op
from sandbox.boundary import MomentKind
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    counted,
    row_moment,
)


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    return (row_moment(MomentKind.SUM, counted(argument, nan_counts=True)),)


def _result_type(argument: SqlType | None) -> SqlType:
    return BIGINT


def _finish(ending: Ending) -> Expr:
    (count,) = ending.moments
    return Call(Op.CAST, (count,), ending.type)


COUNT = Aggregate(AggregateName.COUNT, _moments, _result_type, _finish)
