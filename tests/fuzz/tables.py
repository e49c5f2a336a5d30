"""Random relations below the release, as SQL that DuckDB and the sandbox read alike: subqueries, joins, sets, windows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from policies.terms import TypeKind
from tests.fuzz.world import NUMERIC, Field, Sheet, World

_KINDS = {
    TypeKind.BOOLEAN: "flag",
    TypeKind.VARCHAR: "text",
    TypeKind.DATE: "date",
    TypeKind.TIMESTAMP: "instant",
    TypeKind.DOUBLE: "dbl",
    TypeKind.DECIMAL: "dec",
}
_CONSTANTS = {
    "text": ("'north'", "'C50'", "'x'", "'a'"),
    "int": ("0", "1", "2", "7"),
    "dec": ("0", "10.5", "100"),
    "dbl": ("0", "1000", "2.5"),
    "date": ("DATE '2024-03-01'", "DATE '2024-09-01'", "DATE '1980-01-01'"),
    "instant": ("TIMESTAMP '2024-03-01 00:00:00'", "TIMESTAMP '2024-09-01 12:00:00'"),
    "flag": ("true", "false"),
}


@dataclass(frozen=True, slots=True)
class Col:
    """A column in reach. `key`: the unit's own key; `grouped`: it has declared values; `bounded`: it may be summed.

    `unique` columns tell all rows apart; `odd` ones depend on ties that plain DuckDB breaks as it likes.
    """

    name: str
    kind: str
    grouped: bool
    bounded: bool
    key: bool = False
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A relation: what stands after FROM, its columns, and whether it holds people."""

    text: str
    columns: tuple[Col, ...]
    private: bool
    productions: frozenset[str]

    def unit(self) -> Col | None:
        """Return a column that holds the unit's key."""
        return next((c for c in self.columns if c.key), None)


