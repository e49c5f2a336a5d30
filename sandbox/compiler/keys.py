"""Declared group keys: where the values of a GROUP BY expression come from, without looking at a row.

Every declared key is returned, also those nobody has; a value that is not declared is dropped inside. So the set of keys
in an answer says nothing about anybody.
"""

from math import ceil, floor, prod

from policies.refusals import Refused, Stage
from policies.terms import Scalar
from sandbox.algebra import Expr, columns_of
from sandbox.boundary import (
    KEYS_MAX,
    DomainSource,
    GroupKey,
)
from sandbox.compiler.bins import in_steps
from sandbox.compiler.facts import DeclaredFacts
from sandbox.compiler.intervals import interval
from sandbox.compiler.keyed import ResolvedKey
from sandbox.compiler.outcomes import constant_results
from sandbox.compiler.types import is_integer
from sandbox.privacy.domain_size import domain_size

SOURCES_MAX = 200_000  # combinations of declared values that one key is computed from; a century of days is 36 525


def declare_key(key: ResolvedKey, facts: DeclaredFacts) -> GroupKey | None:
    """Return the key with its declared values, or None if its values would have to be read from rows.

    Tried in this order: constant results (boolean, CASE), the image of declared column domains, and a whole-number
    expression with a bounded interval. Refuses: a key finer than the declared bins.
    """
    expr = key.expr
    for spelt in facts.grouped_by(expr):
        for column in columns_of(spelt):
            width = facts.bin(column)
            if width is not None and not in_steps(spelt, column, width):
                raise Refused("key_too_fine", Stage.BOUND, at=key.at, column=column.name, bin=width)
    results = constant_results(expr)
    if results is not None and any(value is not None for value in results):
        values = tuple(dict.fromkeys(v for v in results if v is not None))
        return GroupKey(expr, values, (), None in results)
    sources = _sources(expr, facts)
    if sources is not None:
        return GroupKey(expr, (), tuple(s for s, _ in sources), any(null for _, null in sources))
    series = _whole_series(expr, facts)
    if series is not None:
        return GroupKey(expr, series, (), False)
    return None


def _sources(expr: Expr, facts: DeclaredFacts) -> list[tuple[DomainSource, bool]] | None:
    found = []
    for column in columns_of(expr):
        domain = facts.domain(column)
        if domain is None:
            return None
        found.append((DomainSource(column, domain[0]), domain[1]))
    if not found or prod(domain_size(s.values) + 1 for s, _ in found) > SOURCES_MAX:
        return None
    return found


def _whole_series(expr: Expr, facts: DeclaredFacts) -> tuple[Scalar, ...] | None:
    if not is_integer(expr.type):
        return None
    reach = interval(expr, facts.bounds)
    if reach.low is None or reach.high is None:
        return None
    low, high = ceil(reach.low), floor(reach.high)
    return tuple(range(low, high + 1)) if high - low < KEYS_MAX else None


def groups_at_most(keys: tuple[GroupKey, ...]) -> int:
    """Return a number of groups that the declared keys never exceed; how many there are is known after the twin has run."""
    sizes = [
        len(k.outcomes) + k.with_null
        if not k.sources
        else prod(domain_size(s.values) + 1 for s in k.sources)
        for k in keys
    ]
    return max(1, prod(sizes))
