"""Ingest without one person is ingest, without that person: nobody else's row stays or goes because of it.

The twins replace the keyed rank by one that depends on a dense code, on a place in the file, or on the order of rows. Each
must be caught, or these tests say nothing.
"""

import hashlib
import hmac
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.dataset import Column
from sandbox.worker.ingest import settle
from sandbox.worker.ingest.canonical import keyed_rank, row_content
from sandbox.worker.ingest.names import KEY
from tests.unit.ingest_world import CLAIMS, ITEMS, PERSONS, SECRET, by_unit, dataset, world

TABLES = ("persons", "claims", "items")
DATASET = dataset(PERSONS, CLAIMS, ITEMS)
DAYS = ("2024-01-01", "2024-06-30", "2024-07-01", "", "2023-12-31")


@dataclass(frozen=True, slots=True)
class Raw:
    """The raw rows of a domain, and whose they are; unit 0 is nobody."""

    persons: tuple[tuple[int, tuple[str, ...]], ...]
    claims: tuple[tuple[int, tuple[str, ...]], ...]
    items: tuple[tuple[int, tuple[str, ...]], ...]

    def without(self, unit: int) -> "Raw":
        return Raw(*(tuple(row for row in rows if row[0] != unit) for rows in self.by_table()))

    def by_table(self) -> tuple[tuple[tuple[int, tuple[str, ...]], ...], ...]:
        return self.persons, self.claims, self.items

    def units(self) -> list[int]:
        return sorted({unit for rows in self.by_table() for unit, _ in rows if unit})


@st.composite
def raws(draw: st.DrawFn) -> Raw:
    """Heavy units, NULL units, repeated keys, orphans, wrong values, days outside, units in one table only."""
    dice = draw(st.randoms(use_true_random=False))
    units = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5, unique=True))
    persons, claims, items = [], [], []
    for unit in units:
        if dice.random() < 0.8:
            persons += [(unit, (str(unit), dice.choice("ab")))] * dice.choice((1, 1, 2))
            persons.append((unit, (str(unit), "other")))
        # No person reaches a hundred claims, so the hundreds of a claim's number say whose it is.
        for _ in range(dice.choice((0, 1, 3, 4, 9))):
            number = unit * 100 + dice.randrange(12)
            claims.append((unit, (str(number), str(unit), _amount(dice), _day(dice), "é")))
            for _ in range(dice.choice((0, 1, 5))):
                items.append((unit, (str(number), dice.choice("xyz"), dice.choice(("1", "1.5")))))
    persons.append((0, ("", "nobody")))
    claims.append((0, ("5", "", "1.00", DAYS[0], "")))
    items.append((0, ("7", "orphan", "2")))
    for rows in (persons, claims, items):
        dice.shuffle(rows)
    return Raw(tuple(persons), tuple(claims), tuple(items))


def _amount(dice: random.Random) -> str:
    return dice.choice(("1.00", "2.50", "2.5", "", "wrong"))


def _day(dice: random.Random) -> str:
    return dice.choices(DAYS, weights=(6, 6, 1, 1, 1))[0]


def kept(raw: Raw) -> dict[bytes, dict[str, list[str]]]:
    with tempfile.TemporaryDirectory() as folder:
        here = world(Path(folder))
        for table, rows in zip((PERSONS, CLAIMS, ITEMS), raw.by_table(), strict=True):
            here.write(table, [row for _, row in rows])
        here.take_in(DATASET)
        return by_unit(here.output / "snapshot.duckdb", TABLES)


def canonical(unit: int) -> bytes:
    return f"i{len(str(unit))}:{unit}".encode()


def same_for_others(raw: Raw, unit: int) -> bool:
    whole = kept(raw)
    whole.pop(canonical(unit), None)
    return kept(raw.without(unit)) == whole


