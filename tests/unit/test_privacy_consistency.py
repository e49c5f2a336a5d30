"""Reconciled totals are the least squares estimate, add up to the last unit, and are as exact as they say.

The oracle solves the normal equations of the whole table in fractions; it knows nothing of parts, weights or keys.
"""

import random
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any
from unittest.mock import patch

import pytest

from sandbox.boundary import Mechanism
from sandbox.privacy import consistency
from sandbox.privacy.consistency import Keys, Measured, reconcile, subsets, weights_of
from sandbox.privacy.spread import Noisy, spread_of, variances

SIZES = {0: 3, 1: 2, 2: 4}
CUBE = tuple(reversed(tuple(subsets((0, 1, 2)))))
SHAPES: dict[str, tuple[Keys, ...]] = {
    "rollup": ((0, 1, 2), (0, 1), (0,), ()),
    "cube": CUBE,
    "cells and the total": ((0, 1, 2), ()),
    "no finest set": ((0, 1), (1, 2), (2,)),
    "apart": ((0,), (2,)),
}


def cells(keys: Keys) -> list[tuple[int, ...]]:
    return list(product(*(range(SIZES[key]) for key in keys)))


FINEST = cells((0, 1, 2))


def total_of(table: dict[tuple[int, ...], int], keys: Keys) -> tuple[int, ...]:
    sums = dict.fromkeys(cells(keys), 0)
    for cell, value in table.items():
        sums[tuple(cell[key] for key in keys)] += value
    return tuple(sums.values())


def some_table(dice: random.Random) -> dict[tuple[int, ...], int]:
    return {cell: dice.randint(-50, 1_000) for cell in FINEST}


def least_squares(
    measured: list[tuple[Keys, tuple[int, ...], Fraction]], wanted: Keys
) -> list[Fraction]:
    """Solve A'WA x = A'Wy over all finest cells; directions nobody measured are held at 0, they show in no wanted set."""
    size = len(FINEST)
    matrix = [[Fraction(int(i == j), 10**12) for j in range(size)] for i in range(size)]
    right = [Fraction(0)] * size
    for keys, vector, variance in measured:
        rows = {cell: place for place, cell in enumerate(cells(keys))}
        group = [rows[tuple(cell[key] for key in keys)] for cell in FINEST]
        for i in range(size):
            right[i] += vector[group[i]] / variance
            for j in range(size):
                if group[i] == group[j]:
                    matrix[i][j] += 1 / variance
    solution = solved(matrix, right)
    sums = dict.fromkeys(cells(wanted), Fraction(0))
    for cell, value in zip(FINEST, solution, strict=True):
        sums[tuple(cell[key] for key in wanted)] += value
    return list(sums.values())


def solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place in range(len(rows)):
        pivot = next(i for i in range(place, len(rows)) if rows[i][place])
        rows[place], rows[pivot] = rows[pivot], rows[place]
        rows[place] = [value / rows[place][place] for value in rows[place]]
        for i, row in enumerate(rows):
            if i != place and row[place]:
                rows[i] = [a - row[place] * b for a, b in zip(row, rows[place], strict=True)]
    return [row[-1] for row in rows]


def weighted(sets: tuple[Keys, ...], spread: list[int]) -> tuple[int, ...]:
    return weights_of(tuple(map(float, spread)), tuple(len(cells(keys)) for keys in sets))


@pytest.mark.parametrize("sets", SHAPES.values(), ids=SHAPES)
def test_the_estimate_is_generalised_least_squares(sets: tuple[Keys, ...]) -> None:
    dice = random.Random(7)
    table = some_table(dice)
    spread = [dice.choice((4, 25, 900)) for _ in sets]
    noisy = [
        tuple(total + dice.randint(-40, 40) for total in total_of(table, keys)) for keys in sets
    ]
    measured = tuple(
        Measured(keys, weight, vector)
        for keys, weight, vector in zip(sets, weighted(sets, spread), noisy, strict=True)
    )
    oracle = list(zip(sets, noisy, map(Fraction, spread), strict=True))
    for keys, vector in zip(sets, reconcile(SIZES, measured, sets), strict=True):
        for mine, best in zip(vector, least_squares(oracle, keys), strict=True):
            assert abs(mine - best) <= Fraction(2 ** len(keys), 2) + Fraction(1, 100)


def test_other_weights_are_not_least_squares() -> None:
    """The twin: with equal weights the oracle disagrees by more than rounding."""
    table = some_table(random.Random(8))
    sets: tuple[Keys, ...] = ((0, 1, 2), ())
    noisy = [total_of(table, (0, 1, 2)), (total_of(table, ())[0] + 1_000,)]
    measured = tuple(Measured(keys, 1, vector) for keys, vector in zip(sets, noisy, strict=True))
    (best,) = least_squares(
        [(sets[0], noisy[0], Fraction(1)), (sets[1], noisy[1], Fraction(1))], ()
    )
    assert abs(reconcile(SIZES, measured, ((),))[0][0] - best) > 100


