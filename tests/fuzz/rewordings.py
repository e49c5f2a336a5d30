"""Questions in parts, so that one and the same can be put in other words."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from tests.fuzz.chains import Chains
from tests.fuzz.measures import ORDERS, measure
from tests.fuzz.tables import Table
from tests.fuzz.world import World


@dataclass(frozen=True, slots=True)
class Parts:
    """A question: conjuncts are alternatives joined by OR; `table` is the text after FROM, called `alias`."""

    before: str
    table: str
    alias: str
    keys: tuple[str, ...]
    by: tuple[str, ...]
    calls: tuple[str, ...]
    conjuncts: tuple[tuple[str, ...], ...]

    @property
    def sql(self) -> str:
        """Return the text."""
        items = ", ".join(f"{item} AS o{i}" for i, item in enumerate((*self.keys, *self.calls)))
        told = " AND ".join(f"({' OR '.join(each)})" for each in self.conjuncts)
        where = f" WHERE {told}" if told else ""
        grouped = f" GROUP BY {', '.join(self.by)}" if self.by else ""
        return f"{self.before}SELECT {items} FROM {self.table} AS {self.alias}{where}{grouped}"


def parts(world: World, rng: Random, depth: int, orders: bool) -> tuple[Parts, Table]:
    """Return a random question over a nested relation, with order statistics only where asked for, and that relation."""
    tables = Chains(world, rng)
    table = tables.private(depth)
    alias = tables.name()

    def condition() -> str:
        return tables.condition(table, alias)

    found = [c for c in table.columns if c.grouped]
    keys = tuple(f"{alias}.{c.name}" for c in rng.sample(found, min(len(found), 2)))
    made = [measure(table, alias, rng, condition) for _ in range(rng.randint(1, 3))]
    calls = tuple(m.text for m in made if orders or m.name not in ORDERS) or ("count(*)",)
    conjuncts = tuple(
        tuple(condition() for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 3))
    )
    return Parts("", table.text, alias, keys, keys, calls, conjuncts), table


def renamed(asked: Parts, _: Random) -> str:
    """Call every relation and every made-up column by another name."""
    return re.sub(r"\b([to])(\d+)(x?)\b", r"zq_\1\g<2>\3", asked.sql)


def reordered(asked: Parts, rng: Random) -> str:
    """Put conjuncts, alternatives and keys into another order."""
    mixed = [tuple(rng.sample(each, len(each))) for each in asked.conjuncts]
    rng.shuffle(mixed)
    return replace(asked, conjuncts=tuple(mixed), by=tuple(rng.sample(asked.by, len(asked.by)))).sql


def respaced(asked: Parts, rng: Random) -> str:
    """Change white space, comments, and the case of whatever is not a quoted text."""

    def spaced(piece: str) -> str:
        cased = rng.choice((piece.upper(), piece.lower(), piece.title()))
        spread = re.sub(" ", lambda _: rng.choice(("\n", "  ", "\t", " ")), cased)
        return re.sub(",", lambda _: rng.choice((", /* 'and' */", " ,", ", -- so\n")), spread)

    pieces = re.split(r"('[^']*')", asked.sql)
    return "".join(piece if index % 2 else spaced(piece) for index, piece in enumerate(pieces))


def wrapped(asked: Parts, _: Random) -> str:
    """Put the relation into a subquery that changes nothing."""
    return replace(asked, table=f"(SELECT * FROM {asked.table})").sql


def entitled(asked: Parts, _: Random) -> str:
    """Put the relation into a WITH entry."""
    return replace(asked, before=f"WITH entry AS (SELECT * FROM {asked.table}) ", table="entry").sql


def parted(asked: Parts, rng: Random, condition: str) -> str:
    """Split the relation by a condition and everything else, and put it together again."""
    inner = f"{asked.table} AS {asked.alias}"
    one, other = f"({condition}) IS TRUE", f"({condition}) IS NOT TRUE"
    both = [one, other] if rng.random() < 0.5 else [other, one]
    halves = " UNION ALL ".join(f"SELECT * FROM {inner} WHERE {half}" for half in both)
    return replace(asked, table=f"({halves})").sql


SAME_DISTRIBUTION: Mapping[str, Callable[[Parts, Random], str]] = {
    "renamed": renamed,
    "reordered": reordered,
    "respaced": respaced,
    "wrapped": wrapped,
    "entitled": entitled,
}
