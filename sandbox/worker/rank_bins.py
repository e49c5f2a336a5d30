"""Rows in bins: what a rank is chosen from, group by group.

Statement   Removing one unit changes the rows per bin in at most `groups_per_unit_max` groups, and in each by at most
            `partial_upper` rows altogether.
Reason      docs/proofs/quantiles.md, lemma 1: the groups are those the unit keeps for all moments, and in each it keeps at
            most m = `partial_upper` rows. Of a unit with more, rows in order are kept at even distances, from a start that
            is drawn by key: its own quantiles stay about where they are.
Units       rows. Counts are whole numbers; nothing is rounded to nearest.
"""

import duckdb

from sandbox.boundary import TOTAL_MAX, Measurement, Moment, MomentKind
from sandbox.privacy.ranks import CANDIDATES_MAX, candidates_of
from sandbox.worker.family_key import hmac_pads
from sandbox.worker.keys import TooManyKeys
from sandbox.worker.scalars import Rendering

ROWS_KEPT = "_ky_placed AS (SELECT * FROM temp.main._ky_placed)"
_KEPT_ROWS = (
    b"keyong kept rows of a rank v1\0"  # every use of the family secret has a label of its own
)


def has_ranks(measurement: Measurement) -> bool:
    """Tell whether a measurement looks for a rank."""
    return any(moment.kind is MomentKind.RANK for moment in measurement.moments)


def check_candidates(measurement: Measurement, groups: int) -> None:
    """Refuse (TooManyKeys) more candidates than a release has time for. Follows from the plan alone."""
    ranks = [m for m in measurement.moments if m.kind is MomentKind.RANK]
    if sum(groups * candidates_of(moment) for moment in ranks) > CANDIDATES_MAX:
        raise TooManyKeys("the groups have too many bins together")


def keep_rows(rows: str, rendering: Rendering, connection: duckdb.DuckDBPyConnection) -> None:
    """Keep the rows of the partials, each with its unit, group and steps: they are needed once more, by bins."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _ky_placed AS WITH {rows} SELECT * FROM _ky_placed",  # noqa: S608
        rendering.parameters,
    )


def rank_bins(
    measurement: Measurement, kept: str, groups: int, connection: duckdb.DuckDBPyConnection
) -> dict[int, tuple[int, ...]]:
    """Return the rows per bin for each rank among the moments, group after group. `kept` are the partials that count."""
    found: dict[int, tuple[int, ...]] = {}
    if not has_ranks(measurement):
        return found
    connection.execute(f"CREATE OR REPLACE TEMP TABLE _ky_counted AS SELECT u, g FROM {kept}")  # noqa: S608
    known: dict[object, tuple[int, ...]] = {}
    for index, moment in enumerate(measurement.moments):
        if moment.rank is None:
            continue
        # The answer and both ends of its interval, and all ranks of one column, are chosen from the same rows.
        alike = (moment.value, moment.row_lower, moment.row_upper, moment.partial_upper)
        width = (moment.step_base, moment.step_exponent, moment.rank.bin_steps)
        asked = (*alike, *width, moment.rank.choices)
        if asked not in known:
            known[asked] = _rows_per_bin(index, moment, groups, connection)
        found[index] = known[asked]
    return found


def _rows_per_bin(
    index: int, moment: Moment, groups: int, connection: duckdb.DuckDBPyConnection
) -> tuple[int, ...]:
    bins = candidates_of(moment)
    _choose_starts(index, moment, connection)
    most, width = moment.partial_upper, moment.rank.bin_steps if moment.rank else 1
    bin_ = f"CAST((s{index} - {moment.row_lower}) // {width} AS INTEGER)"
    # Of `n` rows the one at place p counts when p·m + start passes a multiple of n: m rows, whatever the start.
    upto = f"(upto * {most} + start) // n - ((upto - own) * {most} + start) // n"
    found = connection.execute(
        "WITH _ky_own AS (SELECT u, g, any_value(start) AS start, any_value(n) AS n,"  # noqa: S608
        f" {bin_} AS b, count(*)::HUGEINT AS own FROM _ky_placed JOIN _ky_counted USING (u, g)"
        f" LEFT JOIN _ky_starts USING (u, g) WHERE s{index} IS NOT NULL GROUP BY u, g, b),"
        " _ky_more AS (SELECT *, sum(own) OVER (PARTITION BY u, g ORDER BY b"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto FROM _ky_own WHERE n IS NOT NULL),"
        " _ky_bins AS (SELECT g, b, own AS taken FROM _ky_own WHERE n IS NULL"
        f" UNION ALL SELECT g, b, {upto} AS taken FROM _ky_more)"
        f" SELECT g, b, least(sum(taken), {TOTAL_MAX}) FROM _ky_bins GROUP BY g, b"
    ).fetchall()
    counts = [0] * (groups * bins)
    for group, place, rows in found:
        counts[group * bins + place] = int(rows)
    return tuple(counts)


def _choose_starts(index: int, moment: Moment, connection: duckdb.DuckDBPyConnection) -> None:
    """Draw a start for each unit that has more rows in a group than count, by HMAC over its original key and the group.

    The dense unit code takes no part: removing one person renumbers everyone after it.
    """
    inner, outer = hmac_pads(connection, _KEPT_ROWS)
    tag = "sha256($outer || unhex(sha256($inner || unit_key || canon)))"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _ky_starts AS"  # noqa: S608
        f" WITH _ky_full AS (SELECT u, g, count(s{index})::HUGEINT AS n FROM _ky_placed"
        f" JOIN _ky_counted USING (u, g) GROUP BY u, g HAVING count(s{index}) > {moment.partial_upper})"
        f" SELECT u, g, n, CAST('0x' || left({tag}, 16) AS UBIGINT)::HUGEINT % n AS start FROM _ky_full"
        " JOIN _ky_groups USING (g) JOIN _ky_units ON code = u",
        {"inner": inner, "outer": outer},
    )
