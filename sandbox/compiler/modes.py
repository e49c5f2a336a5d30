"""The declared values that a mode is chosen from: those that a GROUP BY of the same expression would show, NULL apart.

A mode gives back one value, as a key does. So what may not be a key is no choice either, and the width by which a column is
coarsened holds here, too.
"""

from datetime import date, timedelta
from math import ceil, floor

from policies.refusals import Refused, Stage
from policies.terms import Scalar
from sandbox.algebra import Column, Expr
from sandbox.boundary import DomainSource, EitherValues, GroupKey, ListedValues
from sandbox.compiler.aggregates import ResolvedAggregate
from sandbox.compiler.facts import DeclaredFacts
from sandbox.compiler.intervals import interval
from sandbox.compiler.keyed import ResolvedKey
from sandbox.compiler.keys import declare_key
from sandbox.compiler.types import is_integer
from sandbox.privacy.aggregates import Argument
from sandbox.privacy.aggregates.mode import choice_among
from sandbox.privacy.domain_size import Values, domain_size
from sandbox.privacy.ranks import CHOICES_MAX


def mode_argument(aggregate: ResolvedAggregate, facts: DeclaredFacts) -> Argument:
    """Return the argument of a mode with its choices.

    Refuses: values that nobody declared or that are too many (`sql_argument_refused`), and finer ones than may be seen.
    """
    value = aggregate.value
    if value is None:
        raise ValueError("a mode has a value")
    key = declare_key(ResolvedKey(value, aggregate.words, aggregate.at), facts)
    found = None if key is None else _choices(key, facts)
    if not found:
        raise Refused(
            "sql_argument_refused",
            Stage.BOUND,
            at=aggregate.at,
            name=aggregate.words,
            need="at most 1024 declared values",
            cure="take the mode of declared values, or of CASE with constant results",
        )
    return choice_among(value, aggregate.condition, found)


def _choices(key: GroupKey, facts: DeclaredFacts) -> tuple[Scalar, ...] | None:
    if not key.sources:
        return _in_order(key.outcomes)
    if not isinstance(key.expr, Column):
        return _whole_numbers(key.expr, facts)
    return _in_order(_listed(key.sources))


def _whole_numbers(expr: Expr, facts: DeclaredFacts) -> tuple[Scalar, ...] | None:
    """Return the whole numbers that an expression may give by the bounds of what it reads."""
    reach = interval(expr, facts.bounds) if is_integer(expr.type) else None
    if reach is None or reach.low is None or reach.high is None:
        return None
    low, high = ceil(reach.low), floor(reach.high)
    return tuple(range(low, high + 1)) if high - low < CHOICES_MAX else None


def _listed(sources: tuple[DomainSource, ...]) -> tuple[Scalar, ...] | None:
    (source,) = sources
    return _spelt(source.values)


def _spelt(values: Values) -> tuple[Scalar, ...] | None:
    """Return declared values one by one, or None where only a database could compute them, or too many."""
    if isinstance(values, EitherValues):
        parts = [_spelt(part) for part in values.parts]
        if None in parts:
            return None
        return tuple(value for part in parts if part is not None for value in part)
    if isinstance(values, ListedValues):
        return values.values
    if domain_size(values) > CHOICES_MAX:
        return None
    first, last = getattr(values, "first", None), getattr(values, "last", None)
    if type(first) is int and type(last) is int:
        return tuple(range(first, last + 1))
    if type(first) is date and type(last) is date:
        return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
    return None


def _in_order(values: tuple[Scalar, ...] | None) -> tuple[Scalar, ...] | None:
    found = {value for value in values or () if value is not None and value == value}
    return tuple(sorted(found)) if len(found) <= CHOICES_MAX else None
