"""Count distinct values: each unit brings at most D of them to a group, chosen by key, and what is left is counted exactly.

Statement   Adding or removing one unit moves the count of each of its kept groups by at most D and no other count.
Reason      docs/proofs/distinct_values.md. The choice is a function of the unit's own values, its original key and the
            family's secret; a union of sets grows by at most as many elements as the set that joins it.
Not promised  The exact count where a unit has more than D values in a group: which of them count is chosen without regard
            to who else has them.
"""

from math import prod

import duckdb

from policies.terms import SqlType, TypeKind
from sandbox.boundary import TOTAL_MAX, GroupingSet, Measurement, Moment, MomentKind
from sandbox.privacy.grouping import finest_moments, sets_of
from sandbox.worker.family_key import hmac_pads
from sandbox.worker.set_totals import group_number

_KEPT_VALUES = b"keyong kept values v1\0"  # another message than those that keep groups and rows


def canonical_value(text: str, type_: SqlType) -> str:
    """Return a value as SQL in which equal means the same: one NaN, one zero."""
    if type_.kind is not TypeKind.DOUBLE:
        return text
    return f"(CASE WHEN isnan({text}) THEN 'nan'::DOUBLE ELSE {text} + 0.0::DOUBLE END)"


def own_values(index: int) -> str:
    """Return the distinct values of one unit in one group, as a list without NULL."""
    return f"list(DISTINCT s{index}) FILTER (WHERE s{index} IS NOT NULL)"


def distinct_totals(
    measurement: Measurement,
    kept: str,
    sizes: tuple[int, ...],
    connection: duckdb.DuckDBPyConnection,
) -> dict[int, tuple[int, ...]]:
    """Return the count of distinct values of each such moment over the groups of its set.

    `kept` are the rows (unit, finest group, partial…, values…) that count.
    """
    found: dict[int, tuple[int, ...]] = {}
    for index, moment in enumerate(finest_moments(measurement)):
        if moment.kind is not MomentKind.DISTINCT:
            continue
        _keep_values(index, moment, kept, connection)
        for each in sets_of(measurement):
            place = each.moments[index]
            if place is not None:
                found[place] = _counts(index, each, sizes, connection)
    return found


def present_distinct(
    measurement: Measurement,
    kept: str,
    groups: tuple[int, ...],
    connection: duckdb.DuckDBPyConnection,
) -> dict[int, tuple[int, ...]]:
    """Return the count of distinct values of each such moment over present groups, in the order of their numbers."""
    found: dict[int, tuple[int, ...]] = {}
    for index, moment in enumerate(measurement.moments):
        if moment.kind is MomentKind.DISTINCT:
            _keep_values(index, moment, kept, connection)
            counts = dict(
                connection.execute(
                    f"SELECT g, least(count(DISTINCT x), {TOTAL_MAX}) FROM _ky_kept{index} GROUP BY g"  # noqa: S608
                ).fetchall()
            )
            found[index] = tuple(int(counts.get(group, 0)) for group in groups)
    return found


def _keep_values(
    index: int, moment: Moment, kept: str, connection: duckdb.DuckDBPyConnection
) -> None:
    """Make the table of (group, value) pairs, at most D for each unit and group."""
    most = moment.partial_upper
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _ky_values{index} AS"  # noqa: S608
        f" SELECT u, g, len(x{index}) AS n, unnest(x{index}) AS x FROM {kept}"
    )
    inner, outer = hmac_pads(connection, _KEPT_VALUES)
    # Lengths first: no two messages share their bytes.
    written = "CAST(x AS VARCHAR)"
    message = f"$inner || unit_key || canon || encode(strlen({written}) || ':' || {written})"
    rank = f"sha256($outer || unhex(sha256({message})))"
    # INVARIANT: the order reads the unit's own key and value, never a code, a count or another unit.
    chosen = f"row_number() OVER (PARTITION BY u, g ORDER BY {rank}, x)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _ky_kept{index} AS"  # noqa: S608
        f" SELECT g, x FROM _ky_values{index} WHERE n <= {most}"
        f" UNION ALL SELECT g, x FROM (SELECT g, x, {chosen} AS place FROM _ky_values{index}"
        f" JOIN _ky_groups USING (g) JOIN _ky_units ON code = u WHERE n > {most})"
        f" WHERE place <= {most}",
        {"inner": inner, "outer": outer},
    )


def _counts(
    index: int, each: GroupingSet, sizes: tuple[int, ...], connection: duckdb.DuckDBPyConnection
) -> tuple[int, ...]:
    vector = [0] * prod(sizes[key] for key in each.keys)
    rows = connection.execute(
        f"SELECT h, least(count(DISTINCT x), {TOTAL_MAX})"  # noqa: S608
        f" FROM (SELECT {group_number(each.keys, sizes)} AS h, x FROM _ky_kept{index}) GROUP BY h"
    ).fetchall()
    for group, count in rows:
        vector[group] = int(count)
    return tuple(vector)
