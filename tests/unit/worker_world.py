"""The lab: a snapshot in memory, plans over it, and the worker's own functions in this process, up to exact totals.

Noise-off is no plan and no flag: a test calls `execute` itself. The snapshot is numbered here as ingest numbers it, anew for
every raw input, so that removing one unit shifts the codes of all others.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import duckdb

from policies.terms import NANO, Accountant, AggregateName, PrivacyLoss, SqlType, TypeKind
from sandbox.algebra import AggregateRef, Column, Expr, KeyRef, Relation, Scan
from sandbox.boundary import (
    UNIT_COLUMN,
    DomainSource,
    GroupKey,
    ListedValues,
    Measurement,
    Moment,
    NoisyAggregate,
    Output,
    Plan,
    PostProcess,
    ScanColumn,
    StepBase,
    TableScan,
)
from sandbox.privacy import composition, contribution, measurements
from sandbox.privacy.aggregates import AGGREGATES, Argument, MomentSpec, Steps
from sandbox.privacy.ranks import weight
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.render import quoted

BOOLEAN, INTEGER, BIGINT, HUGEINT, DOUBLE, VARCHAR, DATE, TIMESTAMP = (
    SqlType(kind)
    for kind in (
        TypeKind.BOOLEAN,
        TypeKind.INTEGER,
        TypeKind.BIGINT,
        TypeKind.HUGEINT,
        TypeKind.DOUBLE,
        TypeKind.VARCHAR,
        TypeKind.DATE,
        TypeKind.TIMESTAMP,
    )
)
MONEY = SqlType(TypeKind.DECIMAL, 12, 2)
SECRET = "5a" * 32

VISITS = {"region": VARCHAR, "code": INTEGER, "income": DOUBLE, "cost": MONEY, "units": BIGINT}
# One row: (unit key, region, code, income, cost, units)
Row = tuple[str, str | None, int | None, float | None, str | None, int | None]

UNIT = Column(0, UNIT_COLUMN, INTEGER)
REGION, CODE, INCOME, COST, UNITS = (Column(0, name, type_) for name, type_ in VISITS.items())
VISIT_SCAN = TableScan("visits", True, tuple(ScanColumn(n, t) for n, t in VISITS.items()))
REGIONS = ("east", "north", "south", "west")
BY_REGION = GroupKey(REGION, (), (DomainSource(REGION, ListedValues(REGIONS)),), True)
PURE = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
ZCDP = PrivacyLoss(Accountant.APPROX_ZCDP, NANO // 10, 0)

WHOLE = Steps(StepBase.TEN, 0)
CENTS = Steps(StepBase.TEN, 2)
SIXTEENTHS = Steps(StepBase.TWO, 4)
COUNT_ROWS = (AggregateName.COUNT, Argument(None, None, WHOLE, 0, 1))
COUNT_UNITS = (AggregateName.COUNT_DISTINCT, Argument(None, None, WHOLE, 0, 1))
SUM_COST = (AggregateName.SUM, Argument(COST, None, CENTS, -500, 2_000))
SUM_UNITS = (AggregateName.SUM, Argument(UNITS, None, WHOLE, -3, 9))
AVG_INCOME = (AggregateName.AVG, Argument(INCOME, None, SIXTEENTHS, 0, 100 * 16))
EVERYTHING = (COUNT_ROWS, COUNT_UNITS, SUM_COST, SUM_UNITS, AVG_INCOME)

ONE_TABLE = Scan(0)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a test's plan measures and how far one unit may move it."""

    aggregates: tuple[tuple[AggregateName, Argument], ...] = EVERYTHING
    keys: tuple[GroupKey, ...] = (BY_REGION,)
    rows_per_group_max: int = 2
    groups_per_unit_max: int = 2
    loss: PrivacyLoss = PURE
    relation: Relation = ONE_TABLE
    scans: tuple[TableScan, ...] = (VISIT_SCAN,)


