"""The only types that cross the trust boundary.

    Plan       outside → inside   what to measure, how far one person may move it, what to spend, what to do afterwards
    Answered   inside → outside   a release and the noisy totals it was made from; noisy values only
    Reuse      outside → finisher stored noisy totals and what to make of them; that worker sees no data
    Release    finisher → outside noisy values only, with their error bars
    Failure    inside → outside   one word from a closed list; the reason stays inside
    Diagnosis  twin → outside     what a plan does on an empty and on a generated copy of the schema, which holds no data

An exact aggregate has no type here and therefore no way to become bytes.
"""

from dataclasses import dataclass
from enum import StrEnum

from policies.terms import Accountant, AggregateName, PrivacyLoss, Scalar, SqlType
from sandbox.algebra import Column, Expr, Relation
from sandbox.operators import IntervalMethod as IntervalMethod
from sandbox.operators import Mechanism as Mechanism
from sandbox.operators import MomentKind as MomentKind
from sandbox.operators import RankSide as RankSide
from sandbox.operators import StepBase as StepBase

PLAN_FORMAT = 1
UNIT_COLUMN = (
    "_ky_unit"  # the dense code of the privacy unit, stored in every private table at ingest
)

STEPS_MAX = 2**40  # a row value in fixed-point steps, see docs/proofs/bounded_aggregation.md
TOTAL_MAX = (
    2**62
)  # totals are clamped here before the noise, so i64 noise cannot saturate unnoticed
KEYS_MAX = 20_000  # declared groups in one release: bounds the time noise takes
SETS_MAX = 64  # grouping sets in one release: CUBE of six keys
SET_KEYS_MAX = (
    10  # keys that several grouping sets are made of: bounds the time their reconciliation takes
)


@dataclass(frozen=True, slots=True)
class ScanColumn:
    """A column the plan reads, with its declared type; the worker and the twin hold the snapshot to it."""

    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class TableScan:
    """A registered table and the columns of it that the plan reads. `private` tables also carry `UNIT_COLUMN`."""

    table: str
    private: bool
    columns: tuple[ScanColumn, ...]


@dataclass(frozen=True, slots=True)
class ListedValues:
    """A declared domain, value by value."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class ValueSeries:
    """A declared domain of whole numbers or days from `first` to `last`, both included."""

    first: Scalar
    last: Scalar


@dataclass(frozen=True, slots=True)
class ImageValues:
    """The values of an expression over the declared domains of the columns it reads: what a subquery computes."""

    expr: Expr
    sources: tuple["DomainSource", ...]


@dataclass(frozen=True, slots=True)
class EitherValues:
    """The values of several domains together: what a set operation brings together."""

    parts: tuple["ListedValues | ValueSeries | ImageValues | EitherValues", ...]


@dataclass(frozen=True, slots=True)
class DomainSource:
    """The declared domain of one column that a group key is computed from."""

    column: Column
    values: ListedValues | ValueSeries | ImageValues | EitherValues


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One group key and where its declared values come from: public facts only.

    `outcomes`  the key can only take these constants (boolean, CASE with constant results), or
    `sources`   the key's values are `expr` applied to the declared domains of its columns.
    `with_null` says whether NULL is itself a declared key.
    """

    expr: Expr
    outcomes: tuple[Scalar, ...]
    sources: tuple[DomainSource, ...]
    with_null: bool


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """One group key without declared values: which of them appear in the answer is decided by `Selection`."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class Rank:
    """Which value of a group is looked for, and among which candidates.

    The candidates are the bins of `bin_steps` steps from `row_lower` to `row_upper`. Looked for is the bin below whose end
    lie numerator/denominator of the rows, moved a known number of rows by `side` (sandbox/privacy/ranks.py).
    `choices` are the candidates of `RankSide.MOST`, and of nothing else: declared values, one bin each, in their own order.
    """

    numerator: int
    denominator: int
    side: RankSide
    bin_steps: int
    choices: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One vector of whole numbers over the groups, and everything its noise follows from.

    Units: `row_*` and `partial_*` in steps; a row value is `value` divided by base**-exponent and rounded to nearest.
    `sensitivity_l1` and `sensitivity_l2_squared` bound how far one privacy unit moves the whole vector.
    `scale` is the noise scale as `float.hex()`, so that both sides of the boundary compare it bit for bit.
    Of a `RANK`, partials are rows, and sensitivity and scale are those of its candidates' scores.
    """

    kind: MomentKind
    value: Expr
    step_base: StepBase
    step_exponent: int
    row_lower: int
    row_upper: int
    partial_lower: int
    partial_upper: int
    sensitivity_l1: int
    sensitivity_l2_squared: int
    loss: PrivacyLoss
    scale: str
    rank: Rank | None = None  # of a `RANK`, and of nothing else


