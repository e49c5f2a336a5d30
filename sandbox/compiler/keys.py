"""Declared group keys: where the values of a GROUP BY expression come from, without looking at a row.

Every declared key is returned, also those nobody has; a value that is not declared is dropped inside. So the set of keys
in an answer says nothing about anybody.
"""

from math import ceil, floor, prod

from policies.refusals import Refused, Stage
from policies.terms import Scalar, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op, columns_of
from sandbox.boundary import KEYS_MAX, DomainSource, GroupKey, ListedValues, ValueSeries
from sandbox.compiler.above import ResolvedKey
from sandbox.compiler.bins import in_steps
from sandbox.compiler.facts import DeclaredFacts
from sandbox.compiler.intervals import interval
from sandbox.compiler.types import is_integer

SOURCES_MAX = 200_000  # combinations of declared values that one key is computed from; a century of days is 36 525

_PASSES_RESULTS = frozenset({Op.COALESCE, Op.NULLIF, Op.LEAST, Op.GREATEST})


def declare_key(key: ResolvedKey, facts: DeclaredFacts) -> GroupKey:
    """Return the key with its declared values.

    Tried in this order: constant results (boolean, CASE), the image of declared column domains, and a whole-number
    expression with a bounded interval. Refuses: a key whose values would have to be read from rows, and one finer than the
    declared bins.
    """
    expr = key.expr
    for column in columns_of(expr):
        width = facts.bin(column)
        if width is not None and not in_steps(expr, column, width):
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
    raise Refused("key_domain_missing", Stage.BOUND, at=key.at, what=key.words)


def constant_results(expr: Expr) -> tuple[Scalar, ...] | None:
    """Return every value an expression can take when all its results are constants, else None."""
    if isinstance(expr, Literal):
        return (expr.value,)
    if not isinstance(expr, Call):
        return None
    if expr.op is Op.CASE:
        parts = [a for i, a in enumerate(expr.args) if i % 2 == 1 or i == len(expr.args) - 1]
        found = [constant_results(part) for part in parts]
        if None in found:
            return None
        without_else = len(expr.args) % 2 == 0
        listed = [value for values in found if values is not None for value in values]
        return (*listed, None) if without_else else tuple(listed)
    if expr.op in _PASSES_RESULTS:
        return None
    if expr.type.kind is TypeKind.BOOLEAN:
        sure = expr.op in (Op.IS_NULL, Op.IS_DISTINCT)
        return (False, True) if sure else (False, True, None)
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


def domain_size(values: ListedValues | ValueSeries) -> int:
    """Return how many values a declared domain has."""
    if isinstance(values, ListedValues):
        return len(values.values)
    first, last = values.first, values.last
    if isinstance(first, int) and isinstance(last, int):
        return last - first + 1
    return (last - first).days + 1  # type: ignore[operator, union-attr]


def groups_at_most(keys: tuple[GroupKey, ...]) -> int:
    """Return a number of groups that the declared keys never exceed; how many there are is known after the twin has run."""
    sizes = [
        len(k.outcomes) + k.with_null
        if not k.sources
        else prod(domain_size(s.values) + 1 for s in k.sources)
        for k in keys
    ]
    return max(1, prod(sizes))
