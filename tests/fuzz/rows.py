"""Rows for a world, as text: ordinary people, or people at the ends of every type.

A database is a mapping from table to rows; a row holds text or None and is read by the engine as the declared types, so
that what Python has no value for (infinite days, years before 1) can stand in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb

from policies.terms import TypeKind
from tests.fuzz.world import WHOLE, Field, Sheet, World

Row = tuple[str | None, ...]
Rows = Mapping[str, tuple[Row, ...]]

_INTEGER_ENDS = {TypeKind.INTEGER: 31, TypeKind.BIGINT: 63, TypeKind.HUGEINT: 127}
_ENDS: Mapping[TypeKind, tuple[str, ...]] = {
    TypeKind.BOOLEAN: ("true", "false"),
    TypeKind.DOUBLE: ("nan", "inf", "-inf", "-0.0", "1e308", "-1e308", "5e-324", "0.5", "1e17"),
    TypeKind.VARCHAR: (
        "",
        " ",
        "%",
        "_\\",
        "-1",
        "nan",
        "2024-02-30",
        "1e999",
        "长沙💀",
        "x" * 300,
    ),
    TypeKind.DATE: (
        "infinity",
        "-infinity",
        "0001-01-01",
        "9999-12-31",
        "5881580-07-10",
        "2024-02-29",
    ),
    TypeKind.TIMESTAMP: (
        "infinity",
        "-infinity",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "2024-02-29 12:34:56.789",
        "294247-01-10 04:00:54.775806",
    ),
}
TEXT_UNITS = ("", "i1:1", "a", "b", "ä", "张三", "zz", "-1", "0", "1", "z" * 60)


@dataclass(frozen=True, slots=True)
class Mood:
    """What the rows are like.

    extreme   share of values at the end of their type, outside their declared domain, or NULL
    heavy     rows of the one heavy unit in each table of many rows per unit
    tidy      no primary key twice: which of the two rows stays is ingest's choice, and not plain SQL
    """

    extreme: float
    heavy: int
    tidy: bool


ORDINARY = Mood(extreme=0.0, heavy=30, tidy=True)
NASTY = Mood(extreme=0.35, heavy=60, tidy=True)
NEIGHBOURLY = Mood(extreme=0.15, heavy=40, tidy=False)


def generate(world: World, rng: Random, mood: Mood) -> Rows:
    """Return rows with a heavy unit, units in one table only, rows that belong to nobody, and sometimes no rows at all."""
    units = _units(world, rng)
    made: dict[str, tuple[Row, ...]] = {}
    for sheet in world.sheets:
        if mood.extreme and rng.random() < 0.08:
            made[sheet.name] = ()
        elif sheet.parent is not None:
            made[sheet.name] = _children(world, sheet, made, (rng, mood))
        elif sheet.unit is not None:
            made[sheet.name] = _private(sheet, units, (rng, mood))
        else:
            made[sheet.name] = _public(sheet, rng)
    return made


def without(world: World, rows: Rows, unit: str) -> Rows:
    """Return the raw input without one unit: all its rows in every private table, as a holder would have removed them."""
    left: dict[str, tuple[Row, ...]] = {}
    for sheet in world.sheets:
        if sheet.unit is None or sheet.parent is not None:
            left[sheet.name] = rows[sheet.name]
            continue
        place = _place(sheet, sheet.unit)
        left[sheet.name] = tuple(row for row in rows[sheet.name] if row[place] != unit)
    for sheet in world.sheets:
        if sheet.parent is not None and sheet.unit is not None:
            gone = _keys(world.sheet(sheet.parent), rows) - _keys(world.sheet(sheet.parent), left)
            place = _place(sheet, sheet.unit)
            left[sheet.name] = tuple(row for row in rows[sheet.name] if row[place] not in gone)
    return left


def units_of(world: World, rows: Rows) -> tuple[str, ...]:
    """Return the units that have rows, sorted as ingest numbers them within one kind: by text."""
    found = {
        row[_place(sheet, sheet.unit)]
        for sheet in world.private
        if sheet.unit is not None and sheet.parent is None
        for row in rows[sheet.name]
    }
    return tuple(sorted(unit for unit in found if unit is not None))


def write(world: World, rows: Rows, path: Path) -> None:
    """Write the rows into a database file with the declared types."""
    with duckdb.connect(str(path)) as connection:
        load(world, rows, connection)


def load(world: World, rows: Rows, connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of a world in an open database."""
    for sheet in world.sheets:
        lists = [list(column) for column in zip(*rows[sheet.name], strict=True)]
        lists = lists or [[] for _ in sheet.fields]
        columns = ", ".join(
            f'CAST(unnest($c{index}::VARCHAR[]) AS {field.type}) AS "{field.name}"'
            for index, field in enumerate(sheet.fields)
        )
        connection.execute(
            f'CREATE TABLE "{sheet.name}" AS SELECT {columns}',
            {f"c{index}": values for index, values in enumerate(lists)},
        )


def _units(world: World, rng: Random) -> list[str]:
    sheet = next(sheet for sheet in world.private if sheet.parent is None)
    kind = sheet.field(str(sheet.unit)).type.kind
    if kind is TypeKind.VARCHAR:
        return rng.sample(TEXT_UNITS, rng.randint(2, len(TEXT_UNITS)))
    ends = _INTEGER_ENDS[kind]
    found = {rng.randint(-3, 30) for _ in range(rng.randint(2, 14))}
    found |= {rng.choice((-(2**ends), 2**ends - 1, 0))}
    return [str(unit) for unit in sorted(found)]


