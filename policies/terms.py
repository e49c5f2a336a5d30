"""The vocabulary: one frozen type for each noun that more than one part of the house uses.

Every quantity is a whole number or an exact decimal: privacy loss in nano-units (1 epsilon = 10**9), delta in units of
10**-18, money in micro-yuan or fen. A float appears only where a library asks for one, rounded against the spender.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

NANO = 10**9
DELTA_UNIT = 10**18


class Accountant(StrEnum):
    """How losses of one account add up; fixed when the account is created, never converted."""

    PURE_EPS = "pure_eps"
    APPROX_ZCDP = "approx_zcdp"


@dataclass(frozen=True, slots=True)
class PrivacyLoss:
    """What one release costs the privacy unit under one accountant.

    Units: under `PURE_EPS`, `primary` is epsilon in nano and `delta` is 0; under `APPROX_ZCDP`, `primary` is rho in nano
    and `delta` counts 10**-18.
    """

    accountant: Accountant
    primary: int
    delta: int

    def __post_init__(self) -> None:
        if self.primary <= 0 or self.delta < 0:
            raise ValueError("a privacy loss is positive")
        if self.accountant is Accountant.PURE_EPS and self.delta != 0:
            raise ValueError("pure epsilon has no delta")


class TypeKind(StrEnum):
    """The column types a domain may declare; anything else in a source is refused at ingest."""

    BOOLEAN = "BOOLEAN"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    HUGEINT = "HUGEINT"
    DECIMAL = "DECIMAL"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A column or expression type. `precision` and `scale` are 0 except for DECIMAL(precision, scale)."""

    kind: TypeKind
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.kind is TypeKind.DECIMAL:
            return f"DECIMAL({self.precision},{self.scale})"
        return self.kind.value


# A value as the domain writes it. `bool` before `int` wherever they are told apart.
Scalar = bool | int | Decimal | float | str | date | datetime | None


@dataclass(frozen=True, slots=True)
class ValueBound:
    """The declared interval [lower, upper] of a column, in the column's own unit."""

    lower: Decimal | date | datetime
    upper: Decimal | date | datetime

    def __post_init__(self) -> None:
        if self.lower > self.upper:  # type: ignore[operator]
            raise ValueError("lower bound above upper bound")


@dataclass(frozen=True, slots=True)
class ContributionBound:
    """How much one privacy unit may weigh in one release from one table.

    rows_per_unit_max   enforced at ingest: surplus rows are dropped inside the unit by keyed rank
    rows_per_group_max  a unit's partial sum in one group is clipped to this many rows' worth
    groups_per_unit_max groups one unit may touch in one release, by keyed choice
    """

    rows_per_unit_max: int
    rows_per_group_max: int
    groups_per_unit_max: int

    def __post_init__(self) -> None:
        if min(self.rows_per_unit_max, self.rows_per_group_max, self.groups_per_unit_max) < 1:
            raise ValueError("a contribution bound is at least 1")


class ColumnUse(StrEnum):
    """What an operator may do with a column. There is no `project` for a private column: no row ever leaves."""

    GROUP = "group"
    FILTER = "filter"
    JOIN_KEY = "join_key"
    AGGREGATE = "aggregate"
    COUNT_DISTINCT = "count_distinct"


class AggregateName(StrEnum):
    """The aggregates of SQL that a policy may grant."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    VAR_POP = "var_pop"
    VAR_SAMP = "var_samp"
    STDDEV_POP = "stddev_pop"
    STDDEV_SAMP = "stddev_samp"
    MEDIAN = "median"
    QUANTILE_CONT = "quantile_cont"
    QUANTILE_DISC = "quantile_disc"
    MIN = "min"
    MAX = "max"
    MODE = "mode"
    COVAR_POP = "covar_pop"
    COVAR_SAMP = "covar_samp"
    CORR = "corr"
    REGR_SLOPE = "regr_slope"
    REGR_INTERCEPT = "regr_intercept"
    REGR_R2 = "regr_r2"
    REGR_COUNT = "regr_count"
    REGR_AVGX = "regr_avgx"
    REGR_AVGY = "regr_avgy"
    REGR_SXX = "regr_sxx"
    REGR_SYY = "regr_syy"
    REGR_SXY = "regr_sxy"
    BOOL_AND = "bool_and"
    BOOL_OR = "bool_or"


class PurposeClass(StrEnum):
    """Decides whether use may cost money (发改价格〔2025〕65号: governance and public good are free)."""

    GOVERNANCE = "governance"
    PUBLIC_GOOD = "public_good"
    INDUSTRY = "industry"


class PartyType(StrEnum):
    """The legal kind of a payee; it decides the channel its share takes."""

    ADMIN_UNIT = "admin_unit"
    PUBLIC_INSTITUTION = "public_institution"
    STATE_ENTERPRISE = "state_enterprise"
    ENTERPRISE = "enterprise"
    PLATFORM = "platform"
