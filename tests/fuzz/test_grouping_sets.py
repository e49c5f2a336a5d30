"""Random GROUP BY clauses of ROLLUP, CUBE and GROUPING SETS: noise off, every row is one that plain DuckDB gives.

The clauses nest, repeat sets and keys, name them by expression, alias or number, and stand beside plain keys. Declared groups
that nobody is in are ours alone (docs/DIFFERENCES.md, K1 and K6), and one key is spelled in one way (K9); everything else must
be there as often as in DuckDB.
"""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from policies.refusals import Refused
from tests.fuzz.rows import ORDINARY, generate
from tests.fuzz.trial import Trial, trial
from tests.fuzz.world import LOSS, PURPOSE
from tests.fuzz.worlds import people

SEEDS = range(40)
KEYS = ("hospital", "icd", "m", "quarter(day)")
WHERE = (
    "person_id IS NOT NULL AND hospital IN ('h1', 'h2', 'h3') AND icd IN ('C50', 'C61', 'E11')"
    " AND day BETWEEN DATE '2024-01-01' AND DATE '2024-12-31'"
)
OUTPUTS = (
    "hospital, icd, month(day) AS m, quarter(day) AS q, coalesce(hospital, '-') AS shown,"
    " count(*) AS n, count(DISTINCT person_id) AS people, sum(amount) FILTER (WHERE amount > 0) AS paid"
)


@pytest.fixture(scope="module")
def where() -> Iterator[Trial]:
    world, rng = people(with_items=False), Random(5)
    with trial(world, generate(world, rng, ORDINARY), ORDINARY) as opened:
        yield opened


def element(rng: Random) -> str:
    if rng.random() < 0.7:
        return rng.choice(KEYS)
    return f"({', '.join(rng.choice(KEYS) for _ in range(2))})"


def item(rng: Random, depth: int) -> str:
    kind = rng.choice(("plain", "ROLLUP", "CUBE", "sets", "sets"))
    if kind == "plain":
        return element(rng)
    if kind != "sets":
        return f"{kind} ({', '.join(element(rng) for _ in range(rng.randint(1, 2)))})"
    members = [
        item(rng, depth - 1) if depth and rng.random() < 0.4 else rng.choice((element(rng), "()"))
        for _ in range(rng.randint(1, 3))
    ]
    return f"GROUPING SETS ({', '.join(members)})"


def question(rng: Random) -> str:
    """Return a question; one of its sets is of all keys that it shows, so that DuckDB takes every output."""
    clause = item(rng, 1)
    if rng.random() < 0.6:
        clause = f"GROUPING SETS ((hospital, icd, m, quarter(day)), {clause})"
    else:
        clause = f"hospital, icd, {clause}, ROLLUP ((m, quarter(day)))"
    bits = "grouping(hospital, icd, month(day)) AS level, grouping_id(m) AS of_month"
    return f"SELECT {OUTPUTS}, {bits} FROM claims WHERE {WHERE} GROUP BY {clause}"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_is_one_of_duckdbs(where: Trial, seed: int) -> None:
    sql = question(Random(seed))
    try:
        plan = where.bench.plan(sql, PURPOSE, LOSS).plan
    except Refused as refused:
        assert refused.code == "sql_too_complex"  # more sets than one release holds
        return
    ours = [tuple(cell.value for cell in row) for row in where.bench.exact(plan).rows]
    theirs = where.plain.execute(sql).fetchall()
    # DuckDB's sum over no row that FILTER keeps is NULL, ours 0 (A1)
    plain = Counter((*row[:7], row[7] or 0, *row[8:]) for row in theirs if row[5])
    assert Counter(row for row in ours if row[5]) == plain
    assert all(row[6:8] == (0, 0) for row in ours if not row[5])


def test_enough_questions_are_answered(where: Trial) -> None:
    answered = 0
    for seed in SEEDS:
        try:
            answered += len(
                where.bench.plan(question(Random(seed)), PURPOSE, LOSS).plan.post.outputs
            )
        except Refused:
            continue
    assert answered >= len(SEEDS) * 10 * 0.8


def test_a_set_too_few_is_seen(where: Trial) -> None:
    """The twin: another clause gives other rows."""
    sql = question(Random(1))
    plan = where.bench.plan(sql.replace("ROLLUP", "CUBE", 1), PURPOSE, LOSS).plan
    other = where.bench.plan(
        f"{sql[: sql.index('GROUP BY')]}GROUP BY hospital, icd, m, q", PURPOSE, LOSS
    ).plan
    assert len(where.bench.exact(plan).rows) != len(where.bench.exact(other).rows)
