"""The closed lists of what a plan may do: scalar operators, joins, aggregates and windows over rows, set operations, moments.

The worker owns one total DuckDB form for each member; what is not listed here has no way into a plan.
"""

from enum import StrEnum


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
    FROM_EPOCH = "from_epoch"  # the day or second with a whole number counted from 1970 on


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


class JoinType(StrEnum):
    """How rows without a partner are treated. A right join is a left join written the other way round."""

    INNER = "inner"
    LEFT = "left"
    FULL = "full"


class WindowFunction(StrEnum):
    """The window functions a plan may hold."""

    ROW_NUMBER = "row_number"
    RANK = "rank"
    DENSE_RANK = "dense_rank"
    LAG = "lag"  # args: value, constant distance
    LEAD = "lead"
    FIRST_VALUE = "first_value"
    LAST_VALUE = "last_value"
    COUNT = "count"  # without argument: rows
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


class RowAggregate(StrEnum):
    """The exact aggregates that may be taken over rows of one privacy unit, or over public rows."""

    COUNT = "count"  # without argument: rows
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    BOOL_AND = "bool_and"
    BOOL_OR = "bool_or"
    MEDIAN = "median"
    VAR_SAMP = "var_samp"
    VAR_POP = "var_pop"
    STDDEV_SAMP = "stddev_samp"
    STDDEV_POP = "stddev_pop"
    ARG_MIN = "arg_min"  # args: value, by
    ARG_MAX = "arg_max"
    MODE = "mode"


class SetKind(StrEnum):
    """The set operations of SQL."""

    UNION_ALL = "union_all"
    UNION = "union"
    EXCEPT_ALL = "except_all"
    EXCEPT = "except"
    INTERSECT_ALL = "intersect_all"
    INTERSECT = "intersect"


class MomentKind(StrEnum):
    """How a unit's rows in one group become one whole number."""

    SUM = "sum"  # clipped sum of clamped steps
    PRESENCE = "presence"  # 1 if the unit has a counted row in the group, else 0
    DISTINCT = "distinct"  # its distinct values, at most `partial_upper`; a group's total counts each value once
    RANK = "rank"  # its rows in bins of the declared interval; what is released is the number of one bin


class StepBase(StrEnum):
    """The unit of a fixed-point step: 10**-exponent (exact for DECIMAL and whole numbers) or 2**-exponent (DOUBLE)."""

    TEN = "ten"
    TWO = "two"


class RankSide(StrEnum):
    """What is looked for: a rank itself, an end of its interval, or the value that most rows have."""

    POINT = "point"
    LOWER = "lower"
    UPPER = "upper"
    MOST = "most"


class IntervalMethod(StrEnum):
    """How the 95 % interval of a noisy column was found."""

    EXACT_NOISE_LAW = "exact_noise_law"
    RECONCILED_NOISE_LAW = "reconciled_noise_law"  # of a total made from the noise of several sets
    SIMULATED_NOISE_LAW = "simulated_noise_law"
    RELEASED_RANKS = "released_ranks"  # between two more noisy values, charged with the first
    NONE = "none"


class Mechanism(StrEnum):
    """The noise law (OpenDP's samplers)."""

    DISCRETE_LAPLACE = "discrete_laplace"
    DISCRETE_GAUSSIAN = "discrete_gaussian"
    NOISY_MAX = "noisy_max"  # one choice among scored candidates
