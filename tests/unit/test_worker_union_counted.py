"""A UNION ALL of people whose rows are only counted: no column is read of it, and the worker accepts the plan and answers."""

from random import Random

import pytest

from sandbox.boundary import Failure
from sandbox.worker import query as worker
from tests.fuzz.rows import ORDINARY, generate
from tests.fuzz.world import LOSS, PURPOSE
from tests.fuzz.worlds import people
from tests.lab.bench import Bench
from tests.neighbours.pairs import opened

QUESTIONS = (
    "SELECT count(*) FROM (SELECT person_id FROM persons UNION ALL SELECT person_id FROM claims)",
    "SELECT count(*) FROM (SELECT region FROM persons UNION ALL SELECT icd FROM claims)",
)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_rows_put_together_are_counted(sql: str) -> None:
    world = people(with_items=False)
    with opened(world, generate(world, Random(1), ORDINARY)) as where:
        plan = where.plan(sql, PURPOSE, LOSS).plan
        where.rehearse(plan)
        assert not isinstance(worker.run(plan, where.connection, where.empty), Failure)
        parts = ("SELECT count(*) FROM persons", "SELECT count(*) FROM claims")
        assert rows_of(where, sql) == sum(rows_of(where, part) for part in parts)


def rows_of(where: Bench, sql: str) -> int:
    """Count without noise."""
    found = where.exact(where.plan(sql, PURPOSE, LOSS).plan).rows[0][0].value
    assert isinstance(found, int)
    return found