@settings(max_examples=20)
@given(raws(), st.data())
def test_removing_one_unit_removes_its_rows_only(raw: Raw, data: st.DataObject) -> None:
    """Sixty pairs of neighbours, eighty databases: each domain loses three people, one after the other."""
    whole = kept(raw)
    for _ in range(3):
        units = raw.units() or [1]
        # The first unit has code 0, so removing it shifts every other code.
        unit = data.draw(st.sampled_from([units[0], units[-1], *units]))
        raw = raw.without(unit)
        whole.pop(canonical(unit), None)
        assert kept(raw) == whole


HEAVY = Raw(
    persons=tuple((unit, (str(unit), "a")) for unit in (1, 2, 3)),
    claims=tuple(
        (unit, (str(unit * 100 + k), str(unit), f"{k}.00", DAYS[0], "n"))
        for unit in (1, 2, 3)
        for k in range(40)
    ),
    items=(),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    rank: Callable[[tuple[Column, ...]], str]


def by_code(columns: tuple[Column, ...]) -> str:
    """Rank by secret, content and the dense code of the unit in place of its key."""
    rows = "settled_0" if columns == PERSONS.columns else "settled_1"
    code = f"(SELECT count(DISTINCT x.{KEY}) FROM {rows} AS x WHERE x.{KEY} < {rows}.{KEY})"
    return (
        f"sha256($outer::BLOB || $inner::BLOB || encode({code}::VARCHAR || {row_content(columns)}))"
    )


def by_place(columns: tuple[Column, ...]) -> str:
    """Rank by secret and the place of the row."""
    return "sha256($outer::BLOB || $inner::BLOB || encode(rowid::VARCHAR))"


def by_order(columns: tuple[Column, ...]) -> str:
    """Rank by the order of rows."""
    return "rowid + 0 * octet_length($outer::BLOB || $inner::BLOB)"


@pytest.mark.parametrize(
    "mutant", [Mutant("code", by_code), Mutant("place", by_place)], ids=lambda m: m.name
)
def test_a_rank_that_others_shift_is_caught(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert same_for_others(HEAVY, 1)
    monkeypatch.setattr(settle, "keyed_rank", mutant.rank)
    assert not same_for_others(HEAVY, 1)


def shuffled(raw: Raw, seed: int) -> Raw:
    dice = random.Random(seed)
    return Raw(*(tuple(dice.sample(rows, len(rows))) for rows in raw.by_table()))


@settings(max_examples=6)
@given(raws(), st.integers(0, 99))
def test_the_order_of_rows_leaves_no_trace(raw: Raw, seed: int) -> None:
    assert kept(raw) == kept(shuffled(raw, seed))


def test_a_rank_by_the_order_of_rows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(HEAVY) == kept(shuffled(HEAVY, 1))
    monkeypatch.setattr(settle, "keyed_rank", by_order)
    assert kept(HEAVY) != kept(shuffled(HEAVY, 1))


def test_another_secret_draws_another_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice is keyed: who knows the rows but not the secret cannot foresee it."""
    first = kept(HEAVY)
    monkeypatch.setattr("tests.unit.ingest_world.SECRET", SECRET[::-1])
    assert kept(HEAVY) != first


def test_the_rank_is_the_one_stated() -> None:
    """Recompute with Python's HMAC which rows of a heavy unit stay."""

    def content(row: tuple[str, ...]) -> str:
        # columns by name: amount, claim_id, day, note, person_id
        texts = (row[2], row[0], row[3], row[4], row[1])
        return "".join(f"v{len(text.encode())}:{text}" for text in texts)

    def rank(row: tuple[str, ...]) -> str:
        message = f"i1:{row[1]}{content(row)}"
        return hmac.new(SECRET, message.encode(), hashlib.sha256).hexdigest()

    mine = [row for unit, row in HEAVY.claims if unit == 2]
    expected = sorted(int(row[0]) for row in sorted(mine, key=rank)[:3])
    found = sorted(int(row.split(",")[0][1:]) for row in kept(HEAVY)[b"i1:2"]["claims"])
    assert found == expected


def test_a_choice_is_stable_when_columns_change_places() -> None:
    turned = replace(CLAIMS, columns=tuple(reversed(CLAIMS.columns)))
    assert keyed_rank(turned.columns) == keyed_rank(CLAIMS.columns)
