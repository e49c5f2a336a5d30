"""Equal questions have equal plans, and one name is one law: each thing that changes the law changes the name."""

from dataclasses import replace

import pytest

from policies.terms import Accountant, PrivacyLoss
from sandbox import wire
from sandbox.boundary import NoisyAggregates, Pick, Plan
from sandbox.compiler.canonical import canonical
from sandbox.reasking import Offer, choose, names, reuse
from tests.unit.compiler_world import compiled

PURE = Accountant.PURE_EPS
JOINED = "FROM persons p JOIN claims c ON p.person_id = c.person_id"
SPELLINGS = (
    (
        f"SELECT region, count(*) {JOINED} WHERE amount > 5 AND birth < DATE '1990-01-01' GROUP BY region",
        "SELECT count(*) AS n, people.region FROM claims, persons AS people WHERE DATE '1990-01-01' > people.birth "
        "AND claims.person_id = people.person_id AND 5 < claims.amount GROUP BY 2",
        f"SELECT region, count(*) {JOINED} AND amount > 5 WHERE birth < DATE '1990-01-01' GROUP BY ALL",
        f"SELECT region, count(*) {JOINED} WHERE (birth < DATE '1990-01-01' AND amount > 5) AND amount > 5 GROUP BY 1",
    ),
    (
        "SELECT region, insured, sum(amount) FROM persons JOIN claims USING (person_id) GROUP BY region, insured",
        "SELECT sum(amount), region, insured FROM claims JOIN persons USING (person_id) GROUP BY insured, region",
    ),
    (
        "SELECT count(*) FROM persons WHERE region IN ('south', 'north') OR insured OR birth = DATE '1990-01-01'",
        "SELECT count(*) FROM persons WHERE DATE '1990-01-01' = birth OR (insured OR region IN ('north', 'south', 'north'))",
    ),
)
DIFFERENT = (
    "SELECT count(*) FROM persons WHERE region IN ('south', 'north')",
    "SELECT count(*) FROM persons WHERE region IN ('south')",
    "SELECT count(*) FROM persons WHERE NOT region IN ('south', 'north')",
    "SELECT count(*) FROM persons WHERE birth < DATE '1990-01-01'",
    "SELECT count(*) FROM persons WHERE birth > DATE '1990-01-01'",
    "SELECT count(*) FROM persons WHERE birth <= DATE '1990-01-01'",
    "SELECT count(*) FROM persons WHERE birth < DATE '1990-01-02'",
    f"SELECT count(*) {JOINED}",
    f"SELECT count(*) {JOINED} WHERE c.day > p.birth",
    f"SELECT count(*) {JOINED} WHERE c.day < p.birth",
    "SELECT region, count(*) FROM persons GROUP BY region",
    "SELECT insured, count(*) FROM persons GROUP BY insured",
    "SELECT region, insured, count(*) FROM persons GROUP BY region, insured",
    "SELECT count(income) FROM persons",
)


def made(sql: str, primary: int = 10**9) -> Plan:
    return compiled(sql, PURE, primary).plan


@pytest.mark.parametrize("spellings", SPELLINGS, ids=("join", "keys", "lists"))
def test_one_question_has_one_measurement(spellings: tuple[str, ...]) -> None:
    digests = {wire.digest(made(sql).measurement) for sql in spellings}
    assert len(digests) == 1
    assert len({names(made(sql), 1) for sql in spellings}) == 1


