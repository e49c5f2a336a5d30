"""Random questions over nested relations, in words that plain DuckDB understands as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.fuzz.chains import Chains
from tests.fuzz.measures import ORDERS, Measure, measure
from tests.fuzz.tables import Table
from tests.fuzz.world import World

DEPTH_MAX = 3
_WIDTHS = (0, 0, 1, 1, 2)  # how many keys


@dataclass(frozen=True, slots=True)
class Nested:
    """A question: `keys` columns first, then `aggregates` by the names they are compared by.

    `plain` is what DuckDB is asked instead, where it must tell more than the answer.
    """

    sql: str
    keys: int
    aggregates: tuple[str, ...]
    productions: frozenset[str]
    plain: str | None = None


def nested_question(world: World, rng: Random) -> Nested:
    """Return a random question: keys and aggregates over a nested relation."""
    tables = Chains(world, rng)
    table = tables.outermost(rng.randint(1, DEPTH_MAX))
    alias = tables.name()
    found = [c for c in table.columns if c.grouped]
    keys = [f"{alias}.{c.name}" for c in rng.sample(found, min(len(found), rng.choice(_WIDTHS)))]

    def condition() -> str:
        return tables.condition(table, alias)

    clause, shown, productions = _grouped(keys, rng)
    made = [measure(table, alias, rng, condition) for _ in range(rng.randint(1, 3))]
    if len(shown) > len(keys):  # totals of several sets have no order statistics
        made = [m for m in made if m.name not in ORDERS] or [Measure("count", *["count(*)"] * 2)]
    conditions = [f"{key} IS NOT NULL" for key in keys] if len(shown) > len(keys) else []
    conditions += [condition()] if rng.random() < 0.3 else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    (before, source), with_ = _written(table, alias, rng)
    sql, plain = (
        f"{before}SELECT {_items([*shown, *calls])} FROM {source}{where}{clause}"
        for calls in ([m.text for m in made], [m.plain for m in made])
    )
    names = tuple(m.name for m in made)
    productions |= table.productions | with_ | {f"aggregate.{n}" for n in names}
    productions |= {"aggregate.filter"} if any(" FILTER " in m.text for m in made) else set()
    return Nested(sql, len(shown), names, productions, plain)


def _items(texts: Sequence[str]) -> str:
    return ", ".join(f"{text} AS o{index}" for index, text in enumerate(texts))


def _grouped(keys: list[str], rng: Random) -> tuple[str, list[str], frozenset[str]]:
    """Return the GROUP BY clause, the columns that name a group, and what was used for it."""
    if not keys:
        return "", [], frozenset()
    listed = ", ".join(keys)
    if rng.random() < 0.6:
        return f" GROUP BY {listed}", keys, frozenset({"keys"})
    first, last = keys[0], keys[-1]
    form, made = rng.choice(
        (
            (f"ROLLUP ({listed})", "rollup"),
            (f"CUBE ({listed})", "cube"),
            (f"GROUPING SETS (({listed}), ({last}), ())", "grouping_sets"),
            (f"{first}, ROLLUP ({last})", "rollup")
            if first != last
            else (f"CUBE ({first})", "cube"),
        )
    )
    return f" GROUP BY {form}", [*keys, f"grouping({listed})"], frozenset({made})


def _written(table: Table, alias: str, rng: Random) -> tuple[tuple[str, str], frozenset[str]]:
    """Return the relation as a subquery or as a WITH entry."""
    if table.text.startswith("(") and rng.random() < 0.4:
        return (f"WITH {alias}x AS {table.text} ", f"{alias}x AS {alias}"), frozenset({"with"})
    return ("", f"{table.text} AS {alias}"), frozenset()
