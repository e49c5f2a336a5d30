"""Run a plan's measurement on the rows: per-unit partials, clipped, bounded to few groups, added up in whole numbers.

Statement   Adding or removing one privacy unit moves each vector of moments by at most its claimed sensitivity.
Reason      docs/proofs/bounded_aggregation.md, theorem 1. The comments below name the step of the proof.
Units       steps. The result depends neither on the number of threads nor on the order of rows: after the row clamp
            there are whole numbers only.
Not promised  A time that is independent of the data: the release instant is fixed outside.
"""

from dataclasses import dataclass, replace
from itertools import product

import duckdb

from policies.terms import Scalar
from sandbox.boundary import KEYS_MAX, TOTAL_MAX, GroupKey, Measurement, Moment, MomentKind
from sandbox.privacy.grouping import finest_moments
from sandbox.worker.distinct import canonical_value, distinct_totals, own_values, present_distinct
from sandbox.worker.family_key import hmac_pads
from sandbox.worker.keys import KeyDomain, declared_keys, groups_of
from sandbox.worker.present_keys import (
    PLACES,
    Present,
    key_text,
    load_present_keys,
    placed_among_present,
    present_totals,
    with_presence,
)
from sandbox.worker.rank_bins import (
    ROWS_KEPT,
    check_candidates,
    has_ranks,
    keep_rows,
    rank_bins,
)
from sandbox.worker.render import render_relation, row_reference, row_rendering
from sandbox.worker.scalars import Rendering
from sandbox.worker.set_totals import rows_of_sets, set_totals
from sandbox.worker.sql_types import listed, name_of
from sandbox.worker.steps import choice_steps, row_steps

_KEPT_GROUPS = b"keyong kept groups v1\0"  # the same family secret ranks rows at ingest: never the same message


@dataclass(frozen=True, slots=True)
class ExactAggregates:
    """What nobody may see: exact totals, one vector per moment, aligned with `keys`; of a rank the rows in each bin of the
    first key, then of the second … No wire format knows this type.

    With grouping sets the keys go set after set, and a moment's vector is as long as its set; `sizes` says how many values
    each key has.
    `present` is there exactly if nobody declared the groups: then even which groups there are is a secret.
    """

    keys: tuple[tuple[Scalar, ...], ...]
    moments: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...] = ()
    present: Present | None = None


def execute(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> ExactAggregates:
    """Return the exact totals of each moment over all declared keys, zeros included; without such over present groups.

    The connection has the snapshot's tables as its current schema and may make temporary tables.
    Refuses (TooManyKeys, NotRenderable) by the plan alone; a DuckDB error is a bug and becomes a failure without text.
    """
    if measurement.selection is not None:
        return _over_present(measurement, connection)
    domains = declared_keys(
        tuple(k for k in measurement.keys if isinstance(k, GroupKey)), connection
    )
    keys = tuple(groups_of(domains))
    sizes = tuple(len(domain.values) for domain in domains)
    check_candidates(measurement, len(keys))
    if not keys:
        return ExactAggregates((), tuple(() for _ in measurement.moments), sizes)
    _load_keys(domains, connection)
    finest = replace(measurement, moments=finest_moments(measurement))
    _make_partials(finest, _placed(domains), connection)
    kept = "_ky_partials"
    if len(keys) > measurement.groups_per_unit_max:
        kept = _kept(measurement, connection)
    if measurement.sets:
        keys = rows_of_sets(measurement, domains)
        totals = set_totals(measurement, kept, sizes, connection)
    else:
        totals = _totals(measurement, kept, len(keys), connection)
    special = distinct_totals(measurement, kept, sizes, connection)
    special |= rank_bins(measurement, kept, len(keys), connection)
    moments = tuple(special.get(place, vector) for place, vector in enumerate(totals))
    return ExactAggregates(keys, moments, sizes)


def _over_present(
    measurement: Measurement, connection: duckdb.DuckDBPyConnection
) -> ExactAggregates:
    """Return the totals over the groups that the rows hold. Each unit's presence counts as a moment of its own."""
    counted = with_presence(measurement)
    load_present_keys(counted, connection)
    _make_partials(counted, placed_among_present(len(counted.keys)), connection)
    kept = _kept(counted, connection)
    found = present_totals(counted, _sums(counted), kept, connection)
    distinct = present_distinct(measurement, kept, found.numbers, connection)
    moments = tuple(distinct.get(place, vector) for place, vector in enumerate(found.totals))
    return ExactAggregates(found.keys, moments, (), found.present)


def _kept(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> str:
    """Return the partials of the groups that each unit keeps."""
    _choose_groups(measurement, connection)
    return (
        "_ky_partials LEFT JOIN (SELECT DISTINCT u, true AS crowded FROM _ky_chosen) USING (u)"
        " LEFT JOIN (SELECT u, g, true AS chosen FROM _ky_chosen) USING (u, g)"
        " WHERE crowded IS NULL OR chosen"
    )


def _load_keys(domains: tuple[KeyDomain, ...], connection: duckdb.DuckDBPyConnection) -> None:
    for index, domain in enumerate(domains):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE _ky_key{index} AS SELECT unnest(CAST($n AS INTEGER[])) AS n,"
            f" unnest(CAST($x AS {name_of(domain.type)}[])) AS x",
            {"n": list(range(len(domain.values))), "x": listed(domain.values, domain.type)},
        )
    canon = [b"".join(parts) for parts in product(*(domain.canon for domain in domains))]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _ky_groups AS SELECT unnest(CAST($g AS INTEGER[])) AS g,"
        " unnest(CAST($canon AS BLOB[])) AS canon",
        {"g": list(range(len(canon))), "canon": canon},
    )


