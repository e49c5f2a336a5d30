"""All seeded bugs by name, each with the gate that must find it and the questions that gate asks."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from tests.fuzz.nested import Nested
from tests.mutants.clipping import CLAIMS, CLIPPING
from tests.mutants.gates import (
    SEEDS,
    lies_told,
    not_plain,
    private_groups_differ,
    raises,
    told_apart,
)
from tests.mutants.mutant import Mutant
from tests.mutants.plain import PLAIN
from tests.mutants.raising import RAISING
from tests.mutants.relations import NOT_PLAIN, TOLD_APART
from tests.neighbours import test_private_groups

Gate = Callable[[Mutant | None], bool]

FLAT = (
    "SELECT icd, count(*), sum(amount) FROM claims GROUP BY icd",
    "SELECT count(DISTINCT person_id), avg(amount) FROM claims",
    "SELECT count(DISTINCT claim_id), stddev_samp(amount) FROM claims",
    "SELECT month(day), sum(amount) FROM claims GROUP BY ALL",
    "SELECT sum(-amount) FROM claims",
    "SELECT icd, quantile_disc(CAST(amount AS BIGINT) // 5000, 0.9) FROM claims GROUP BY icd",
    "SELECT region, count(*), sum(income) FROM persons GROUP BY region",
    "SELECT p.sex, c.icd, sum(c.amount) FROM persons p JOIN claims c ON c.person_id = p.person_id GROUP BY ALL",
    "SELECT i.kind, sum(i.pieces) FROM items i JOIN claims c ON i.claim_ref = c.claim_id GROUP BY i.kind",
    "SELECT icd, count(*), count(DISTINCT person_id) FROM claims GROUP BY GROUPING SETS ((icd), (claim_id > -9), ())",
    "SELECT w.rain_mm > 90, count(*) FROM persons p JOIN weather w ON w.region = p.region GROUP BY ALL",
)
# narrow bands of amounts: often only one person has a row in one of them
_BANDS = tuple(f"c.amount BETWEEN {low} AND {low + 40}" for low in range(0, 5_000, 500))
INSIDE = (
    *(
        "SELECT count(DISTINCT p.person_id) FROM persons p LEFT JOIN claims c"
        f" ON c.person_id = p.person_id AND {band} WHERE c.claim_id IS NOT NULL"
        for band in _BANDS
    ),
    *(
        "SELECT count(*) FROM persons p WHERE EXISTS"
        f" (SELECT 1 FROM claims c WHERE c.person_id = p.person_id AND {band})"
        for band in _BANDS
    ),
    "SELECT icd, count(*) FROM (SELECT icd, rank() OVER (PARTITION BY person_id ORDER BY seen) AS r FROM claims)"
    " WHERE r % 2 = 0 GROUP BY icd",
    "SELECT count(*) FROM (SELECT icd, row_number() OVER (PARTITION BY person_id ORDER BY hospital) AS r FROM claims)"
    " WHERE r = 1 AND icd = 'C50'",
)


def _asked(sql: str, keys: int, *aggregates: str) -> Nested:
    return Nested(sql, keys, aggregates, frozenset())


# questions whose plain answer each of the bugs in meaning changes
MEANING = (
    _asked(
        "SELECT count(*), count(c.amount) FROM persons p LEFT JOIN claims c ON c.person_id = p.person_id",
        0,
        "count",
        "count",
    ),
    _asked(
        "SELECT count(*) FROM persons p LEFT JOIN (SELECT * FROM claims WHERE amount > 2000) c ON c.person_id = p.person_id",
        0,
        "count",
    ),
    _asked(
        "SELECT count(c.a) FROM persons p LEFT JOIN (SELECT person_id, coalesce(amount, 0) AS a FROM claims"
        " WHERE amount > 3000) c ON c.person_id = p.person_id",
        0,
        "count",
    ),
    _asked(
        "SELECT count(*) FROM persons WHERE region NOT IN (SELECT v.r FROM (VALUES ('north'), (NULL)) v(r))",
        0,
        "count",
    ),
    _asked("SELECT count(*) FROM (SELECT DISTINCT person_id, icd FROM claims)", 0, "count"),
    _asked(
        "SELECT count(*) FROM (SELECT person_id FROM claims UNION SELECT person_id FROM persons)",
        0,
        "count",
    ),
    _asked(
        "SELECT count(*) FROM (SELECT person_id FROM claims EXCEPT ALL SELECT person_id FROM persons)",
        0,
        "count",
    ),
    _asked(
        "SELECT count(*) FROM (SELECT person_id FROM persons EXCEPT SELECT person_id FROM claims WHERE amount > 900)",
        0,
        "count",
    ),
    _asked(
        "SELECT count(*) FROM (SELECT person_id FROM claims GROUP BY person_id HAVING count(*) > 2)",
        0,
        "count",
    ),
    _asked(
        "SELECT count((SELECT count(*) FROM claims c WHERE c.person_id = p.person_id AND c.amount > 4000)) FROM persons p",
        0,
        "count",
    ),
    _asked(
        "SELECT count(*) FROM (SELECT * FROM claims WHERE amount > 500) WHERE icd = 'C50'",
        0,
        "count",
    ),
)

EXTREME = (
    "SELECT count(*) FROM persons WHERE name::DOUBLE > 1",
    "SELECT sum(income) FROM persons",
    "SELECT sum(pieces::HUGEINT * 10000000000) FROM items",
)


def _gates() -> dict[str, tuple[Mutant, Gate]]:
    told = partial(told_apart, questions=FLAT, seeds=SEEDS)
    # a false claim about one grouping set contradicts the others, and no plan is made at all
    claimed = partial(told_apart, questions=[q for q in FLAT if "SETS" not in q], seeds=SEEDS)
    inside = partial(told_apart, questions=INSIDE, seeds=SEEDS)
    plain = partial(not_plain, questions=MEANING, seeds=(1, 2, 3))
    raising = partial(raises, questions=EXTREME, seeds=(5, 6))
    found: dict[str, tuple[Mutant, Gate]] = {
        f"private_{mutant.__name__}": (mutant, private_groups_differ)
        for mutant in test_private_groups.MUTANTS
    }
    for mutants, gate in (
        (CLIPPING, told),
        (CLAIMS, claimed),
        (TOLD_APART, inside),
        (NOT_PLAIN, plain),
        (PLAIN, lies_told),
        (RAISING, raising),
    ):
        found |= {mutant.__name__: (mutant, gate) for mutant in mutants}
    return found


MUTANTS: Mapping[str, tuple[Mutant, Gate]] = MappingProxyType(_gates())
