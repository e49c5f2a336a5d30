"""What is proven is true: R(D) is the disjoint union of R(D_u), on random tables, for every relation of the proof's own tests.

The same check finds each unsound relation that the proof refuses, when the proof is passed by.
"""

import random

import pytest

from sandbox.algebra import Relation
from sandbox.worker.relation_flow import Prover
from sandbox.worker.visible import Shown
from tests.unit.relation_rows import loaded, only, random_world, rows_of, units_of, with_unit
from tests.unit.relation_world import SCANS
from tests.unit.test_worker_relations import PROVEN

WORLDS = 3


def shown(relation: Relation) -> Shown:
    return Prover(SCANS).prove(relation)


def is_union(relation: Relation, columns, world) -> bool:
    """Compare the rows of all with the rows of each unit alone, and no rows with those of nobody."""
    with loaded(world) as connection:
        whole = rows_of(relation, columns, connection)
    parts = whole - whole
    for unit in units_of(world):
        with loaded(only(world, unit)) as connection:
            parts += rows_of(relation, columns, connection)
    with loaded(only(world, None)) as connection:
        return whole == parts and not rows_of(relation, columns, connection)


@pytest.mark.parametrize("name", PROVEN)
def test_a_proven_relation_is_the_union_of_its_units(name):
    relation, unit = PROVEN[name]
    columns = with_unit(shown(relation).columns, unit)
    for seed in range(WORLDS):
        assert is_union(relation, columns, random_world(random.Random(seed)))
