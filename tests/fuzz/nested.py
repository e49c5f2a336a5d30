"""Random questions over nested relations, in words that plain DuckDB understands as they are."""

from dataclasses import dataclass
from random import Random

from tests.fuzz.tables import Col, Table, Tables
from tests.fuzz.world import World

DEPTH_MAX = 3


@dataclass(frozen=True, slots=True)
class Nested:
    """A question: `keys` columns first, then `aggregates` by name."""

    sql: str
    keys: int
    aggregates: tuple[str, ...]
    productions: frozenset[str]


def nested_question(world: World, rng: Random) -> Nested:
    """Return a random question: keys and aggregates over a nested relation."""
    tables = Tables(world, rng)
    table = tables.private(rng.randint(1, DEPTH_MAX))
    alias = tables.name()
    found = [c for c in table.columns if c.grouped]
    keys = rng.sample(found, min(len(found), rng.choice((0, 0, 1, 1, 2))))
    aggregates = [_aggregate(table, alias, rng) for _ in range(rng.randint(1, 3))]
    items = [f"{alias}.{key.name} AS o{i}" for i, key in enumerate(keys)]
    items += [f"{text} AS o{len(keys) + i}" for i, (_, text) in enumerate(aggregates)]
    where = f" WHERE {tables.condition(table, alias)}" if rng.random() < 0.3 else ""
    grouped = f" GROUP BY {', '.join(f'{alias}.{key.name}' for key in keys)}" if keys else ""
    body, productions = _written(table, alias, rng)
    sql = f"{body[0]}SELECT {', '.join(items)} FROM {body[1]}{where}{grouped}"
    names = tuple(name for name, _ in aggregates)
    return Nested(sql, len(keys), names, productions | {f"aggregate.{n}" for n in names})


def _written(table: Table, alias: str, rng: Random) -> tuple[tuple[str, str], frozenset[str]]:
    """Return the relation as a subquery or as a WITH entry."""
    if table.text.startswith("(") and rng.random() < 0.4:
        return (f"WITH {alias}x AS {table.text} ", f"{alias}x AS {alias}"), table.productions | {
            "with"
        }
    return ("", f"{table.text} AS {alias}"), table.productions


def _aggregate(table: Table, alias: str, rng: Random) -> tuple[str, str]:
    numbers = [c for c in table.columns if c.kind in ("int", "dec", "dbl") and not c.key]
    name = rng.choice(("count", "count", "units", "sum", "sum", "avg"))
    unit = table.unit()
    if name == "units" and unit is not None:
        return "units", f"count(DISTINCT {alias}.{unit.name})"
    if name in ("count", "units") or not numbers:
        if rng.random() < 0.5:
            return "count", "count(*)"
        return "count", f"count({alias}.{rng.choice(table.columns).name})"
    return name, f"{name}({_held(rng.choice(numbers), alias)})"


def _held(col: Col, alias: str) -> str:
    """Return a value with an interval of its own; NULL stays NULL, which least and greatest would not let it."""
    value = f"{alias}.{col.name}"
    if col.bounded:
        return value
    return f"CASE WHEN {value} IS NOT NULL THEN least(greatest({value}, -100), 100) END"
