"""More random relations below the release: chains of joins, FULL with coalesce, nested EXISTS, sets against constants."""

from collections.abc import Callable
from dataclasses import replace

from tests.fuzz.tables import Col, Table, Tables, named


class Chains(Tables):
    """Makes relations of more than two parts."""

    def makers(self) -> list[Callable[[int], Table]]:
        """Return the ways of making a relation out of others."""
        more = [
            self._chain,
            self._twice,
            self._nested_exists,
            self._less_constants,
            self._over_some,
        ]
        return [*super().makers(), *more]  # fmt: skip

    def outermost(self, depth: int) -> Table:
        """Return a relation that no other is made of."""
        return self._coalesced(depth - 1) if self.rng.random() < 0.05 else self.private(depth)

    def _chain(self, depth: int) -> Table:
        """LEFT JOIN two more relations, the second on the first and perhaps on the one between."""
        parts = [self.inner(depth), self.inner(0), self.inner(0)]
        (first, a), (second, b), (third, c) = parts
        keys = [_unit(table) for table, _ in parts]
        linked = f"{c}.{keys[2].name} = {a}.{keys[0].name}"
        if self.rng.random() < 0.4:  # on both, of which the second may be missing
            linked += f" AND {c}.{keys[2].name} = {b}.{keys[1].name}"
        items, columns = self._items(first, a, keep_unit=True)
        for table, alias in parts[1:]:
            more, found = self._items(table, alias, keep_unit=False)
            items, columns = items + more, columns + found
        joins = (
            f"LEFT JOIN {named(second, b)} ON {a}.{keys[0].name} = {b}.{keys[1].name} "
            f"LEFT JOIN {named(third, c)} ON {linked}"
        )
        text = f"(SELECT {', '.join(items)} FROM {named(first, a)} {joins})"
        made = first.productions | second.productions | third.productions | {"chain.left"}
        return Table(text, tuple(columns), True, made)

    def _coalesced(self, depth: int) -> Table:
        """FULL JOIN two relations, and call the unit whichever side has it."""
        (left, a), (right, b) = self.inner(depth), self.inner(0)
        ours, theirs = _unit(left), _unit(right)
        unit = self.name()
        items = [f"coalesce({a}.{ours.name}, {b}.{theirs.name}) AS {unit}"]
        columns = [replace(ours, name=unit, unique=False)]
        for table, alias in ((left, a), (right, b)):
            more, found = self._items(table, alias, keep_unit=False)
            items, columns = items + more, columns + found
        on = f"{a}.{ours.name} = {b}.{theirs.name}"
        text = (
            f"(SELECT {', '.join(items)} FROM {named(left, a)} FULL JOIN {named(right, b)} ON {on})"
        )
        made = left.productions | right.productions | {"join.full.coalesce"}
        return Table(text, tuple(columns), True, made)

    def _twice(self, depth: int) -> Table:
        """Use one WITH entry twice: joined with itself, or put below itself."""
        table, entry = self.inner(depth)
        a, b = self.name(), self.name()
        unit = _unit(table)
        start = f"(WITH {entry} AS (SELECT * FROM {named(table, a)}) SELECT"
        if self.rng.random() < 0.5:
            kept = [unit, *(c for c in table.columns if c is not unit and c.kind != "dbl")][:4]
            listed = ", ".join(c.name for c in kept)
            text = f"{start} {listed} FROM {entry} UNION ALL SELECT {listed} FROM {entry})"
            columns = tuple(replace(c, unique=False) for c in kept)
        else:
            on = f"ON {a}.{unit.name} = {b}.{unit.name}"
            text = f"{start} {a}.* FROM {entry} AS {a} JOIN {entry} AS {b} {on})"
            columns = tuple(replace(c, unique=False) for c in table.columns)
        return Table(text, columns, True, table.productions | {"with.twice"})

    def _nested_exists(self, depth: int) -> Table:
        (table, a), (other, b), (third, c) = self.inner(depth), self.inner(0), self.inner(0)
        ours, theirs, last = _unit(table), _unit(other), _unit(third)
        no, not_ = (self.rng.choice(("", "NOT ")) for _ in range(2))
        deepest = f"SELECT 1 FROM {named(third, c)} WHERE {c}.{last.name} = {b}.{theirs.name} AND {self.condition(third, c)}"
        inner = f"SELECT 1 FROM {named(other, b)} WHERE {b}.{theirs.name} = {a}.{ours.name} AND {not_}EXISTS ({deepest})"
        text = f"(SELECT * FROM {named(table, a)} WHERE {no}EXISTS ({inner}))"
        made = table.productions | other.productions | third.productions | {"exists.nested"}
        return Table(text, table.columns, True, made)

    def _less_constants(self, depth: int) -> Table:
        """Take constants away from the rows of people, or keep them alone."""
        table, a = self.inner(depth)
        unit = _unit(table)
        others = [c for c in table.columns if c.kind in ("int", "text") and not c.key]
        kept = [unit, *self.rng.sample(others, min(len(others), 1))]
        kind = self.rng.choice(("EXCEPT", "INTERSECT"))
        rows = ", ".join(
            f"({', '.join(self.rng.choice(_ROWS[c.kind]) for c in kept)})" for _ in range(12)
        )
        alias, names = self.name(), ", ".join(self.name() for _ in kept)
        listed = ", ".join(f"{a}.{c.name}" for c in kept)
        text = f"(SELECT {listed} FROM {named(table, a)} {kind} SELECT * FROM (VALUES {rows}) AS {alias}({names}))"
        columns = tuple(replace(c, unique=False) for c in kept)
        return Table(text, columns, True, table.productions | {"set.constants"})

    def _over_some(self, depth: int) -> Table:
        """Count or add up, over all rows of a person, those that a condition keeps."""
        table, a = self.inner(depth)
        unit, new = _unit(table), self.name()
        exact = [c for c in table.columns if c.bounded and c.kind in ("int", "dec")]
        call, col = "count(*)", None
        if exact and self.rng.random() < 0.6:
            col = self.rng.choice(exact)
            call = f"{self.rng.choice(('min', 'max'))}({a}.{col.name})"
        over = (
            f"{call} FILTER (WHERE {self.condition(table, a)}) OVER (PARTITION BY {a}.{unit.name})"
        )
        text = f"(SELECT {a}.*, {over} AS {new} FROM {named(table, a)})"
        made = Col(new, col.kind if col else "int", False, col is not None)
        return Table(text, (*table.columns, made), True, table.productions | {"window.filter"})

    def _items(self, table: Table, alias: str, keep_unit: bool) -> tuple[list[str], list[Col]]:
        """Return some columns under fresh names; the unit's key stays one where that is asked for."""
        items, columns = [], []
        unit = _unit(table)
        kept = self.kept(table) if keep_unit else self.kept(table)[1:3]
        for col in kept:
            new = self.name()
            items.append(f"{alias}.{col.name} AS {new}")
            is_key = keep_unit and col is unit
            columns.append(replace(col, name=new, unique=False, key=is_key))
        return items, columns


_ROWS = {"int": ("0", "1", "2", "3", "5", "7"), "text": ("'north'", "'C50'", "'a'", "'x'", "'zz'")}


def _unit(table: Table) -> Col:
    unit = table.unit()
    assert unit is not None
    return unit