def moment_of(spec: MomentSpec, shape: Shape, loss: PrivacyLoss) -> Moment:
    """Bound and price one moment as the compiler does."""
    lower, upper = contribution.bound_partials(
        spec.kind, spec.row_lower, spec.row_upper, shape.rows_per_group_max
    )
    groups = shape.groups_per_unit_max
    if spec.rank is not None:
        moved = contribution.rank_sensitivity(spec.rank, shape.rows_per_group_max, groups)
        scale = measurements.calibrate_choice(loss.accountant, moved.l1 // groups, groups, loss)
    else:
        moved = contribution.sensitivity(lower, upper, groups)
        scale = measurements.calibrate(loss.accountant, moved.l1, moved.l2_squared, loss)
    return Moment(
        spec.kind,
        spec.value,
        spec.step_base,
        spec.step_exponent,
        spec.row_lower,
        spec.row_upper,
        lower,
        upper,
        moved.l1,
        moved.l2_squared,
        loss,
        scale,
        spec.rank,
    )


def plan_of(shape: Shape) -> Plan:
    """Return a plan that answers its keys and aggregates as they are."""
    specs: list[MomentSpec] = []
    aggregates = []
    for name, argument in shape.aggregates:
        own = AGGREGATES[name].moments(argument)
        indices = tuple(range(len(specs), len(specs) + len(own)))
        specs += own
        type_ = AGGREGATES[name].result_type(argument.value.type if argument.value else None)
        aggregates.append(
            NoisyAggregate(
                name,
                indices,
                tuple(spec.offset for spec in own),
                type_,
                argument.row_lower,
                argument.row_upper,
            )
        )
    shares = composition.shares(shape.loss, tuple(weight(spec.rank) for spec in specs))
    moments = tuple(moment_of(s, shape, loss) for s, loss in zip(specs, shares, strict=True))
    outputs: list[Expr] = [KeyRef(i, key.expr.type) for i, key in enumerate(shape.keys)]
    outputs += [AggregateRef(i, found.type) for i, found in enumerate(aggregates)]
    measurement = Measurement(
        shape.scans, shape.relation, UNIT, shape.keys, shape.groups_per_unit_max, moments, (), None
    )
    post = PostProcess(None, tuple(map(Output, outputs)), None, (), None, 0, ())
    return Plan(
        1,
        "clinic",
        "ab" * 32,
        shape.loss.accountant,
        measurement,
        tuple(aggregates),
        post,
        shape.loss,
    )


def with_post(plan: Plan, *outputs: Expr, **changes: object) -> Plan:
    """Return the plan with other outputs, HAVING, ORDER BY or LIMIT."""
    post = replace(plan.post, outputs=tuple(map(Output, outputs)) or plan.post.outputs)
    return replace(plan, post=replace(post, **changes))  # type: ignore[arg-type]


def meta_of(loss: PrivacyLoss = PURE) -> dict[str, str]:
    """Return what the holder fixed at ingest."""
    return {
        "format_version": "1",
        "dataset": "clinic",
        "snapshot": "ab" * 32,
        "family": "patients",
        "accountant": loss.accountant.value,
        "loss_per_query_max": str(loss.primary),
        "delta_per_query_max": str(loss.delta),
        "family_secret": SECRET,
    }


def snapshot(
    rows: Iterable[Row], threads: int = 1, meta: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Bring the rows in from scratch: units numbered by their keys' order, then stored."""
    connection = duckdb.connect(":memory:", config={"threads": threads})
    definitions = ", ".join(f"{quoted(name)} {type_}" for name, type_ in VISITS.items())
    connection.execute(f"CREATE TABLE visits ({definitions}, {UNIT_COLUMN} INTEGER NOT NULL)")
    connection.execute("CREATE TABLE _ky_units (code INTEGER, unit_key BLOB)")
    connection.execute("CREATE TABLE _ky_meta (name VARCHAR, value VARCHAR)")
    rows = list(rows)
    codes = {key: code for code, key in enumerate(sorted({row[0] for row in rows}))}
    for name, value in (meta or meta_of()).items():
        connection.execute("INSERT INTO _ky_meta VALUES (?, ?)", [name, value])
    insert(connection, "_ky_units", [(code, key.encode()) for key, code in codes.items()])
    stored = [(*row[1:4], None if row[4] is None else Decimal(row[4]), row[5]) for row in rows]
    insert(
        connection,
        "visits",
        [(*row, codes[key]) for row, (key, *_) in zip(stored, rows, strict=True)],
    )
    return connection


def insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[object, ...]]
) -> None:
    """Insert many rows in one statement: one at a time costs a millisecond each."""
    if not rows:
        return
    types = [
        type_
        for (type_,) in connection.execute(
            "SELECT data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
            [table],
        ).fetchall()
    ]
    columns = ", ".join(f"unnest(CAST($c{i} AS {type_}[]))" for i, type_ in enumerate(types))
    values = {f"c{i}": [row[i] for row in rows] for i in range(len(types))}
    connection.execute(f"INSERT INTO {table} SELECT {columns}", values)


def some_rows(seed: int, units: int = 30) -> list[Row]:
    """Return rows with NULL and undeclared keys, NaN and infinities, and one heavy unit."""
    dice = random.Random(seed)
    rows: list[Row] = []
    for unit in range(units):
        for _ in range(60 if unit == 3 else dice.randrange(6)):
            rows.append(
                (
                    f"unit {unit:03}",
                    dice.choice([*REGIONS, "nowhere", None]),
                    dice.choice([None, *range(-3, 12)]),
                    dice.choice([None, float("nan"), float("inf"), -2.5, dice.random() * 120]),
                    dice.choice([None, "-7.25", f"{dice.randrange(4000) / 100:.2f}"]),
                    dice.choice([None, *range(-9, 30)]),
                )
            )
    return rows


def run(shape: Shape, rows: list[Row], threads: int = 1) -> ExactAggregates:
    """Return the exact totals that a shape's plan measures over the rows."""
    with snapshot(rows, threads) as connection:
        return execute(plan_of(shape).measurement, connection)
