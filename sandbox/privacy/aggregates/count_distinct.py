"""COUNT(DISTINCT …): of the unit a noisy sum of presences, of anything else a noisy count of kept values.

Statement   One unit moves the count of units in a group by at most 1, and the count of other values by at most D, its declared
            rows per group, in at most its declared groups, however many rows it has.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md with partials in [0, 1]; docs/proofs/distinct_values.md.
Not promised  The values of a unit that has more than D of them in one group: a keyed choice decides which D count. NULL is
            no value; NaN is one, -0 and 0 are one.
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
from sandbox.privacy.aggregates.centred import kept


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    if argument.value is None:  # the unit itself, which is never NULL
        return (row_moment(MomentKind.PRESENCE, counted(argument, nan_counts=True)),)
    return (row_moment(MomentKind.DISTINCT, kept(argument, argument.value)),)


def _result_type(argument: SqlType | None) -> SqlType:
    return BIGINT


def _finish(ending: Ending) -> Expr:
    (count,) = ending.moments
    return Call(Op.CAST, (count,), ending.type)


COUNT_DISTINCT = Aggregate(AggregateName.COUNT_DISTINCT, _moments, _result_type, _finish)
