"""Grouping by rows that the question brings along is grouping by what they are compared with."""

from decimal import Decimal

import pytest

from policies.refusals import Refused
from policies.terms import ColumnUse
from sandbox.compiler import facts, resolve
from tests.unit.compiler_world import compiled, policy

AMOUNT = "SELECT v.x, count(*) FROM claims c JOIN {v} ON {on} GROUP BY v.x"
SERIES = "(SELECT x FROM generate_series(1, 50) g(x)) v"
VALUES = "(VALUES (1), (2)) v(x)"
FINE = [
    AMOUNT.format(v=SERIES, on="v.x = c.amount"),
    AMOUNT.format(v=VALUES, on="v.x = c.amount"),
    AMOUNT.format(v=VALUES, on="c.amount BETWEEN v.x AND v.x"),
    AMOUNT.format(v=VALUES, on="true WHERE v.x = c.amount"),
    "SELECT q.y, count(*) FROM (SELECT c.person_id, v.x % 9 AS y FROM claims c"
    f" JOIN {SERIES} ON v.x = c.amount) q GROUP BY q.y",
]
COARSE = AMOUNT.format(v=SERIES, on="v.x = CAST(floor(c.amount / 100) AS INTEGER)")
PLAIN = "SELECT c.icd, count(*) FROM claims c JOIN (VALUES (1), (2)) v(x) ON v.x = c.amount GROUP BY c.icd"
BINNED = policy(bins={"claims.amount": Decimal(100)})
NO_GROUP = policy(withdrawn=("claims.amount", ColumnUse.GROUP))


def refusal(sql: str, **asked: object) -> str | None:
    try:
        compiled(sql, **asked)  # type: ignore[arg-type]
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize("sql", FINE)
def test_listed_rows_are_no_way_around_bins(sql: str) -> None:
    assert refusal(sql) is None
    assert refusal(sql, granted=BINNED) == "key_too_fine"


@pytest.mark.parametrize("sql", [*FINE, COARSE])
def test_listed_rows_are_no_way_around_the_grant_to_group(sql: str) -> None:
    assert refusal(sql, granted=NO_GROUP) == "column_use_not_granted"


def test_whole_steps_and_other_keys_are_fine() -> None:
    assert refusal(COARSE, granted=BINNED) is None
    assert refusal(PLAIN, granted=BINNED) is None
    assert refusal(PLAIN, granted=NO_GROUP) is None


def test_keys_that_are_looked_at_alone_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: nobody asks what listed keys are compared with."""
    monkeypatch.setattr(facts, "ties", lambda *_: ())
    monkeypatch.setattr(resolve, "ties", lambda *_: ())
    assert all(refusal(sql, granted=found) is None for sql in FINE for found in (BINNED, NO_GROUP))
