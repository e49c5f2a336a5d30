"""What is proven is true: R(D) is the disjoint union of R(D_u), on random tables, for every relation of the proof's own tests.

The same check finds the unsound relations that the proof refuses, when they are rendered behind its back.
"""

import random
from collections import Counter
from collections.abc import Mapping

import pytest

from sandbox.algebra import Column, Relation
from sandbox.worker import render_derived
from sandbox.worker.proven import unit_of
from sandbox.worker.row_windows import render_window
from tests.unit.relation_rows import World, exposed, loaded, only, random_world, rows_of, units_of
from tests.unit.test_worker_relations import PROVEN, REFUSED

Rows = Counter[tuple[str, ...]]
Asked = Mapping[str, tuple[Relation, tuple[Column, ...]]]

GROUPED = render_derived.Derived._grouped
# Refused relations and the number of their unit, if they show one. What is missing here is refused for its form alone.
UNSOUND: Mapping[str, int | None] = {
    "a missing equality": 0,
    "an equality of columns": 0,
    "an equality under or": 0,
    "an equality under not": 0,
    "an unequality": 0,
    "a unit equal to itself": 0,
    "one of three without": 0,
    "public left private": None,
    "left without an equality": 0,
    "left with the equality under or": 0,
    "the right unit after left": 1,
    "the right unit in a projection": 1000,
    "the right unit in a group": 1000,
    "full with public": None,
    "public full private": None,
    "full without an equality": 1000,
    "one unit after full": 0,
    "one unit of a full join in a projection": 1000,
    "the same half twice": 1000,
    "two halves of three": 1000,
    "a projection without its unit": 1,
    "a window over all units": 1,
    "a group without its unit": 1,
    "a total without its unit": 1,
    "exists of anybody": 0,
    "exists under or": 0,
    "exists of the unit itself": 0,
    "exists over public rows": 0,
    "exists in exists of anybody": 0,
    "a hidden branch": None,
    "public union a hidden branch": None,
    "public except a hidden branch": None,
    "public intersect a hidden branch": None,
}


def asked(names: Mapping[str, int | None], found: Mapping[str, tuple[Relation, int]]) -> Asked:
    """Return relations with the columns they show, their unit first."""
    return {
        name: (
            found[name][0],
            (*([] if unit is None else [unit_of(unit)]), *exposed(found[name][0])),
        )
        for name, unit in names.items()
    }


def answers(relations: Asked, world: World) -> dict[str, Rows]:
    with loaded(world) as connection:
        return {name: rows_of(*found, connection) for name, found in relations.items()}


def broken(relations: Asked, world: World) -> set[str]:
    """Return the relations that are not the union of what they are for each unit alone."""
    whole = answers(relations, world)
    parts = {name: Counter[tuple[str, ...]]() for name in relations}
    found = {name for name, rows in answers(relations, only(world, None)).items() if rows}
    for unit in units_of(world):
        for name, rows in answers(relations, only(world, unit)).items():
            parts[name] += rows
            first = relations[name][1][0]
            if first == unit_of(first.scan) and any(row[0] != str(unit) for row in rows):
                found.add(name)
    return found | {name for name in relations if whole[name] != parts[name]}


@pytest.mark.parametrize("seed", range(8))
def test_a_proven_relation_is_the_union_of_its_units(seed):
    relations = asked({name: unit for name, (_, unit) in PROVEN.items()}, PROVEN)
    assert not broken(relations, random_world(random.Random(seed)))


def test_an_unsound_relation_is_found():
    relations = asked(UNSOUND, REFUSED)
    waiting = set(relations)
    for seed in range(12):
        left = {name: relations[name] for name in waiting}
        waiting -= broken(left, random_world(random.Random(seed)))
        if not waiting:
            break
    assert not waiting


def test_a_union_is_not_trivial():
    """Most worlds give most relations rows, or the check would compare nothing with nothing."""
    relations = asked({name: unit for name, (_, unit) in PROVEN.items()}, PROVEN)
    empty = Counter[str]()
    for seed in range(8):
        found = answers(relations, random_world(random.Random(seed)))
        empty.update(name for name, rows in found.items() if not rows)
    assert all(count < 5 for count in empty.values()), empty


def forgetful_window(window, args, partition, order):
    return render_window(window, args, partition[1:], order)


def forgetful_group(self, found):
    text = GROUPED(self, found)
    return text.replace("SELECT u AS", "SELECT min(u) AS", 1).replace(
        "GROUP BY u, ", "GROUP BY ", 1
    )


@pytest.mark.parametrize(
    ("owner", "name", "careless", "relation"),
    [
        (render_derived, "render_window", forgetful_window, "a window"),
        (render_derived.Derived, "_grouped", forgetful_group, "a group"),
        (render_derived.Derived, "_grouped", forgetful_group, "distinct"),
    ],
)
def test_a_renderer_that_forgets_the_unit_is_found(owner, name, careless, relation, monkeypatch):
    relations = asked({relation: PROVEN[relation][1]}, PROVEN)
    monkeypatch.setattr(owner, name, careless)
    assert any(broken(relations, random_world(random.Random(seed))) for seed in range(4))
