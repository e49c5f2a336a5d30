"""Whatever random relation the proof accepts is the union of what it is for each unit alone.

Each mutant is a rule of the proof with one condition left out; the same relations must then show somebody.
"""

import random
from collections.abc import Callable

import pytest

from sandbox.algebra import Column, Relation, relations
from sandbox.worker import relation_flow, visible
from sandbox.worker.proven import Private, Public, held_by
from sandbox.worker.relation_flow import Prover
from sandbox.worker.sql_types import NotRenderable
from tests.unit.relation_rows import exposed, random_world
from tests.unit.relation_shapes import Shapes, units_shown
from tests.unit.relation_world import SCANS
from tests.unit.test_worker_relation_rows import broken

SEEDS = 6
DRAWN = 120


def proven(seed: int, care: float) -> dict[str, tuple[Relation, tuple[Column, ...]]]:
    """Return the private relations among many random ones, with their columns, a proven unit first."""
    shapes = Shapes(random.Random(seed), care)
    found: dict[str, tuple[Relation, tuple[Column, ...]]] = {}
    for index in range(DRAWN):
        relation = shapes.relation()
        try:
            flow = Prover(SCANS).prove(relation).flow
        except (ValueError, NotRenderable):
            continue
        if isinstance(flow, Private):
            sides = [unit for unit in units_shown(relation) if unit in flow.sides[0]]
            unit = sides[:1] if len(flow.sides) == 1 else []
            found[f"{seed}.{index}"] = (relation, (*unit, *exposed(relation)))
    return found


def first_broken(care: float, seeds: int) -> set[str]:
    for seed in range(seeds):
        found = broken(proven(seed, care), random_world(random.Random(seed), units=3, rows=2))
        if found:
            return found
    return set()


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("care", [0.9, 0.4])
def test_what_is_proven_is_true(seed, care):
    found = proven(100 + seed, care)
    assert len(found) > DRAWN / 20
    assert not broken(found, random_world(random.Random(seed), units=3, rows=2))


def test_many_careful_relations_are_proven():
    assert len(proven(0, 1.0)) > DRAWN / 4


def merged(*flows):
    """Return that everything which is a unit column somewhere is the unit."""
    held = frozenset().union(*map(held_by, flows))
    return Private((held,), held) if held else Public()


def other_than_proven(unit, flow):
    """Take any unit column."""


def unlinked_exists(exists, outer):
    """Take an EXISTS over private rows without an equal unit."""
    shown = outer.prove(exists.relation)
    visible.check_condition(exists.on, outer.beside(outer.over(shown)))


MUTANTS: dict[str, tuple[object, str, Callable]] = {
    "inner joins need no link": (relation_flow, "inner", lambda parts, pairs: merged(*parts)),
    "left joins keep either side": (
        relation_flow,
        "left",
        lambda a, b, pairs: a if isinstance(a, Private) else b,
    ),
    "left joins prove both units": (relation_flow, "left", lambda a, b, pairs: merged(a, b)),
    "full joins prove both units": (relation_flow, "full", lambda a, b, pairs: merged(a, b)),
    "the unit may be NULL": (relation_flow, "check_unit", other_than_proven),
    "exists needs no link": (visible, "_check_exists", unlinked_exists),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_rule_without_its_condition_shows_somebody(mutant, monkeypatch):
    module, name, rule = MUTANTS[mutant]
    monkeypatch.setattr(module, name, rule)
    assert first_broken(0.4, 8)


def test_the_shapes_hold_every_operator():
    shapes = Shapes(random.Random(5), 0.9)
    kinds = {type(part).__name__ for _ in range(200) for part in relations(shapes.relation())}
    assert {"Scan", "Constants", "Join", "Filter", "Project", "Group", "SetOperation"} <= kinds
