"""What an aggregate is: sums of clipped per-unit whole numbers, and a free ending on their noisy totals.

One theorem covers every aggregate (docs/proofs/bounded_aggregation.md); an aggregate only says which moments it needs
and how to finish. The ending is an expression, not code: the answer and its simulated interval run the same tree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from policies.terms import AggregateName, SqlType, TypeKind
from sandbox.algebra import Call, Expr, Literal, Op
from sandbox.boundary import MomentKind, Rank, StepBase

BOOLEAN = SqlType(TypeKind.BOOLEAN)
INTEGER = SqlType(TypeKind.INTEGER)
BIGINT = SqlType(TypeKind.BIGINT)
HUGEINT = SqlType(TypeKind.HUGEINT)
DOUBLE = SqlType(TypeKind.DOUBLE)

ONE = Literal(INTEGER, 1)
_NUMBERS = frozenset(
    {TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT, TypeKind.DECIMAL, TypeKind.DOUBLE}
)


@dataclass(frozen=True, slots=True)
class Steps:
    """The fixed-point unit of a value: one step is base**-exponent."""

    base: StepBase
    exponent: int


UNIT_STEPS = Steps(StepBase.TEN, 0)


@dataclass(frozen=True, slots=True)
class Argument:
    """What an aggregate is applied to.

    `value` is None for count(*) and count(DISTINCT unit); `condition` is its FILTER. `row_*` bound one row in steps.
    `rank` is what an order statistic looks for.
    """

    value: Expr | None
    condition: Expr | None
    steps: Steps
    row_lower: int
    row_upper: int
    rank: Rank | None = None


@dataclass(frozen=True, slots=True)
class MomentSpec:
    """A moment before it has bounds, noise and loss.

    `offset` is what each counted row lost before it was measured: the value plus `offset` steps is what was asked for.
    """

    kind: MomentKind
    value: Expr
    step_base: StepBase
    step_exponent: int
    row_lower: int
    row_upper: int
    offset: int
    rank: Rank | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates of a rank: bins from `row_lower` on, of values of this type."""

    rank: Rank
    row_lower: int
    row_upper: int
    type: SqlType


@dataclass(frozen=True, slots=True)
class Ending:
    """What an aggregate finishes from.

    `moments` are its noisy totals as BIGINT expressions, with the steps and the offset of each, and the half-width that holds
    its noise with 95 %, in steps; `value_*` is the declared interval of one value in steps of the first, `type` the SQL
    type of the result, `ranked` the candidates of an order statistic.
    """

    moments: tuple[Expr, ...]
    steps: tuple[Steps, ...]
    offsets: tuple[int, ...]
    half_widths: tuple[int, ...]
    value_lower: int
    value_upper: int
    type: SqlType
    ranked: Ranked | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate of SQL: the moments it measures, its type as DuckDB has it, and how it ends."""

    name: AggregateName
    moments: Callable[[Argument], tuple[MomentSpec, ...]]
    result_type: Callable[[SqlType | None], SqlType]
    finish: Callable[[Ending], Expr]


def counted(argument: Argument, nan_counts: bool) -> Expr:
    """Return the expression that is 1 on the rows that count(value) FILTER (condition) counts, and NULL elsewhere."""
    tests: list[Expr] = []
    if argument.value is not None:
        tests.append(Call(Op.NOT, (Call(Op.IS_NULL, (argument.value,), BOOLEAN),), BOOLEAN))
        if not nan_counts:
            tests.append(Call(Op.NOT, (Call(Op.IS_NAN, (argument.value,), BOOLEAN),), BOOLEAN))
    if argument.condition is not None:
        tests.append(argument.condition)
    if not tests:
        return ONE
    test = tests[0] if len(tests) == 1 else Call(Op.AND, tuple(tests), BOOLEAN)
    return Call(Op.CASE, (test, ONE), INTEGER)


def sum_moment(argument: Argument) -> MomentSpec:
    """Return the clipped sum of the argument's values on the rows its condition keeps."""
    if argument.value is None:
        raise ValueError("what is summed has a value")
    value = argument.value
    if argument.condition is not None:
        value = Call(Op.CASE, (argument.condition, value), value.type)
    steps = argument.steps
    return MomentSpec(
        MomentKind.SUM,
        value,
        steps.base,
        steps.exponent,
        argument.row_lower,
        argument.row_upper,
        0,
    )


def row_moment(kind: MomentKind, value: Expr) -> MomentSpec:
    """Return a moment of rows that weigh 1 each."""
    return MomentSpec(kind, value, UNIT_STEPS.base, UNIT_STEPS.exponent, 0, 1, 0)


def present_count(argument: Argument) -> MomentSpec:
    """Return the count of the rows that the argument's sum is over: neither NULL nor NaN, and kept by its condition."""
    if argument.value is None:
        raise ValueError("there is a value that may be missing")
    nan_counts = argument.value.type.kind is not TypeKind.DOUBLE
    return row_moment(MomentKind.SUM, counted(argument, nan_counts))


def step_value(steps: Steps) -> float:
    """Return one step as a float."""
    if steps.base is StepBase.TWO:
        return 2.0**-steps.exponent
    return float(Decimal(1).scaleb(-steps.exponent))


def measured_number(type_: SqlType | None) -> SqlType:
    """Return the type of what is measured if it holds numbers, or raise ValueError."""
    if type_ is None or type_.kind not in _NUMBERS:
        raise ValueError("what is measured is a number")
    return type_
