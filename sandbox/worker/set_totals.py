"""Add up kept partials over each grouping set: what one unit may reach was chosen before, once, among the finest groups.

Statement   A unit's contribution to a coarser set follows from its kept partials alone: a sum is their sum in each group, a
            presence is 1 in each group one of them falls into. So the exact totals of sums are consistent.
Reason      docs/proofs/grouping_sets.md, lemma 1. No other choice and no other clip is made here.
"""

from itertools import product
from math import prod

import duckdb

from policies.terms import Scalar
from sandbox.boundary import KEYS_MAX, TOTAL_MAX, GroupingSet, Measurement, MomentKind
from sandbox.worker.keys import KeyDomain, TooManyKeys


def rows_of_sets(
    measurement: Measurement, domains: tuple[KeyDomain, ...]
) -> tuple[tuple[Scalar, ...], ...]:
    """Return the keys of every group, set after set; a key that is not of the set is NULL.

    Refuses (TooManyKeys) more groups than one release holds.
    """
    sizes = tuple(len(domain.values) for domain in domains)
    if sum(prod(sizes[key] for key in each.keys) for each in measurement.sets) > KEYS_MAX:
        raise TooManyKeys("the grouping sets make more groups than a release holds")
    missing: tuple[Scalar, ...] = (None,)
    return tuple(
        row
        for each in measurement.sets
        for row in product(
            *(d.values if index in each.keys else missing for index, d in enumerate(domains))
        )
    )


def set_totals(
    measurement: Measurement,
    kept: str,
    sizes: tuple[int, ...],
    connection: duckdb.DuckDBPyConnection,
) -> tuple[tuple[int, ...], ...]:
    """Return the totals of every moment over the groups of its set, clamped so that the noise has room.

    `kept` are the rows (unit, finest group, partial…) that count.
    """
    vectors: list[tuple[int, ...]] = [()] * len(measurement.moments)
    for each in measurement.sets:
        measured = [index for index, moment in enumerate(each.moments) if moment is not None]
        if not measured:  # every total of this set follows from finer ones
            continue
        found = connection.execute(_totals(measurement, each, measured, kept, sizes)).fetchall()
        filled = [[0] * prod(sizes[key] for key in each.keys) for _ in measured]
        for group, *totals in found:
            for vector, total in zip(filled, totals, strict=True):
                vector[group] = int(total)
        for index, vector in zip(measured, filled, strict=True):
            place = each.moments[index]
            if place is not None:
                vectors[place] = tuple(vector)
    return tuple(vectors)


def _totals(
    measurement: Measurement,
    each: GroupingSet,
    measured: list[int],
    kept: str,
    sizes: tuple[int, ...],
) -> str:
    partials = "".join(f", p{index}" for index in measured)
    rows = f"SELECT u, {group_number(each.keys, sizes)} AS h{partials} FROM {kept}"  # noqa: S608
    kinds = {index: measurement.moments[index].kind for index in measured}
    if MomentKind.PRESENCE in kinds.values() and len(each.keys) < len(sizes):
        # INVARIANT: a unit counts once in each group it is present in, however many of its finer groups lie there.
        own = "".join(
            f", {'max' if kind is MomentKind.PRESENCE else 'sum'}(p{index}) AS p{index}"
            for index, kind in kinds.items()
        )
        rows = f"SELECT u, h{own} FROM ({rows}) GROUP BY u, h"  # noqa: S608
    sums = "".join(
        f", least(greatest(sum(p{index}), -{TOTAL_MAX}), {TOTAL_MAX})" for index in measured
    )
    return f"SELECT h{sums} FROM ({rows}) GROUP BY h"  # noqa: S608


def group_number(keys: tuple[int, ...], sizes: tuple[int, ...]) -> str:
    """Return the number of the set's group as a function of the finest group's number."""
    text = "0"
    for key in keys:
        below = prod(sizes[key + 1 :])
        text = f"({text} * {sizes[key]} + g // {below} % {sizes[key]})"
    return f"CAST({text} AS INTEGER)"