def _private(sheet: Sheet, units: Sequence[str], how: tuple[Random, Mood]) -> tuple[Row, ...]:
    rng, mood = how
    single = sheet.key == (sheet.unit,)
    heavy = rng.choice(units)
    owners: list[str | None] = []
    for unit in units:
        if rng.random() < 0.2:
            continue  # a unit of other tables only
        count = 1 if single else rng.choice((0, 1, 1, 2, 5))
        owners += [unit] * (mood.heavy if unit == heavy and not single else count)
    if not single or not mood.tidy:
        owners += [None] * rng.randint(0, 3)
    rng.shuffle(owners)
    rows = [_row(sheet, owner, number, how) for number, owner in enumerate(owners)]
    return tuple(rows if mood.tidy or single else _repeating(sheet, rows, rng))


def _repeating(sheet: Sheet, rows: list[Row], rng: Random) -> list[Row]:
    """Give some rows the primary key of another row of the same unit: ingest keeps one of the two."""
    places = [_place(sheet, name) for name in sheet.key]
    owner = _place(sheet, sheet.unit)
    seen: dict[str | None, Row] = {}
    found = []
    for row in rows:
        other = seen.setdefault(row[owner], row)
        if rng.random() < 0.15:
            row = tuple(other[i] if i in places else cell for i, cell in enumerate(row))
        found.append(row)
    return found


def _row(sheet: Sheet, owner: str | None, number: int, how: tuple[Random, Mood]) -> Row:
    rng, mood = how
    values: list[str | None] = []
    for field in sheet.fields:
        if field.name == sheet.unit:
            values.append(owner)
        elif field.name in sheet.key:
            values.append(str(number))
        else:
            values.append(value(field, rng, mood.extreme))
    return tuple(values)


def _children(world: World, sheet: Sheet, made: Rows, how: tuple[Random, Mood]) -> tuple[Row, ...]:
    rng, mood = how
    keys = sorted(_keys(world.sheet(str(sheet.parent)), made))
    owners: list[str | None] = [rng.choice(keys) for _ in range(2 * len(keys))] if keys else []
    owners += [None, "999999"]  # belongs to nobody, belongs to a claim that is not there
    owners += keys[:1] * mood.heavy
    rng.shuffle(owners)
    return tuple(_row(sheet, owner, number, how) for number, owner in enumerate(owners))


def _public(sheet: Sheet, rng: Random) -> tuple[Row, ...]:
    made: dict[Row, Row] = {}
    for _ in range(rng.randint(3, 25)):
        row = tuple(value(field, rng, 0.0) for field in sheet.fields)
        made.setdefault(tuple(row[_place(sheet, name)] for name in sheet.key) or row, row)
    return tuple(made.values())


def _keys(sheet: Sheet, rows: Rows) -> set[str]:
    place = _place(sheet, sheet.key[0])
    found = {row[place] for row in rows[sheet.name]}
    return {key for key in found if key is not None}


def _place(sheet: Sheet, name: str | None) -> int:
    return [field.name for field in sheet.fields].index(str(name))


def value(field: Field, rng: Random, extreme: float) -> str | None:
    """Return a value of a column: declared, or with the given share NULL, undeclared, or at the end of its type."""
    if rng.random() < extreme:
        return None if rng.random() < 0.3 else rng.choice(_ends(field))
    if field.listed:
        found = rng.choice(field.listed)
        return None if found is None else str(found)
    if field.bounds is not None:
        return _within(field, rng)
    return _plain(field, rng)


def _ends(field: Field) -> tuple[str, ...]:
    kind = field.type.kind
    if kind in WHOLE:
        most = 2 ** _INTEGER_ENDS[kind]
        return (str(most - 1), str(-most), "0", "-1", "7", "1000")
    if kind is TypeKind.DECIMAL:
        digits = "9" * (field.type.precision - field.type.scale) + "." + "9" * field.type.scale
        return (digits, f"-{digits}", "0", "1", "-1")
    return _ENDS[kind]


def _within(field: Field, rng: Random) -> str:
    assert field.bounds is not None
    lower, upper = field.bounds
    if isinstance(lower, date) and isinstance(upper, date):
        return (lower + timedelta(days=rng.randint(0, (upper - lower).days))).isoformat()
    assert isinstance(lower, Decimal) and isinstance(upper, Decimal)
    if field.type.kind in WHOLE:
        return str(rng.randint(int(lower), int(upper)))
    share = Decimal(rng.randint(0, 10**6)) / 10**6
    found = lower + (upper - lower) * share
    if field.type.kind is TypeKind.DOUBLE:
        return str(float(found))
    places = field.type.scale
    most = Decimal(10) ** (field.type.precision - places) - Decimal(1).scaleb(-places)
    return str(max(-most, min(most, found)).quantize(Decimal(1).scaleb(-places)))


def _plain(field: Field, rng: Random) -> str:
    match field.type.kind:
        case TypeKind.BOOLEAN:
            return rng.choice(("true", "false"))
        case TypeKind.VARCHAR:
            return rng.choice(
                ("Alice", "Bob", "bob ", "O'Neill", "12", "-3", "2001-05-06", "é", "")
            )
        case TypeKind.TIMESTAMP:
            seconds = rng.randint(0, 3 * 10**7)
            return (datetime(2024, 1, 1) + timedelta(seconds=seconds)).isoformat(sep=" ")
        case TypeKind.DATE:
            return (date(2000, 1, 1) + timedelta(days=rng.randint(0, 9000))).isoformat()
        case TypeKind.DOUBLE:
            return str(rng.choice((rng.random() * 1000, float(rng.randint(-9, 9)), -0.25)))
        case TypeKind.DECIMAL:
            return "1"
        case _:
            return str(rng.randint(-20, 2000))