@pytest.mark.parametrize("seed", range(20))
def test_totals_are_the_sums_of_their_parts(seed: int) -> None:
    dice = random.Random(seed)
    sets = tuple(dice.sample(CUBE, dice.randint(2, 8)))
    wanted = tuple(k for k in CUBE if any(set(k) <= set(each) for each in sets))
    measured = tuple(
        Measured(keys, dice.randint(1, 2**24), tuple(dice.randint(-99, 99) for _ in cells(keys)))
        for keys in sets
    )
    found = dict(zip(wanted, reconcile(SIZES, measured, wanted), strict=True))
    for fine, vector in found.items():
        for coarse in (keys for keys in wanted if set(keys) <= set(fine)):
            sums = dict.fromkeys(cells(coarse), 0)
            for cell, value in zip(cells(fine), vector, strict=True):
                sums[tuple(cell[fine.index(key)] for key in coarse)] += value
            assert tuple(sums.values()) == found[coarse]


def test_cells_rounded_one_by_one_do_not_fit() -> None:
    """The twin: the nearest whole numbers of a consistent estimate are not consistent."""

    def each_by_itself(estimate: Any) -> tuple[int, ...]:
        return tuple(round(Fraction(value, estimate.unit)) for value in estimate.values)

    apart = 0
    for total in range(20):
        measured = (Measured((0, 1, 2), 3, (0,) * len(FINEST)), Measured((), 2, (total,)))
        with patch.object(consistency, "_rounded", each_by_itself):
            fine, found = reconcile(SIZES, measured, ((0, 1, 2), ()))
        apart += sum(fine) != found[0]
    assert apart > 10


@pytest.mark.parametrize("sets", SHAPES.values(), ids=SHAPES)
def test_what_fits_already_stays_as_it_is(sets: tuple[Keys, ...]) -> None:
    dice = random.Random(5)
    table = some_table(dice)
    measured = tuple(Measured(k, dice.randint(1, 999), total_of(table, k)) for k in sets)
    assert reconcile(SIZES, measured, sets) == tuple(total_of(table, keys) for keys in sets)


def test_one_set_alone_stays_as_it_was_drawn() -> None:
    vector = tuple(random.Random(4).randint(-(2**60), 2**60) for _ in FINEST)
    fine, total = reconcile(SIZES, (Measured((0, 1, 2), 1, vector),), ((0, 1, 2), ()))
    assert fine == vector and total == (sum(vector),)


def test_a_total_without_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="follows from a finer one"):
        reconcile(SIZES, (Measured((0,), 1, (1, 2, 3)),), ((0, 1),))


def test_keys_of_one_value_take_no_part() -> None:
    sizes = {0: 1, 1: 3}
    measured = (Measured((0, 1), 5, (4, 5, 6)), Measured((0,), 5, (18,)))
    fine, coarse, total = reconcile(sizes, measured, ((0, 1), (0,), ()))
    assert sum(fine) == coarse[0] == total[0] == 17  # (15 + 18) / 2 rounded up


@pytest.mark.parametrize("sets", SHAPES.values(), ids=SHAPES)
def test_the_spread_is_that_of_the_estimate(sets: tuple[Keys, ...]) -> None:
    """Push each measured cell's noise through the estimate alone: its share of every wanted cell, hence the law."""
    dice = random.Random(11)
    spread = [dice.choice((4, 25, 900)) for _ in sets]
    weights = weighted(sets, spread)
    noise = tuple(
        Noisy(keys, float(weight), float(variance))
        for keys, weight, variance in zip(sets, weights, spread, strict=True)
    )
    large = 2**40  # rounding vanishes beside it
    square = {keys: 0.0 for keys in sets}
    fourth = dict(square)
    for place, keys in enumerate(sets):
        for cell in range(len(cells(keys))):
            vectors = [[0] * len(cells(each)) for each in sets]
            vectors[place][cell] = large
            measured = tuple(
                Measured(k, w, tuple(v)) for k, w, v in zip(sets, weights, vectors, strict=True)
            )
            for each, found in zip(sets, reconcile(SIZES, measured, sets), strict=True):
                share = found[0] / large
                square[each] += spread[place] * share**2
                fourth[each] += 3.0 * spread[place] ** 2 * share**4
    best = variances(SIZES, noise, sets)
    for keys, least in zip(sets, best, strict=True):
        found_law = spread_of(SIZES, noise, keys, Mechanism.DISCRETE_LAPLACE)
        rounding = 2.0 ** len(keys) / 12.0
        assert found_law.deviation**2 == pytest.approx(square[keys] + rounding, rel=1e-6)
        assert found_law.excess == pytest.approx(
            fourth[keys] / (square[keys] + rounding) ** 2, rel=1e-6
        )
        assert least == pytest.approx(square[keys], rel=1e-5)


def test_equal_shares_of_a_table_are_as_exact_as_measured() -> None:
    """20 x 12 cells at rho 0.05 in four equal shares: 5.9 everywhere; the cells alone 3.2, and 49 for their total."""
    sizes = {0: 20, 1: 12}
    sets: tuple[Keys, ...] = ((0, 1), (0,), (1,), ())
    shared = tuple(Noisy(keys, 1.0, 4 / (2 * 0.05)) for keys in sets)
    assert [round(v**0.5, 1) for v in variances(sizes, shared, sets)] == [5.9, 5.9, 5.9, 5.9]
    alone = (Noisy((0, 1), 1.0, 1 / (2 * 0.05)),)
    assert [round(v**0.5, 1) for v in variances(sizes, alone, sets)] == [3.2, 11.0, 14.1, 49.0]
    assert prod(sizes.values()) == 240