class Tables:
    """Makes relations over one world."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self._names = 0

    def name(self) -> str:
        """Return a fresh alias."""
        self._names += 1
        return f"t{self._names}"

    def private(self, depth: int) -> Table:
        """Return a random relation of people whose unit is in sight."""
        if depth <= 0 or self.rng.random() < 0.15:
            return self.base()
        return self.rng.choice(self.makers())(depth - 1)

    def makers(self) -> list[Callable[[int], Table]]:
        """Return the ways of making a relation out of others."""
        return [
            self._selected, self._grouped, self._distinct, self._windowed, self._joined,
            self._joined, self._combined, self._with_public, self._looked_up, self._filtered,
        ]  # fmt: skip

    def condition(self, table: Table, alias: str) -> str:
        """Return a simple condition on a row."""
        col = self.rng.choice(table.columns)
        name = f"{alias}.{col.name}"
        if self.rng.random() < 0.25:
            return f"{name} IS {self.rng.choice(('', 'NOT '))}NULL"
        constant = self.rng.choice(_CONSTANTS[col.kind])
        op = self.rng.choice(("=", "<>", "<", ">=", "IS DISTINCT FROM"))
        return f"{name} {op if col.kind != 'flag' else '='} {constant}"

    def base(self) -> Table:
        """Return a registered table."""
        sheets = [s for s in self.world.private if s.parent is None]
        return _of_sheet(self.rng.choice(sheets))

    def inner(self, depth: int) -> tuple[Table, str]:
        """Return a random relation of people and a name for it."""
        table = self.private(depth)
        return table, self.name()

    def _selected(self, depth: int) -> Table:
        table, alias = self.inner(depth)
        kept = self.kept(table)
        items = [f"{alias}.{c.name}" for c in kept]
        columns = list(kept)
        if self.rng.random() < 0.5:
            number = [c for c in table.columns if c.bounded and c.kind in ("int", "dec", "dbl")]
            if number:
                col = self.rng.choice(number)
                new = self.name()
                form = self.rng.choice(("coalesce({}, 0)", "({} * 2)", "abs({})"))
                items.append(f"{form.format(f'{alias}.{col.name}')} AS {new}")
                columns.append(replace(col, name=new, grouped=False, unique=False, key=False))
        where = f" WHERE {self.condition(table, alias)}" if self.rng.random() < 0.6 else ""
        text = f"(SELECT {', '.join(items)} FROM {named(table, alias)}{where})"
        return Table(text, tuple(columns), True, table.productions | {"subquery"})

    def _filtered(self, depth: int) -> Table:
        """Keep rows by EXISTS or IN over another relation of people."""
        table, alias = self.inner(depth)
        other, inner = self.inner(min(depth, 1))
        ours, theirs = table.unit(), other.unit()
        assert ours and theirs
        no = self.rng.choice(("", "NOT "))
        if self.rng.random() < 0.5:
            extra = f" AND {self.condition(other, inner)}" if self.rng.random() < 0.5 else ""
            link = f"{inner}.{theirs.name} = {alias}.{ours.name}"
            test = f"{no}EXISTS (SELECT 1 FROM {named(other, inner)} WHERE {link}{extra})"
            made = "exists"
        else:
            part = f"SELECT {inner}.{theirs.name} FROM {named(other, inner)}"
            test = f"{alias}.{ours.name} {no}IN ({part})"
            made = "in"
        text = f"(SELECT * FROM {named(table, alias)} WHERE {test})"
        return Table(text, table.columns, True, table.productions | other.productions | {made})

    def _grouped(self, depth: int) -> Table:
        table, alias = self.inner(depth)
        unit = table.unit()
        assert unit
        keys = [c for c in self.kept(table) if not c.key and self.rng.random() < 0.3]
        items = [f"{alias}.{c.name}" for c in (unit, *keys)]
        columns = [replace(unit, unique=not keys), *(replace(c, unique=False) for c in keys)]
        for _ in range(self.rng.randint(1, 3)):
            call, kind, grouped, bounded = self._row_aggregate(table, alias)
            new = self.name()
            items.append(f"{call} AS {new}")
            columns.append(Col(new, kind, grouped, bounded))
        having = " HAVING count(*) >= 1" if self.rng.random() < 0.2 else ""
        by = ", ".join(f"{alias}.{c.name}" for c in (unit, *keys))
        text = f"(SELECT {', '.join(items)} FROM {named(table, alias)} GROUP BY {by}{having})"
        return Table(text, tuple(columns), True, table.productions | {"group"})

    def _row_aggregate(self, table: Table, alias: str) -> tuple[str, str, bool, bool]:
        numbers = [c for c in table.columns if c.bounded and c.kind in ("int", "dec", "dbl")]
        if not numbers or self.rng.random() < 0.25:
            return "count(*)", "int", False, False
        col = self.rng.choice(numbers)
        name = f"{alias}.{col.name}"
        if self.rng.random() < 0.2:
            chosen = self.rng.choice(table.columns)
            return f"count(DISTINCT {alias}.{chosen.name})", "int", False, False
        call = self.rng.choice(("min", "max", "sum", "avg", "median"))
        kind = "dbl" if call in ("avg", "median") and col.kind != "dec" else col.kind
        kind = "dbl" if call == "avg" else kind
        return f"{call}({name})", kind, False, call != "sum"

    def _distinct(self, depth: int) -> Table:
        table, alias = self.inner(depth)
        kept = [c for c in self.kept(table) if c.kind not in ("dbl",) or c.key]
        columns = tuple(replace(c, unique=len(kept) == 1) for c in kept)
        text = f"(SELECT DISTINCT {', '.join(f'{alias}.{c.name}' for c in kept)} FROM {named(table, alias)})"
        return Table(text, columns, True, table.productions | {"distinct"})

    def _windowed(self, depth: int) -> Table:
        table, alias = self.inner(depth)
        unit = table.unit()
        assert unit
        order = next((c for c in table.columns if c.unique), None)
        ordered = self.rng.choice(table.columns)
        new = self.name()
        over = f"PARTITION BY {alias}.{unit.name}"
        kind, bounded = "int", False
        if order is not None and self.rng.random() < 0.6:
            over += f" ORDER BY {alias}.{order.name}"
            moved = self.rng.choice(
                [c for c in table.columns if c.kind in ("int", "dec", "date")] or [order]
            )
            call, kind, bounded = self.rng.choice(
                (
                    ("row_number()", "int", False),
                    (f"lag({alias}.{moved.name})", moved.kind, moved.bounded),
                    (f"first_value({alias}.{moved.name})", moved.kind, moved.bounded),
                )
            )
        else:
            over += f" ORDER BY {alias}.{ordered.name}"
            call = self.rng.choice(("rank()", "dense_rank()", "count(*)"))
        window = f"{call} OVER ({over})"
        made = Col(new, kind, False, bounded)
        if kind == "int" and not bounded and self.rng.random() < 0.5:
            text = f"(SELECT * FROM {named(table, alias)} QUALIFY {window} <= {self.rng.randint(1, 3)})"
            return Table(text, table.columns, True, table.productions | {"qualify"})
        text = f"(SELECT {alias}.*, {window} AS {new} FROM {named(table, alias)})"
        return Table(text, (*table.columns, made), True, table.productions | {"window"})

    def _joined(self, depth: int) -> Table:
        """Join two relations of people on their unit, and write the outcome out under fresh names."""
        (left, a), (right, b) = self.inner(depth), self.inner(min(depth, 1))
        ours, theirs = left.unit(), right.unit()
        assert ours and theirs
        side = self.rng.choice(("", "", "LEFT ", "RIGHT ", "FULL "))
        extra = f" AND {self.condition(right, b)}" if self.rng.random() < 0.3 else ""
        kept = self.kept(left)
        items = [f"{a}.{c.name}" for c in kept]
        columns = [replace(c, unique=False, key=c.key and side in ("", "LEFT ")) for c in kept]
        for col in self.rng.sample(right.columns, min(3, len(right.columns))):
            new = self.name()
            items.append(f"{b}.{col.name} AS {new}")
            columns.append(
                replace(col, name=new, unique=False, key=col.key and side in ("", "RIGHT "))
            )
        on = f"{a}.{ours.name} = {b}.{theirs.name}{extra}"
        text = f"(SELECT {', '.join(items)} FROM {named(left, a)} {side}JOIN {named(right, b)} ON {on})"
        found = Table(
            text,
            tuple(columns),
            True,
            left.productions | right.productions | {f"join.{side.strip().lower() or 'inner'}"},
        )
        return found if found.unit() is not None else self.base()

    def _combined(self, depth: int) -> Table:
        left, a = self.inner(depth)
        right, b = self.inner(min(depth, 1))
        ours, theirs = left.unit(), right.unit()
        assert ours and theirs
        pairs = [(ours, theirs)]
        for col in left.columns:
            match = [o for o in right.columns if o.kind == col.kind and not o.key and not col.key]
            if match and not col.key and col.kind in ("int", "text", "date", "flag"):
                pairs.append((col, self.rng.choice(match)))
        pairs = pairs[: self.rng.randint(1, 3)]
        kind = self.rng.choice(
            (
                "UNION ALL",
                "UNION ALL",
                "UNION",
                "EXCEPT",
                "INTERSECT",
                "EXCEPT ALL",
                "INTERSECT ALL",
            )
        )
        first = ", ".join(f"{a}.{x.name}" for x, _ in pairs)
        second = ", ".join(f"{b}.{y.name}" for _, y in pairs)
        text = (
            f"(SELECT {first} FROM {named(left, a)} {kind} SELECT {second} FROM {named(right, b)})"
        )
        columns = tuple(
            replace(
                x, grouped=x.grouped and y.grouped, bounded=x.bounded and y.bounded, unique=False
            )
            for x, y in pairs
        )
        made = {f"set.{kind.lower().replace(' ', '_')}"}
        return Table(text, columns, True, left.productions | right.productions | made)

    def _with_public(self, depth: int) -> Table:
        """Join a public table, VALUES or a series."""
        table, alias = self.inner(depth)
        texts = [c for c in table.columns if c.kind == "text" and not c.key]
        b, new = self.name(), self.name()
        side = self.rng.choice(("", "LEFT "))
        if texts and self.rng.random() < 0.6:
            col = self.rng.choice(texts)
            rows = "(VALUES ('north', 1), ('south', 2), ('C50', 3), ('a', 4), ('x', 5))"
            join = f"{side}JOIN {rows} AS {b}(w, n) ON {b}.w = {alias}.{col.name}"
            item, made = f"{b}.n AS {new}", Col(new, "int", True, True)
        else:
            join = f"CROSS JOIN (SELECT r.i FROM range({self.rng.randint(1, 3)}) AS r(i)) AS {b}"
            item, made = f"{b}.i AS {new}", Col(new, "int", True, True)
        columns = (*(replace(c, unique=False) for c in table.columns), made)
        text = f"(SELECT {alias}.*, {item} FROM {named(table, alias)} {join})"
        return Table(text, columns, True, table.productions | {"join.constants"})

    def _looked_up(self, depth: int) -> Table:
        """Add a scalar subquery over the rows of the same person."""
        table, alias = self.inner(depth)
        other, inner = self.inner(min(depth, 1))
        ours, theirs = table.unit(), other.unit()
        assert ours and theirs
        call, kind, grouped, bounded = self._row_aggregate(other, inner)
        new = self.name()
        part = f"SELECT {call} FROM {named(other, inner)} WHERE {inner}.{theirs.name} = {alias}.{ours.name}"
        text = f"(SELECT {alias}.*, ({part}) AS {new} FROM {named(table, alias)})"
        columns = (*table.columns, Col(new, kind, grouped, bounded))
        return Table(text, columns, True, table.productions | other.productions | {"scalar"})

    def kept(self, table: Table) -> list[Col]:
        """Return some of the columns, the unit's key among them."""
        unit = table.unit()
        assert unit
        rest = [c for c in table.columns if c is not unit and self.rng.random() < 0.7]
        return [unit, *rest]


def named(table: Table, alias: str) -> str:
    """Return a relation under a name, as after FROM."""
    return f"{table.text} AS {alias}"


def _of_sheet(sheet: Sheet) -> Table:
    columns = tuple(_column(sheet, field) for field in sheet.fields)
    return Table(sheet.name, columns, True, frozenset({"from"}))


def _column(sheet: Sheet, field: Field) -> Col:
    numeric = field.type.kind in NUMERIC
    kind = _KINDS.get(field.type.kind, "int")
    key = field.name == sheet.unit and sheet.parent is None
    grouped = bool(field.listed) or field.type.kind is TypeKind.BOOLEAN
    bounded = numeric and field.bounds is not None
    unique = sheet.key == (field.name,)
    return Col(field.name, kind, grouped and not key, bounded, key, unique)