def test_different_questions_have_different_measurements() -> None:
    assert len({wire.digest(made(sql).measurement) for sql in DIFFERENT}) == len(DIFFERENT)
    assert len({names(made(sql), 1) for sql in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize("sql", [*DIFFERENT, *(sql for group in SPELLINGS for sql in group)])
def test_the_canonical_plan_is_its_own(sql: str) -> None:
    plan = made(sql)
    assert canonical(plan) == plan


def test_a_name_forgets_the_noise_and_what_happens_above() -> None:
    sql = "SELECT region, sum(amount), count(*) FROM persons JOIN claims USING (person_id) GROUP BY region"
    plan = made(sql)
    assert names(made(sql, 10**8), 3) == names(plan, 3)
    assert names(made(f"{sql} HAVING count(*) > 3 ORDER BY 2 LIMIT 1"), 3) == names(plan, 3)
    alone = made(sql.replace(" sum(amount),", ""))
    assert set(names(alone, 3)) < set(names(plan, 3))


def test_each_part_of_the_law_is_in_the_name() -> None:
    plan = made(
        "SELECT region, sum(amount) FROM persons JOIN claims USING (person_id) GROUP BY region"
    )
    (moment, *others) = plan.measurement.moments
    measured = plan.measurement
    changed = [
        replace(plan, snapshot="f" * 64),
        replace(plan, dataset="other"),
        replace(plan, measurement=replace(measured, groups_per_unit_max=1)),
        replace(plan, measurement=replace(measured, keys=())),
        *(
            replace(plan, measurement=replace(measured, moments=(other, *others)))
            for other in (
                replace(moment, row_upper=moment.row_upper + 1),
                replace(moment, partial_upper=moment.partial_upper + 1),
                replace(moment, sensitivity_l1=moment.sensitivity_l1 + 1),
                replace(moment, step_exponent=1),
            )
        ),
    ]
    assert names(plan, 1)[0] not in {names(other, 1)[0] for other in changed}


def test_where_a_unit_chooses_the_company_is_in_the_name() -> None:
    """The counterexample of the proof: beside a count, a sum is over other groups of the same person."""
    base = "SELECT region, {} FROM persons JOIN claims USING (person_id) GROUP BY region"
    lone, counted = made(base.format("sum(amount)")), made(base.format("sum(amount), count(*)"))
    count, two = made(base.format("count(*)")), made(base.format("sum(amount), sum(amount * 2)"))
    few, many = 1, counted.measurement.groups_per_unit_max + 1
    assert set(names(lone, few)) <= set(names(counted, few))
    assert not set(names(lone, many)) & set(names(counted, many))
    assert not set(names(lone, many)) & set(names(two, many))
    # A count of rows decides the choice alone, so what stands beside it does not matter.
    assert set(names(count, many)) <= set(names(counted, many))


def offer(operation: str, age: int, scale: float, moment: int = 0) -> Offer:
    return Offer(operation, age, moment, scale.hex(), PrivacyLoss(PURE, 5, 0))


def test_the_least_noise_is_chosen_and_of_equals_the_oldest() -> None:
    plan = made("SELECT count(*) FROM persons")
    asked = float.fromhex(plan.measurement.moments[0].scale)
    found = [offer("wide", 1, asked * 2), offer("new", 9, asked), offer("old", 3, asked)]
    for offers in (found, found[::-1]):
        chosen = choose(plan, (tuple(offers),))
        assert chosen is not None and chosen.operations == ("old",)
    finer = choose(plan, ((*found, offer("fine", 10, asked / 2)),))
    assert finer is not None and finer.operations == ("fine",)
    assert finer.plan.measurement.moments[0].scale == (asked / 2).hex()
    assert finer.plan.loss == PrivacyLoss(PURE, 5, 0)
    assert choose(plan, (tuple(found[:1]),)) is None
    assert choose(plan, ((),)) is None


@pytest.mark.parametrize("sql", ["SELECT median(amount), count(*) FROM claims"])
def test_what_was_made_for_one_another_comes_from_one_release(sql: str) -> None:
    plan = made(sql)
    count = len(plan.measurement.moments)
    scales = [float.fromhex(moment.scale) for moment in plan.measurement.moments]
    whole = [offer("whole", 5, scale, n) for n, scale in enumerate(scales)]
    part = [offer("part", 1, scale / 2, n) for n, scale in enumerate(scales)]
    both = tuple(zip(whole, part, strict=True))
    chosen = choose(plan, (*both[:-1], (whole[-1],)))
    assert chosen is not None and chosen.operations == ("whole",)
    assert [o.moment for o in chosen.offers] == list(range(count))
    finer = choose(plan, both)
    assert finer is not None and finer.operations == ("part",)
    mixed = tuple((whole[n],) if n % 2 else (part[n],) for n in range(count))
    assert choose(plan, mixed) is None


def test_totals_over_different_keys_are_not_put_together() -> None:
    plan = made("SELECT count(*), count(income) FROM persons")
    fine = 0.5
    chosen = choose(plan, ((offer("a", 1, fine),), (offer("b", 2, fine, 1),)))
    assert chosen is not None
    here, there = NoisyAggregates(((),), ((1,), (2,))), NoisyAggregates(((1,),), ((1,), (2,)))
    made_of = reuse(chosen, {"a": wire.encode(here), "b": wire.encode(here)})
    assert made_of is not None and made_of.picks == (Pick(0, 0), Pick(1, 1))
    assert reuse(chosen, {"a": wire.encode(here), "b": wire.encode(there)}) is None