@dataclass(frozen=True, slots=True)
class NoisyAggregate:
    """An aggregate of the query as a function of noisy moments (indices into `Plan.moments`).

    `offsets` says, moment by moment and in its steps, what each row lost before it was measured (a public middle).
    """

    name: AggregateName
    moments: tuple[int, ...]
    offsets: tuple[int, ...]
    type: SqlType
    value_lower: int  # the declared interval of one value in steps of the first moment, for AVG
    value_upper: int


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the answer: an expression over keys and noisy aggregates."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class SortTerm:
    """One ORDER BY term, over keys and noisy aggregates."""

    expr: Expr
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class PostProcess:
    """What happens to noisy values only, and is therefore free (Dwork and Roth 2014, Proposition 2.1).

    Without a `relation` the rows are the released ones; with one they are its rows, and `having` is a filter inside it.
    `sets` are the grouping sets the released rows are of, in their order and with repeats: indices into
    `Measurement.sets`. Without any there is one set of all keys.
    """

    relation: Relation | None
    outputs: tuple[Output, ...]
    having: Expr | None
    order: tuple[SortTerm, ...]
    limit: int | None
    offset: int
    sets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupingSet:
    """The group keys of one grouping set, in ascending order, and what is measured over their groups.

    `moments[j]` is the index of the moment that measures the j-th moment of the first set over the groups of this one;
    None where it is not measured and follows from finer sets.
    """

    keys: tuple[int, ...]
    moments: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """How groups that nobody declared are chosen: by a noisy count of their units, each unit in at most C groups.

    A group of fewer than `units_least` units is never shown; another one if its count of units plus noise of `scale`
    reaches `threshold`. Of the groups chosen, at most `keys_max` are shown. `loss` holds rho for the noise and delta for
    the chance that a group shows that only one unit brings about.
    """

    units_least: int
    threshold: int
    keys_max: int
    loss: PrivacyLoss
    scale: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """The part of a plan that fixes the distribution of its noisy cells.

    `unit` is the unit column of the relation; each privacy unit counts in at most `groups_per_unit_max` groups, which are
    the combinations of all keys, also where `sets` are coarser. Without `sets` there is one, of all keys and moments.
    `selection` is there exactly if some key is private; the other keys then only say which of their values count.
    """

    scans: tuple[TableScan, ...]
    relation: Relation
    unit: Column
    keys: tuple[GroupKey | PrivateKey, ...]
    groups_per_unit_max: int
    moments: tuple[Moment, ...]
    sets: tuple[GroupingSet, ...]
    selection: Selection | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a worker needs for one release, and nothing an operator wrote as text."""

    format: int
    dataset: str
    snapshot: str
    accountant: Accountant
    measurement: Measurement
    aggregates: tuple[NoisyAggregate, ...]
    post: PostProcess
    loss: PrivacyLoss


class ColumnRole(StrEnum):
    """What a column of the answer is."""

    KEY = "key"
    NOISY = "noisy"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class ReleaseColumn:
    """Type, role and interval method of one column of the answer."""

    type: SqlType
    role: ColumnRole
    interval: IntervalMethod


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the answer; for noisy columns its standard deviation and 95 % interval."""

    value: Scalar
    deviation: float | None
    lower: Scalar
    upper: Scalar


@dataclass(frozen=True, slots=True)
class NoiseUsed:
    """The noise one moment received: public facts, equal to what the plan claims."""

    moment: int
    mechanism: Mechanism
    scale: str
    loss: PrivacyLoss


@dataclass(frozen=True, slots=True)
class Release:
    """The answer: noisy cells, row by row, the noise that was used, and how its groups were chosen if nobody declared them."""

    columns: tuple[ReleaseColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    noise: tuple[NoiseUsed, ...]
    selection: Selection | None


@dataclass(frozen=True, slots=True)
class NoisyAggregates:
    """Noisy totals, of a rank the chosen bins, one vector per moment, aligned with `keys`. Everything computed from them
    alone is free.

    With grouping sets keys and vectors go set after set, as in the worker's exact totals; `sizes` are public.
    """

    keys: tuple[tuple[Scalar, ...], ...]
    moments: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a query worker gives: the answer, and all it was computed from, kept so that re-asking is free."""

    release: Release
    noisy: NoisyAggregates


@dataclass(frozen=True, slots=True)
class Pick:
    """One stored vector: the `moment`-th of the `source`-th stored totals."""

    source: int
    moment: int


@dataclass(frozen=True, slots=True)
class Reuse:
    """A plan to be finished from stored totals; `picks` are aligned with its moments, whose claims are the stored ones."""

    plan: Plan
    sources: tuple[NoisyAggregates, ...]
    picks: tuple[Pick, ...]


class Failure(StrEnum):
    """Why there is no release. Closed and without text: DuckDB's messages quote cell values."""

    PLAN_NOT_ACCEPTED = "plan_not_accepted"  # the worker's own derivation disagrees with the plan
    SNAPSHOT_MISMATCH = "snapshot_mismatch"  # the file is not the one the plan was made for
    RUN_FAILED = "run_failed"


class DiagnosisCode(StrEnum):
    """What the twin saw. The texts to these codes are ours (policies/messages.py)."""

    READY = "ready"
    DOES_NOT_BIND = "does_not_bind"
    TYPE_DIFFERS = "type_differs"
    RAISES = "raises"
    TOO_MANY_KEYS = "too_many_keys"
    PLAN_NOT_ACCEPTED = "plan_not_accepted"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The twin's verdict, and how many groups the plan declares, or shows at most: known without data."""

    code: DiagnosisCode
    keys: int
