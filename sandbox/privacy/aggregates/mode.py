"""MODE: one of the declared values, those that most rows have by far the likeliest.

Statement   One unit moves the score of each value by at most its rows per group, in at most its declared groups.
Reason      docs/proofs/quantiles.md, lemma 4 and theorem 1.
Source      McSherry and Talwar 2007 (the exponential mechanism on counts); McKenna and Sheldon 2020.
Not promised  The value of most rows where another has only a few rows less; an interval. Values that nobody declared do not
            take part. The answer is NULL exactly when the noisy count of all values is not positive.
"""

from dataclasses import replace

from policies.terms import AggregateName, Scalar, SqlType
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import MomentKind, Rank, RankSide
from sandbox.privacy.aggregates.aggregate import (
    BIGINT,
    BOOLEAN,
    UNIT_STEPS,
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    present_count,
    sum_moment,
)
from sandbox.privacy.aggregates.quantile import ORDERED

# What a noisy choice answers.
CHOSEN = (*ORDERED, AggregateName.MODE)


def choice_among(value: Expr, condition: Expr | None, choices: tuple[Scalar, ...]) -> Argument:
    """Return the argument of a mode over declared values."""
    rank = most_of(choices)
    return Argument(value, condition, UNIT_STEPS, 0, len(choices) - 1, rank)


def most_of(choices: tuple[Scalar, ...]) -> Rank:
    """Return what is looked for among declared values. 0 of 1: one row moves a score by 1."""
    return Rank(0, 1, RankSide.MOST, 1, choices)


def _moments(argument: Argument) -> tuple[MomentSpec, ...]:
    if argument.rank is None or not argument.rank.choices:
        raise ValueError("a mode is one of the declared values")
    chosen = replace(sum_moment(argument), kind=MomentKind.RANK, rank=argument.rank)
    return chosen, present_count(argument)


def _type(argument: SqlType | None) -> SqlType:
    if argument is None:
        raise ValueError("a mode has a value")
    return argument


def _finish(ending: Ending) -> Expr:
    ranked = ending.ranked
    if ranked is None:
        raise ValueError("a mode ends in one of its choices")
    index, count = ending.moments
    value = _pick(index, ranked.rank.choices, 0, ending.type)
    positive = Call(Op.GT, (count, Literal(BIGINT, 0)), BOOLEAN)
    return Call(Op.CASE, (positive, value), ending.type)


def _pick(index: Expr, choices: tuple[Scalar, ...], first: int, type_: SqlType) -> Expr:
    """Return the choice of this number, by halves: few comparisons, however many choices there are."""
    if len(choices) == 1:
        return Literal(type_, choices[0])
    half = len(choices) // 2
    below = Call(Op.LT, (index, Literal(BIGINT, first + half)), BOOLEAN)
    low = _pick(index, choices[:half], first, type_)
    high = _pick(index, choices[half:], first + half, type_)
    return Call(Op.CASE, (below, low, high), type_)


MODE = Aggregate(AggregateName.MODE, _moments, _type, _finish)
