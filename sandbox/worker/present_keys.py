"""Groups that nobody declared: which of them the rows hold, in an order and with a spelling that no row decides.

Statement   Whether a unit keeps a group depends on its own rows, its key, the group's canonical bytes and the family's
            secret; never on which other groups there are.
Reason      A group's number serves to join and to break ties between equal 64-bit tags, and the numbers follow the order of
            the canonical bytes, so of two groups the same one always comes first.
"""

from dataclasses import dataclass, replace

import duckdb

from policies.terms import Scalar
from sandbox.algebra import Literal
from sandbox.boundary import GroupKey, Measurement, Moment, MomentKind, PrivateKey, StepBase
from sandbox.worker.canonical_sql import canonical_sql, settled_key
from sandbox.worker.family_key import hmac_pads
from sandbox.worker.keys import declared_keys, settled
from sandbox.worker.render import render_relation, row_rendering
from sandbox.worker.scalars.dates import within_years
from sandbox.worker.sql_types import INTEGER, listed, name_of

_SHOWN_GROUPS = b"keyong shown groups v1\0"  # another message than those that keep groups and rows
PLACES = (
    2**40
)  # more groups than rows can make; a tag of 64 bits and a group's number still fit one HUGEINT


@dataclass(frozen=True, slots=True)
class Present:
    """Of each present group: how many units it has, and its place when there are more groups than may be shown."""

    units: tuple[int, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PresentTotals:
    """The present groups with enough units to be looked at, in canonical order, and their exact totals."""

    numbers: tuple[int, ...]
    keys: tuple[tuple[Scalar, ...], ...]
    totals: tuple[tuple[int, ...], ...]
    present: Present


def key_text(key: GroupKey | PrivateKey, text: str) -> str:
    """Return a row's key, settled: one spelling for each value."""
    chosen = settled_key if isinstance(key, PrivateKey) else settled
    return chosen(text, key.expr.type)


def with_presence(measurement: Measurement) -> Measurement:
    """Return the measurement with one more moment, the last: 1 for each unit that has a row in a group."""
    selection = measurement.selection
    if selection is None:
        raise ValueError("only groups that nobody declared are counted")
    presence = Moment(
        kind=MomentKind.PRESENCE,
        value=Literal(INTEGER, 1),
        step_base=StepBase.TEN,
        step_exponent=0,
        row_lower=0,
        row_upper=1,
        partial_lower=0,
        partial_upper=1,
        sensitivity_l1=measurement.groups_per_unit_max,
        sensitivity_l2_squared=measurement.groups_per_unit_max,
        loss=selection.loss,
        scale=selection.scale,
    )
    return replace(measurement, moments=(*measurement.moments, presence))


def load_present_keys(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of present groups. rows: (g, x0, x1, …, canon)

    A row with a value that a declared key does not list, or with a day beyond the years 1 to 9999, is in no group.
    """
    rendering = row_rendering(measurement.scans, {})
    types = tuple(key.expr.type for key in measurement.keys)
    columns = ", ".join(
        f"{key_text(key, rendering.render(key.expr))} AS k{index}"
        for index, key in enumerate(measurement.keys)
    )
    rows = render_relation(measurement.relation, measurement.scans, rendering)
    names = [f"k{index}" for index in range(len(types))]
    joins = "".join(
        _declared(index, key, connection)
        for index, key in enumerate(measurement.keys)
        if isinstance(key, GroupKey)
    )
    known = " AND ".join(
        f"(k{index} IS NULL OR {within_years(f'k{index}', type_)})"
        for index, type_ in enumerate(types)
    )
    canon = " || ".join(canonical_sql(f"x{index}", type_) for index, type_ in enumerate(types))
    as_x = ", ".join(f"{name} AS x{index}" for index, name in enumerate(names))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _ky_groups AS"  # noqa: S608
        f" WITH _ky_rows AS (SELECT {columns} FROM {rows}),"
        f" _ky_present AS (SELECT DISTINCT {as_x} FROM _ky_rows{joins} WHERE {known}),"
        f" _ky_spelled AS (SELECT *, {canon} AS canon FROM _ky_present)"
        " SELECT row_number() OVER (ORDER BY canon) - 1 AS g, * FROM _ky_spelled",
        rendering.parameters,
    )


def _declared(index: int, key: GroupKey, connection: duckdb.DuckDBPyConnection) -> str:
    """Load a declared key's values and return the join that drops every other value."""
    (domain,) = declared_keys((key,), connection)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _ky_key{index} AS"
        f" SELECT unnest(CAST($x AS {name_of(domain.type)}[])) AS x",
        {"x": listed(domain.values, domain.type)},
    )
    return f" JOIN _ky_key{index} ON k{index} IS NOT DISTINCT FROM _ky_key{index}.x"


def placed_among_present(keys: int) -> tuple[str, str]:
    """Return the join that places a row in its present group, and the group's number."""
    same = " AND ".join(f"k{i} IS NOT DISTINCT FROM _ky_groups.x{i}" for i in range(keys))
    return f" JOIN _ky_groups ON {same}", "_ky_groups.g"


def present_totals(
    measurement: Measurement,
    sums: tuple[str, ...],
    kept: str,
    connection: duckdb.DuckDBPyConnection,
) -> PresentTotals:
    """Return keys, totals and presence of every group with enough units to be looked at."""
    selection = measurement.selection
    if selection is None:
        raise ValueError("only groups that nobody declared are looked for")
    keys = [f"x{index}" for index in range(len(measurement.keys))]
    totals = ", ".join(f"{text} AS t{index}" for index, text in enumerate(sums))
    last = len(sums) - 1
    inner, outer = hmac_pads(connection, _SHOWN_GROUPS)
    place = "sha256($outer || unhex(sha256($inner || canon)))"
    found = connection.execute(
        f"SELECT g, {place}, {', '.join(f't{i}' for i in range(last + 1))}, {', '.join(keys)}"  # noqa: S608
        f" FROM (SELECT g, {totals} FROM {kept} GROUP BY g) JOIN _ky_groups USING (g)"
        f" WHERE t{last} >= {selection.units_least}"
        f" ORDER BY {', '.join(f'{name} NULLS LAST' for name in keys)}",
        {"inner": inner, "outer": outer},
    ).fetchall()
    units = tuple(int(row[last + 2]) for row in found)
    return PresentTotals(
        numbers=tuple(int(row[0]) for row in found),
        keys=tuple(tuple(row[last + 3 :]) for row in found),
        totals=tuple(tuple(int(row[i + 2]) for row in found) for i in range(last)),
        present=Present(units, tuple(str(row[1]) for row in found)),
    )
