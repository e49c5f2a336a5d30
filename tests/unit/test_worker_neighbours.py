"""One person moves each vector of moments at most as far as the plan claims, exactly that far on tight cases.

Both neighbours are brought in from scratch, so removing a person shifts the codes of everyone after them. Each mutant is one
plausible mistake; the same check must find it, or it has no power.
"""

import random
from collections.abc import Callable
from dataclasses import replace

import duckdb
import pytest

from sandbox.boundary import Measurement
from sandbox.worker.execute import execute
from tests.unit.worker_world import REGIONS, ZCDP, Row, Shape, plan_of, snapshot, some_rows

Spoil = Callable[[duckdb.DuckDBPyConnection], object]


def nothing(_: duckdb.DuckDBPyConnection) -> None:
    """Leave the snapshot as ingest made it."""


def totals(measurement: Measurement, rows: list[Row], spoil: Spoil) -> tuple[tuple[int, ...], ...]:
    with snapshot(rows) as connection:
        spoil(connection)
        return execute(measurement, connection).moments


def moves(
    measurement: Measurement, rows: list[Row], spoil: Spoil = nothing
) -> list[tuple[int, int]]:
    """Return, for each moment, the largest L1 and squared L2 move over all units that can be removed."""
    full = totals(measurement, rows, spoil)
    found = [(0, 0)] * len(full)
    for unit in sorted({row[0] for row in rows}):
        fewer = totals(measurement, [row for row in rows if row[0] != unit], spoil)
        for index, (a, b) in enumerate(zip(full, fewer, strict=True)):
            steps = [abs(x - y) for x, y in zip(a, b, strict=True)]
            l1, l2 = found[index]
            found[index] = max(l1, sum(steps)), max(l2, sum(step**2 for step in steps))
    return found


def claims(measurement: Measurement) -> list[tuple[int, int]]:
    return [(m.sensitivity_l1, m.sensitivity_l2_squared) for m in measurement.moments]


def holds(measurement: Measurement, rows: list[Row], spoil: Spoil = nothing) -> bool:
    """Compare the moves with the claims of the untouched plan."""
    pairs = zip(moves(measurement, rows, spoil), claims(measurement), strict=True)
    return all(l1 <= c1 and l2 <= c2 for (l1, l2), (c1, c2) in pairs)


def tight_rows() -> list[Row]:
    """Return a heavy unit at the upper bounds, one at the lower bounds, and light ones around them."""
    rows: list[Row] = [("m", r, 1, 1e9, "99.00", 10**6) for r in (*REGIONS, None) for _ in range(9)]
    rows += [("n", r, 1, -1e9, "-99.00", -(10**6)) for r in (*REGIONS, None) for _ in range(9)]
    for unit in "abxy":
        rows += [(unit, r, 1, 5.0, "1.00", 1) for r in REGIONS]
    return rows


@pytest.mark.parametrize("seed", range(6))
def test_no_unit_moves_a_moment_further_than_claimed(seed):
    dice = random.Random(seed)
    shape = Shape(
        rows_per_group_max=dice.randrange(1, 4),
        groups_per_unit_max=dice.randrange(1, 6),
        loss=dice.choice((Shape().loss, ZCDP)),
    )
    assert holds(plan_of(shape).measurement, some_rows(100 + seed, 10))


@pytest.mark.parametrize(("groups", "rows_per_group"), [(1, 1), (2, 2), (2, 3), (4, 1)])
def test_the_claims_are_attained(groups, rows_per_group):
    """Noise for more than this would be wasted; noise for less would be a lie."""
    shape = Shape(rows_per_group_max=rows_per_group, groups_per_unit_max=groups)
    measurement = plan_of(shape).measurement
    assert moves(measurement, tight_rows()) == claims(measurement)


def loosened(name: str, by: int) -> Callable[[Measurement], Measurement]:
    """Clip one step further than claimed."""
    return lambda found: replace(
        found, moments=tuple(replace(m, **{name: getattr(m, name) + by}) for m in found.moments)
    )


MUTANTS: dict[str, tuple[Callable[[Measurement], Measurement], Spoil]] = {
    "the upper clip loosened by one": (loosened("partial_upper", 1), nothing),
    "the lower clip loosened by one": (loosened("partial_lower", -501), nothing),
    "one group more for each unit": (
        lambda found: replace(found, groups_per_unit_max=found.groups_per_unit_max + 1),
        nothing,
    ),
    "groups chosen by the dense code": (
        lambda found: found,
        lambda connection: connection.execute(
            "UPDATE _ky_units SET unit_key = encode(code::VARCHAR)"
        ),
    ),
    "groups chosen by the number of people": (
        lambda found: found,
        lambda connection: connection.execute(
            "UPDATE _ky_units SET unit_key = unit_key || encode((SELECT count(*) FROM _ky_units)::VARCHAR)"
        ),
    ),
    "every row its own unit": (
        lambda found: found,
        lambda connection: connection.execute(
            "UPDATE visits SET _ky_unit = 1000 + rowid;"
            " INSERT INTO _ky_units SELECT _ky_unit, encode(_ky_unit::VARCHAR) FROM visits"
        ),
    ),
    "rows of others that depend on one person": (
        lambda found: found,
        lambda connection: connection.execute(
            "UPDATE visits SET cost = cost + 1 WHERE (SELECT count(*) FROM visits WHERE income > 1e8) > 0"
        ),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_is_found(mutant):
    mutate, spoil = MUTANTS[mutant]
    measurement = plan_of(Shape()).measurement
    # untouched, the same rows pass: `test_the_claims_are_attained` has them
    assert not holds(mutate(measurement), tight_rows(), spoil)


def test_the_row_clamp_alone_is_no_bound():
    """The proof uses the partial clip only: looser rows under the same clip move nothing further."""
    measurement = plan_of(Shape()).measurement
    wide = replace(
        measurement,
        moments=tuple(replace(m, row_upper=m.row_upper * 50 + 7) for m in measurement.moments),
    )
    assert holds(wide, tight_rows())


def test_what_is_released_follows_from_the_moments_alone():
    """Key order and key set are the same for neighbours, also when a person is the only one of a key."""
    rows = some_rows(1, 6)
    rows = [*rows, ("only one", "west", 1, 1.0, "1.00", 1)]
    measurement = plan_of(Shape()).measurement
    with snapshot(rows) as one, snapshot(rows[:-1]) as other, snapshot([]) as empty:
        assert execute(measurement, one).keys == execute(measurement, other).keys
        assert execute(measurement, one).keys == execute(measurement, empty).keys
