"""The same question in other words is the same question, and the same rows in other shapes give the same answer.

Other names, another order of conjuncts and keys, other spacing, a subquery or WITH entry around: the digest of what is measured
is equal, so a second asking gets the same noisy cells. Split tables, IN for EXISTS, a left join for NOT EXISTS: other
measurements with equal answers without noise.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from policies.refusals import Refused
from sandbox import wire
from sandbox.boundary import Plan
from tests.fuzz.rewordings import SAME_DISTRIBUTION, Parts, parted, parts
from tests.fuzz.rows import NEIGHBOURLY, ORDINARY, Row, Rows, generate, units_of, write
from tests.fuzz.tables import Col, Tables
from tests.fuzz.world import PURPOSE, World, loss_under
from tests.fuzz.worlds import people
from tests.lab.bench import SOURCE, Bench, bench, scratch, uncapped
from tests.neighbours.pairs import opened

Pairs = Callable[[range], list[tuple[str, str]]]
QUESTIONS = 30
EQUAL_LEAST = 0.6  # of the questions, accepted in both wordings
_WORLD = people(with_items=False)
_ROWS = generate(_WORLD, Random(77), ORDINARY)


@pytest.fixture(scope="module")
def where() -> Iterator[Bench]:
    with scratch() as folder:
        write(_WORLD, _ROWS, folder / SOURCE)
        with bench(uncapped(_WORLD.dataset()), _WORLD.policy(), folder) as found:
            yield found


def planned(where: Bench, sql: str) -> Plan | None:
    """Return the plan of a question, None if it is refused."""
    try:
        return where.plan(sql, PURPOSE, loss_under(where.policy)).plan
    except Refused:
        return None


def cells(where: Bench, plan: Plan) -> list[tuple[object, ...]]:
    """Return the answer without noise."""
    return [tuple(cell.value for cell in row) for row in where.exact(plan).rows]


def asked_of(seed: int, depth: int) -> tuple[Parts, Random]:
    """Return a random question."""
    rng = Random(seed)
    return parts(_WORLD, rng, rng.randint(0, depth), orders=True)[0], rng


# ---- equal distributions


def other_digests(where: Bench, seeds: range) -> tuple[list[str], int]:
    """Reword questions in every way; return those that became others, and how many were compared."""
    found, compared = [], 0
    for seed in seeds:
        asked, rng = asked_of(seed, 2)
        plan = planned(where, asked.sql)
        if plan is None:
            continue
        expected = wire.digest(plan.measurement)
        for name, reword in SAME_DISTRIBUTION.items():
            sql = reword(asked, rng)
            other = planned(where, sql)
            compared += 1
            if other is None or wire.digest(other.measurement) != expected:
                found.append(f"{name}: {asked.sql} -> {sql}")
    return found, compared


def test_other_words_are_the_same_question(where: Bench) -> None:
    found, compared = other_digests(where, range(8000, 8000 + QUESTIONS))
    assert found == []
    assert compared >= EQUAL_LEAST * QUESTIONS * len(SAME_DISTRIBUTION)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_other_words_are_still_the_same_question(where: Bench, seed: int) -> None:
    assert other_digests(where, range(10**6 + seed * 500, 10**6 + seed * 500 + 500))[0] == []


def test_another_question_is_another(where: Bench) -> None:
    """The twin: a conjunct more, and the digest differs."""
    asked, _ = asked_of(8001, 0)
    more = replace(asked, conjuncts=(*asked.conjuncts, (f"{asked.alias}.person_id <> 3",)))
    one, other = (planned(where, each.sql) for each in (asked, more))
    assert one and other
    assert wire.digest(one.measurement) != wire.digest(other.measurement)


# ---- equal answers


def other_answers(where: Bench, pairs: list[tuple[str, str]]) -> tuple[list[str], int]:
    """Return the pairs of questions whose answers differ, and how many were accepted both."""
    found, compared = [], 0
    for one, other in pairs:
        plans = planned(where, one), planned(where, other)
        if plans[0] is None or plans[1] is None:
            continue
        compared += 1
        if cells(where, plans[0]) != cells(where, plans[1]):
            found.append(f"{one} -> {other}")
    return found, compared


def split_pairs(seeds: range) -> list[tuple[str, str]]:
    """Questions, and the same over a relation that was split and put together again."""
    made = []
    for seed in seeds:
        rng = Random(seed)
        # more possible groups make the bins of order statistics coarser (A7)
        asked, table = parts(_WORLD, rng, rng.randint(0, 1), orders=False)
        condition = Tables(_WORLD, rng).condition(table, asked.alias)
        made.append((asked.sql, parted(asked, rng, condition)))
    return made


def semijoin_pairs(seeds: range) -> list[tuple[str, str]]:
    """The same people kept or left out in two ways: IN and EXISTS, NOT EXISTS and a left join that found nobody."""
    made = []
    for seed in seeds:
        rng = Random(seed)
        asked, table = parts(_WORLD, rng, rng.randint(0, 1), orders=False)
        other = Tables(_WORLD, rng)
        chosen = other.base()
        ours, theirs = table.unit(), chosen.unit()
        assert ours and theirs
        kept = other.condition(chosen, "zz")
        made.append(_two_ways(asked, (ours, theirs), f"{chosen.text} AS zz", kept, rng))
    return made


def _two_ways(
    asked: Parts, units: tuple[Col, Col], source: str, kept: str, rng: Random
) -> tuple[str, str]:
    ours, theirs = f"yy.{units[0].name}", f"zz.{units[1].name}"
    start = f"(SELECT yy.* FROM {asked.table} AS yy"
    exists = f"EXISTS (SELECT 1 FROM {source} WHERE {theirs} = {ours} AND {kept})"
    if rng.random() < 0.5:
        inside = f"{start} WHERE {ours} IN (SELECT {theirs} FROM {source} WHERE {kept}))"
        return _over(asked, f"{start} WHERE {exists})"), _over(asked, inside)
    joined = f"{start} LEFT JOIN {source} ON {theirs} = {ours} AND {kept} WHERE {theirs} IS NULL)"
    return _over(asked, f"{start} WHERE NOT {exists})"), _over(asked, joined)


def _over(asked: Parts, table: str) -> str:
    return Parts("", table, asked.alias, asked.keys, asked.by, asked.calls, asked.conjuncts).sql


@pytest.mark.parametrize("pairs", [split_pairs, semijoin_pairs])
def test_the_same_rows_in_another_shape_answer_alike(where: Bench, pairs: Pairs) -> None:
    found, compared = other_answers(where, pairs(range(8100, 8100 + QUESTIONS)))
    assert found == []
    assert compared >= EQUAL_LEAST * QUESTIONS


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("pairs", [split_pairs, semijoin_pairs])
def test_they_still_answer_alike(where: Bench, pairs: Pairs, seed: int) -> None:
    start = 2 * 10**6 + seed * 500
    assert other_answers(where, pairs(range(start, start + 500)))[0] == []


def test_half_of_the_rows_answer_otherwise(where: Bench) -> None:
    """The twin: one half of a split alone is not the whole."""
    sql = "SELECT count(*) FROM {} AS t"
    half = "(SELECT * FROM claims AS t WHERE (t.icd = 'C50') IS TRUE)"
    assert other_answers(where, [(sql.format("claims"), sql.format(half))])[0] != []


# ---- one unit beyond its caps


def flooded(world: World, rows: Rows, unit: str, rng: Random) -> Rows:
    """Return the input with very many more rows of one unit, in the tables where it may have several."""
    made = dict(rows)
    for sheet in world.private:
        place = [field.name for field in sheet.fields].index(str(sheet.unit))
        if sheet.key == (sheet.unit,) or not rows[sheet.name]:
            continue
        some = rng.choices(rows[sheet.name], k=200)
        made[sheet.name] = (*rows[sheet.name], *(_owned(row, place, unit, i) for i, row in enumerate(some)))  # fmt: skip
    return made


def _owned(row: Row, place: int, unit: str, index: int) -> Row:
    """Return a row of the unit's own; the first column is the table's key."""
    new = [str(10**7 + index), *row[1:]]
    new[place] = unit
    return tuple(new)


@pytest.mark.parametrize("seed", range(8200, 8206))
def test_rows_beyond_a_units_caps_leave_the_others_alone(seed: int) -> None:
    rng = Random(seed)
    rows = generate(_WORLD, rng, NEIGHBOURLY)
    units = [unit for unit in units_of(_WORLD, rows) if unit.isdigit()]
    unit = rng.choice(units)
    compared = 0
    with opened(_WORLD, rows) as one, opened(_WORLD, flooded(_WORLD, rows, unit, rng)) as other:
        for _ in range(QUESTIONS // 4):
            asked, table = parts(_WORLD, rng, rng.randint(0, 1), orders=False)
            key = table.unit()
            assert key
            text = f"(SELECT * FROM {asked.table} AS yy WHERE yy.{key.name} <> {unit})"
            plan = planned(one, _over(asked, text))
            if plan is None:
                continue
            compared += 1
            there = other.bounded(plan_for(plan, other))
            assert one.bounded(plan).moments == there.moments, _over(asked, text)
    assert compared > 0


def plan_for(plan: Plan, where: Bench) -> Plan:
    """Return the plan as one for another snapshot."""
    return replace(plan, snapshot=where.catalogue.snapshot_id)


def test_rows_beyond_its_caps_do_move_a_question_about_that_unit() -> None:
    """The twin: with the unit itself counted, the flood shows, though only up to what is claimed."""
    rng = Random(8200)
    rows = generate(_WORLD, rng, NEIGHBOURLY)
    unit = next(unit for unit in units_of(_WORLD, rows) if unit.isdigit())
    sql = f"SELECT count(*) FROM claims WHERE person_id = {unit}"
    with opened(_WORLD, rows) as one, opened(_WORLD, flooded(_WORLD, rows, unit, rng)) as other:
        plan = planned(one, sql)
        assert plan
        before = one.bounded(plan).moments[0][0]
        after = other.bounded(plan_for(plan, other)).moments[0][0]
    assert before < after <= plan.measurement.moments[0].sensitivity_l1
