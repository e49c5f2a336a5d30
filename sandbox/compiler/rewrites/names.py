"""Names: the nearest one that is there, and the table before a name that two tables have."""

from collections.abc import Iterator
from difflib import get_close_matches

from sqlglot import exp

from sandbox.compiler.rewrites.ground import Ground, Rewritten, granted, sources

NEAREST = "takes the nearest name"
QUALIFIED = "names the table"
_NEAR = 0.6


def nearest_table(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Take the granted table whose name is nearest."""
    known = {table.name.lower(): table.name for table in ground.policy.tables}
    for number, source in enumerate(tree.find_all(exp.Table)):
        for near in get_close_matches(source.name.lower(), known, 2, _NEAR):
            if near != source.name.lower():
                changed = tree.copy()
                found = list(changed.find_all(exp.Table))[number]
                found.set("this", exp.to_identifier(known[near]))
                found.set("db", None)
                found.set("catalog", None)
                yield Rewritten(changed, NEAREST)


def nearest_column(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Take the granted column whose name is nearest."""
    name = ground.param("name").split(".")[-1].strip('"').lower()
    known: dict[str, str] = {}
    for select in tree.find_all(exp.Select):
        known |= {column.name.lower(): column.name for _, column in granted(select, ground)}
    for near in get_close_matches(name, known, 3, _NEAR):
        changed = tree.copy()
        for column in changed.find_all(exp.Column):
            if column.name.lower() == name:
                column.set("this", exp.to_identifier(known[near]))
        yield Rewritten(changed, NEAREST)


def qualified(tree: exp.Select, ground: Ground) -> Iterator[Rewritten]:
    """Name a table before the column, each in turn."""
    name = ground.param("name").strip('"').lower()
    for source in sources(tree):
        changed = tree.copy()
        for column in changed.find_all(exp.Column):
            if column.name.lower() == name and not column.table:
                column.set("table", exp.to_identifier(source.alias_or_name))
        yield Rewritten(changed, QUALIFIED)
