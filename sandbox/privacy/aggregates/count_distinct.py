"""COUNT(DISTINCT unit) as a noisy sum of presences.

Statement   One unit moves the count of a group by at most 1, in at most its declared groups, however many rows it has.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md with partials in [0, 1].
Refuses     Distinct values other than the unit: their number per unit is not bounded by presence.
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
    return (row_moment(MomentKind.PRESENCE, counted(argument, nan_counts=True)),)


def _result_type(argument: SqlType | None) -> SqlType:
    return BIGINT


def _finish(ending: Ending) -> Expr:
    (count,) = ending.moments
    return Call(Op.CAST, (count,), ending.type)


COUNT_DISTINCT = Aggregate(AggregateName.COUNT_DISTINCT, _moments, _result_type, _finish)
