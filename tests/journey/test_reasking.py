"""What was measured once is had again for nothing, in any shape; what was not is measured and paid for.

Through the real gateway, real workers beside the data, and real ones without any.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from audit.verify import verify_receipt, verify_release
from gateway.background import served
from gateway.node import open_node
from keyong import Answer, Client
from tests.journey import world as worlds
from tests.journey.world import AUDITOR, DATASET, FREE, OPERATOR, RIVAL, Guests, Pace, World

pytestmark = pytest.mark.isolation
N, COST = "count(*)", "sum(least(amount, 3000))"
FIRST = (
    "SELECT region, count(*) AS n, sum(least(amount, 3000)) AS cost FROM claims c "
    "JOIN persons p USING (person_id) GROUP BY region"
)
LOSS = "0.4"
# Other questions of the same cells, each with what its rows must be, made from those of the first by plain Python.
OTHERS = {
    "HAVING": (f"{FIRST} HAVING count(*) > 2000", lambda rows: [r for r in rows if r[1] > 2000]),
    "ORDER BY and LIMIT": (
        f"{FIRST} ORDER BY n DESC LIMIT 3",
        lambda rows: sorted(rows, key=lambda r: -r[1])[:3],
    ),
    "another order of columns": (
        FIRST.replace(
            "region, count(*) AS n, sum(least(amount, 3000)) AS cost", f"{COST}, {N}, region"
        ),
        lambda rows: [(r[2], r[1], r[0]) for r in rows],
    ),
    "joined the other way round": (
        f"SELECT p.region, sum(least(c.amount, 3000)), {N} FROM persons AS p "
        "JOIN claims AS c ON p.person_id = c.person_id GROUP BY 1",
        lambda rows: [(r[0], r[2], r[1]) for r in rows],
    ),
    "a layer above": (
        f"SELECT max(n) - min(n) AS spread, count(*) AS regions FROM ({FIRST}) t",
        lambda rows: [(max(r[1] for r in rows) - min(r[1] for r in rows), len(rows))],
    ),
    "a rank": (
        f"SELECT region, rank() OVER (ORDER BY n DESC) AS place FROM ({FIRST}) ORDER BY n DESC, region",
        lambda rows: [
            (r[0], 1 + sum(other[1] > r[1] for other in rows))
            for r in sorted(rows, key=lambda r: (-r[1], r[0]))
        ],
    ),
    "arithmetic": (
        FIRST.replace("AS cost", "/ 2").replace("AS n", "* 2 + 1"),
        lambda rows: [(r[0], 2 * r[1] + 1, float(r[2]) / 2) for r in rows],
    ),
}


@pytest.fixture(scope="module")
def pace() -> Pace:
    """Time enough for a sum and a count over a join, on a machine that has other things to do."""
    return Pace(4.0, worlds.SETTLE_S, workers_max=4, waiting_max=8)


@pytest.fixture(scope="module")
def guests(world: World) -> Iterator[Guests]:
    with served(world.folder, world.start) as url, world.guests(url) as opened:
        yield opened


@pytest.fixture(scope="module")
def first(guests: Guests) -> Answer:
    return guests[OPERATOR].query(DATASET, FIRST, purpose=FREE, epsilon=LOSS)


def _again(client: Client, sql: str, epsilon: str = LOSS) -> Answer:
    """Ask what must be free: checked beforehand, and by every account."""
    before = worlds.spent(client)
    assert client.check(DATASET, sql, purpose=FREE, epsilon=epsilon).stored
    answer = client.query(DATASET, sql, purpose=FREE, epsilon=epsilon)
    assert answer.reused and answer.loss == 0
    after = worlds.spent(client)
    # Nobody's loss, nobody's allowance; what is due has moved the asker's own credit and nothing else.
    assert {name for name in after if before.get(name) != after[name]} <= {_credit(client)}
    return answer


def _credit(client: Client) -> str:
    return next(a["account"] for a in client.budgets() if a["account"].startswith("credit/"))


def _anew(client: Client, sql: str, epsilon: str = LOSS) -> Answer:
    """Ask what must be paid for."""
    assert not client.check(DATASET, sql, purpose=FREE, epsilon=epsilon).stored
    answer = client.query(DATASET, sql, purpose=FREE, epsilon=epsilon)
    assert not answer.reused and answer.loss == Decimal(epsilon)
    return answer


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("who", [OPERATOR, RIVAL])
def test_another_question_of_the_same_cells_costs_nothing(
    guests: Guests, first: Answer, name: str, who: str
) -> None:
    sql, expected = OTHERS[name]
    answer = _again(guests[who], sql)
    assert list(answer.rows) == expected(list(first.rows))


def test_the_cells_are_the_same_to_the_bit_with_their_error_bars(
    guests: Guests, first: Answer
) -> None:
    operator = guests[OPERATOR]
    flipped = FIRST.replace("region, count(*) AS n", "count(*) AS heads, region")
    answers = [_again(operator, flipped) for _ in range(3)]
    for answer in answers:
        assert [(r[1], r[0], r[2]) for r in answer.rows] == list(first.rows)
        assert [(i[0], i[2]) for i in answer.intervals] == [(i[1], i[2]) for i in first.intervals]
        assert answer.columns[0].scale == first.columns[1].scale
    assert len({answer.operation for answer in answers}) == 3


def test_fewer_aggregates_at_no_finer_a_noise_are_free_and_at_a_finer_one_are_not(
    guests: Guests, first: Answer
) -> None:
    """Half of the loss went to the count: as much as a count alone gets for half of the loss."""
    alone = FIRST.replace(", sum(least(amount, 3000)) AS cost", "")
    half = str(Decimal(LOSS) / 2)
    answer = _again(guests[OPERATOR], alone, half)
    assert list(answer.rows) == [row[:2] for row in first.rows]
    finer = _anew(guests[OPERATOR], alone, LOSS)
    assert list(finer.rows) != list(answer.rows)
    # From now on everybody is given the finer one, also who asks for less.
    assert _again(guests[RIVAL], f"{alone} LIMIT 14", "0.1").rows == finer.rows


def test_cells_of_two_answers_are_put_together(guests: Guests) -> None:
    operator = guests[OPERATOR]
    by_sex = "SELECT sex, {} FROM claims c JOIN persons p USING (person_id) GROUP BY sex"
    counts = _anew(operator, by_sex.format(N), "0.06")
    sums = _anew(operator, by_sex.format(COST), "0.06")
    both = _again(operator, by_sex.format(f"{N}, {COST}"), "0.12")
    assert list(both.rows) == [(*a, b[1]) for a, b in zip(counts.rows, sums.rows, strict=True)]
    receipt = operator.receipt(both.operation)
    entry = verify_receipt(receipt["proof"], receipt["log_key"]).entry
    assert entry is not None
    assert entry.data["released"] == sorted([counts.receipt.index, sums.receipt.index])


def test_other_bounds_values_or_relations_are_measured_anew(guests: Guests, first: Answer) -> None:
    """The negative twin: nothing that changes what is measured is taken for the same."""
    operator = guests[OPERATOR]
    seen = [row[1] for row in first.rows]
    for changed in (
        FIRST.replace("3000", "3001"),
        FIRST.replace(
            "JOIN persons p USING (person_id)", "JOIN persons p USING (person_id) WHERE amount > 0"
        ),
        FIRST.replace("region", "sex"),
    ):
        assert seen != [row[1] for row in _anew(operator, changed, "0.2").rows]
    dearer = _anew(operator, FIRST, "0.5")
    assert [row[1] for row in dearer.rows] != seen


def test_every_free_answer_has_a_receipt_that_opens(guests: Guests, first: Answer) -> None:
    operator = guests[OPERATOR]
    answer = _again(operator, f"{FIRST} ORDER BY cost LIMIT 2")
    receipt = operator.receipt(answer.operation)
    salt, content = bytes.fromhex(receipt["salt"]), receipt["content"].encode()
    report = verify_release(receipt["proof"], receipt["log_key"], salt, content)
    assert report.ok and report.entry is not None
    assert report.entry.kind == "query.derived"
    assert not verify_release(receipt["proof"], receipt["log_key"], salt, content + b" ").ok


def test_a_retry_of_a_free_answer_is_equal_to_the_byte(guests: Guests, first: Answer) -> None:
    operator = guests[OPERATOR]
    sql = f"{FIRST} HAVING count(*) > 10"
    told = [
        operator.query(DATASET, sql, purpose=FREE, epsilon=LOSS, key="derived-1") for _ in range(2)
    ]
    assert json.dumps(told[0].body) == json.dumps(told[1].body)


def test_the_log_adds_up_and_names_what_each_answer_was_made_of(
    guests: Guests, first: Answer, tmp_path: Path
) -> None:
    worlds.check_export(guests[AUDITOR], tmp_path)


def test_the_store_outlives_the_node(
    world: World, guests: Guests, first: Answer, tmp_path: Path
) -> None:
    """Restoring the ledger restores the cells with it: a copy of the file gives the very same answers."""
    copy = worlds.restored(world, tmp_path)
    with served(copy.folder, copy.start) as url, copy.guests(url) as others:
        answer = _again(others[OPERATOR], f"{FIRST} ORDER BY region")
    assert answer.rows == _again(guests[OPERATOR], f"{FIRST} ORDER BY region").rows
    node = open_node(copy.folder, copy.start)
    try:
        worlds.check_books(node)
    finally:
        node.close()
