"""BOOL_AND and BOOL_OR from the number of privacy units with a row that decides.

Statement   One unit moves the number of deciding units in a group by at most 1, in at most its declared groups.
Reason      Theorem 1 of docs/proofs/bounded_aggregation.md with partials in [0, 1]. Any row is true exactly if some unit has
            a true row; all are true exactly if no unit has a false one.
Not promised  The exact truth: bool_or says true where the noisy number is above the half-width of its 95 % interval, so it
            is true of nobody with 2.5 % at most and false of a few units often. bool_and says false by the same line. Neither
            is NULL: that nobody is there would be an exact fact.
"""

from policies.terms import AggregateName, SqlType
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import MomentKind
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    counted,
    row_moment,
)


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    """Return the number of units with a row for which the condition holds: the row that decides."""
    return (row_moment(MomentKind.PRESENCE, counted(argument, nan_counts=True)),)


def _result_type(_: SqlType | None) -> SqlType:
    return BOOLEAN


def _some(ending: Ending) -> Expr:
    line = Literal(BIGINT, ending.half_widths[0])
    return Call(Op.GT, (ending.moments[0], line), BOOLEAN)


def _none(ending: Ending) -> Expr:
    return Call(Op.NOT, (_some(ending),), BOOLEAN)


BOOL_OR = Aggregate(AggregateName.BOOL_OR, _moments, _result_type, _some)
BOOL_AND = Aggregate(AggregateName.BOOL_AND, _moments, _result_type, _none)
