"""The operator tree that a plan is made of: typed scalar expressions and relations, from closed enumerations.

Nothing here is text of the operator: names are the domain's own (declared at registration), constants are typed literals
that the worker binds as parameters. Every expression built from these nodes is total: whatever the rows hold, it has a
value or NULL and never raises (docs/proofs/totality.md), because an error that depends on data is an answer without noise.
"""

from dataclasses import dataclass
from enum import StrEnum

from policies.terms import Scalar, SqlType


class Op(StrEnum):
    """The scalar operators a plan may hold. The worker owns one total DuckDB form for each."""

    AND = "and"
    OR = "or"
    NOT = "not"
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IS_NULL = "is_null"
    IS_DISTINCT = "is_distinct"
    IN = "in"
    LIKE = "like"
    ILIKE = "ilike"
    CASE = "case"  # when1, then1, when2, then2, …, [else]
    COALESCE = "coalesce"
    NULLIF = "nullif"
    LEAST = "least"
    GREATEST = "greatest"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    INT_DIV = "int_div"
    MOD = "mod"
    NEG = "neg"
    ABS = "abs"
    ROUND = "round"
    FLOOR = "floor"
    CEIL = "ceil"
    SQRT = "sqrt"
    LN = "ln"
    EXP = "exp"
    CAST = "cast"
    LOWER = "lower"
    UPPER = "upper"
    LENGTH = "length"
    SUBSTRING = "substring"
    LEFT = "left"
    RIGHT = "right"
    TRIM = "trim"
    CONCAT = "concat"  # the operator ||: NULL if any part is NULL
    STARTS_WITH = "starts_with"
    CONTAINS = "contains"
    DATE_TRUNC = "date_trunc"
    DATE_PART = "date_part"
    DATE_DIFF = "date_diff"
    DATE_ADD = "date_add"  # date plus a constant number of `unit`
    IS_NAN = "is_nan"


class TimeUnit(StrEnum):
    """Units of time; always a constant of the plan, never a value of a row (`date_trunc(name, birth)` raises)."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    DAYOFWEEK = "dayofweek"
    DAYOFYEAR = "dayofyear"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Column:
    """A registered column of the `scan`-th table of the plan."""

    scan: int
    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Literal:
    """A typed constant; crosses as a value and is bound as a parameter, never pasted into SQL."""

    type: SqlType
    value: Scalar


@dataclass(frozen=True, slots=True)
class Call:
    """An operator applied to arguments; `unit` only for the date operators."""

    op: Op
    args: tuple["Expr", ...]
    type: SqlType
    unit: TimeUnit | None = None


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Above the release: the value of the `index`-th group key."""

    index: int
    type: SqlType


@dataclass(frozen=True, slots=True)
class AggregateRef:
    """Above the release: the noisy value of the `index`-th aggregate."""

    index: int
    type: SqlType


Expr = Column | Literal | Call | KeyRef | AggregateRef


@dataclass(frozen=True, slots=True)
class Scan:
    """All rows of the `index`-th table of the plan."""

    index: int


@dataclass(frozen=True, slots=True)
class Join:
    """The inner join of two relations on a total condition."""

    left: "Relation"
    right: "Relation"
    on: Expr


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows for which the total predicate is true."""

    input: "Relation"
    predicate: Expr


Relation = Scan | Join | Filter


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the direct arguments of an expression."""
    return expr.args if isinstance(expr, Call) else ()


def walk(expr: Expr) -> tuple[Expr, ...]:
    """Return the expression and everything below it, parents first."""
    found: list[Expr] = []
    stack = [expr]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(children(node)))
    return tuple(found)


def columns_of(expr: Expr) -> tuple[Column, ...]:
    """Return the distinct columns an expression reads, in order of appearance."""
    return tuple(dict.fromkeys(node for node in walk(expr) if isinstance(node, Column)))