def _make_partials(
    measurement: Measurement, placed: tuple[str, str], connection: duckdb.DuckDBPyConnection
) -> None:
    """Make the table of clipped partials. rows: (unit, key…, value…) → (unit, group, steps…) → (unit, group, partial…)."""
    rendering = row_rendering(measurement.scans, {})
    columns = [f"{row_reference(measurement.unit)} AS u"]
    for index, key in enumerate(measurement.keys):
        columns.append(f"{key_text(key, rendering.render(key.expr))} AS k{index}")
    for index, moment in enumerate(measurement.moments):
        columns.append(f"{rendering.render(moment.value)} AS v{index}")
    rows = render_relation(measurement.relation, measurement.scans, rendering)
    # INVARIANT: every step depends on one row; every partial on the rows of one unit in one group.
    steps = [
        f"{_of_row(f'v{index}', moment, rendering)} AS s{index}"
        for index, moment in enumerate(measurement.moments)
    ]
    partials = [f"{_partial(i, moment)} AS p{i}" for i, moment in enumerate(measurement.moments)]
    partials += [
        f"{own_values(index)} AS x{index}"
        for index, moment in enumerate(measurement.moments)
        if moment.kind is MomentKind.DISTINCT
    ]
    joins, group = placed
    rows = (
        f"_ky_rows AS (SELECT {', '.join(columns)} FROM {rows}),"  # noqa: S608
        f" _ky_placed AS (SELECT u, {group} AS g, {', '.join(steps)} FROM _ky_rows{joins})"
    )
    if has_ranks(measurement):
        keep_rows(rows, rendering, connection)
        rows = ROWS_KEPT
    nonzero = " OR ".join(f"p{index} <> 0" for index in range(len(measurement.moments)))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _ky_partials AS"  # noqa: S608
        f" WITH {rows}, _ky_sums AS (SELECT u, g, {', '.join(partials)} FROM _ky_placed GROUP BY u, g)"
        f" SELECT * FROM _ky_sums WHERE {nonzero}",
        {} if has_ranks(measurement) else rendering.parameters,
    )


def _placed(domains: tuple[KeyDomain, ...]) -> tuple[str, str]:
    """Return the joins that place a row in its declared group, and the group's number; other rows vanish here."""
    joins, group = "", "0"
    for index, domain in enumerate(domains):
        joins += f" JOIN _ky_key{index} ON k{index} IS NOT DISTINCT FROM _ky_key{index}.x"
        group = f"({group} * {len(domain.values)} + _ky_key{index}.n)"
    return joins, f"CAST({group} AS INTEGER)"


def _of_row(value: str, moment: Moment, rendering: Rendering) -> str:
    if moment.kind is MomentKind.DISTINCT:
        return canonical_value(value, moment.value.type)
    if moment.rank is not None and moment.rank.choices:
        return choice_steps(value, moment, rendering)
    return row_steps(value, moment, rendering)


def _partial(index: int, moment: Moment) -> str:
    if moment.kind is MomentKind.RANK:
        raw = f"count(s{index})"
    elif moment.kind is MomentKind.PRESENCE:
        raw = f"CASE WHEN count(s{index}) > 0 THEN 1 ELSE 0 END"
    elif moment.kind is MomentKind.DISTINCT:
        raw = f"coalesce(len({own_values(index)}), 0)"
    else:
        raw = f"coalesce(sum(s{index}), 0)"
    return f"CAST(least(greatest({raw}, {moment.partial_lower}), {moment.partial_upper}) AS BIGINT)"


def _choose_groups(measurement: Measurement, connection: duckdb.DuckDBPyConnection) -> None:
    """Choose C groups for each unit that has more, by HMAC over the original unit key and the canonical group.

    The dense unit code takes no part: removing one person renumbers everyone after it, and every choice would change.
    """
    places = PLACES if measurement.selection else KEYS_MAX + 1
    inner, outer = hmac_pads(connection, _KEPT_GROUPS)
    tag = "sha256($outer || unhex(sha256($inner || unit_key || canon)))"
    # The first 64 bits of the tag, then the group's number in canonical order: one number, so that no two are equal.
    place = f"(CAST('0x' || left({tag}, 16) AS UBIGINT)::HUGEINT * {places} + g)"
    most = measurement.groups_per_unit_max
    # Ranked in a window: min(place, n) raises for n of a million, and only where some unit has more groups than that.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _ky_chosen AS SELECT u, g FROM ("  # noqa: S608
        f"SELECT u, g, row_number() OVER (PARTITION BY u ORDER BY {place}) AS nth"
        " FROM _ky_partials JOIN _ky_groups USING (g) JOIN _ky_units ON code = u"
        f" WHERE u IN (SELECT u FROM _ky_partials GROUP BY u HAVING count(*) > {most}))"
        f" WHERE nth <= {most}",
        {"inner": inner, "outer": outer},
    )


def _totals(
    measurement: Measurement, kept: str, groups: int, connection: duckdb.DuckDBPyConnection
) -> tuple[tuple[int, ...], ...]:
    """Return the totals, clamped so that the noise has room; a group without units is 0."""
    sums = ", ".join(_sums(measurement))
    found = connection.execute(f"SELECT g, {sums} FROM {kept} GROUP BY g").fetchall()  # noqa: S608
    vectors = [[0] * groups for _ in measurement.moments]
    for group, *totals in found:
        for vector, total in zip(vectors, totals, strict=True):
            vector[group] = int(total)
    return tuple(tuple(vector) for vector in vectors)


def _sums(measurement: Measurement) -> tuple[str, ...]:
    return tuple(
        f"least(greatest(sum(p{index}), -{TOTAL_MAX}), {TOTAL_MAX})"
        for index in range(len(measurement.moments))
    )
