"""A small domain for the tests of ingest: people, their claims, the items of a claim, and public weather."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from policies.dataset import (
    Column,
    Dataset,
    Epoch,
    Family,
    ForeignKey,
    Grain,
    Holder,
    SizeClass,
    Source,
    SourceFormat,
    Table,
    UnitPath,
)
from policies.reading.dataset import sql_type
from policies.terms import Accountant, ContributionBound, PartyType, SqlType
from sandbox.worker.ingest.ingest import IngestResult, ingest

SECRET = bytes(range(32))
CAP = 3
Rows = Sequence[Sequence[object]]


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, _type(kind)) for name, kind in types.items())


def _type(kind: str) -> SqlType:
    found = sql_type(kind)
    assert found is not None
    return found


def text_file(path: str) -> Source:
    return Source(SourceFormat.CSV, path, None)


PERSONS = Table(
    name="persons",
    private=True,
    columns=columns(person_id="BIGINT", name="VARCHAR"),
    primary_key=("person_id",),
    unit=UnitPath("person_id", None, False),
    contribution=ContributionBound(1, 1, 1),
    foreign_keys=(),
    epoch=None,
    provenance=None,
    source=text_file("persons.csv"),
)
CLAIMS = Table(
    name="claims",
    private=True,
    columns=columns(
        claim_id="BIGINT", person_id="BIGINT", amount="DECIMAL(12,2)", day="DATE", note="VARCHAR"
    ),
    primary_key=("claim_id",),
    unit=UnitPath("person_id", None, False),
    contribution=ContributionBound(CAP, 1, 1),
    foreign_keys=(ForeignKey(("person_id",), "persons", ("person_id",)),),
    epoch=Epoch("day", Grain.QUARTER, "2024-Q1", "2024-Q2"),
    provenance=None,
    source=text_file("claims.csv"),
)
# An item knows its claim only; whose it is follows from the claim. It has no key of its own, so equal items may occur.
ITEMS = Table(
    name="items",
    private=True,
    columns=columns(claim_ref="BIGINT", drug="VARCHAR", price="DOUBLE"),
    primary_key=(),
    unit=UnitPath("claim_ref", "claims", False),
    contribution=ContributionBound(2, 1, 1),
    foreign_keys=(),
    epoch=None,
    provenance=None,
    source=text_file("items.csv"),
)
WEATHER = Table(
    name="weather",
    private=False,
    columns=columns(region="VARCHAR", day="DATE", rain="DOUBLE"),
    primary_key=("region", "day"),
    unit=None,
    contribution=None,
    foreign_keys=(),
    epoch=None,
    provenance="published by the weather bureau",
    source=text_file("weather.csv"),
)


def dataset(*tables: Table) -> Dataset:
    family = Family("p", "person", 1000, Accountant.PURE_EPS, 2 * 10**9, 40 * 10**9, 0)
    return Dataset(
        "d", 1, Holder("h", PartyType.ADMIN_UNIT), family, SizeClass.S, tables, "sha256:" + "0" * 64
    )


def one(**types: str) -> Dataset:
    """Return a dataset of one private table `t` without key or cap; the first column is the unit."""
    table = replace(
        PERSONS,
        name="t",
        columns=columns(**types),
        primary_key=(),
        unit=UnitPath(next(iter(types)), None, False),
        contribution=ContributionBound(1000, 1, 1),
        source=text_file("t.csv"),
    )
    return dataset(table)


@dataclass(frozen=True, slots=True)
class World:
    """A source folder and an output folder."""

    sources: Path
    output: Path

    def write(self, table: Table, rows: Rows) -> None:
        """Write rows as CSV: None is an empty field, everything else is quoted if need be."""
        assert table.source is not None
        with (self.sources / table.source.path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([column.name for column in table.columns])
            writer.writerows(rows)

    def raw(self, name: str, content: bytes) -> None:
        (self.sources / name).write_bytes(content)

    def take_in(self, made: Dataset) -> IngestResult:
        return ingest(made, self.sources, self.output, SECRET)

    def report(self) -> Mapping[str, object]:
        found: dict[str, object] = json.loads((self.output / "report.json").read_bytes())
        return found

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return rows_of(self.output / "snapshot.duckdb", query)


def world(folder: Path) -> World:
    made = World(folder / "sources", folder / "output")
    made.sources.mkdir(parents=True)
    made.output.mkdir()
    return made


def rows_of(snapshot: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]


def by_unit(snapshot: Path, tables: Iterable[str]) -> dict[bytes, dict[str, list[str]]]:
    """Return what each unit has in each table, by its original key: dense codes mean nothing between two snapshots."""
    found: dict[bytes, dict[str, list[str]]] = {}
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        for (key,) in connection.execute("SELECT unit_key FROM _ky_units").fetchall():
            found[bytes(key)] = {}
        for table in tables:
            rows = connection.execute(
                f"SELECT unit_key, t.* EXCLUDE (_ky_unit) FROM {table} t "
                "JOIN _ky_units ON code = _ky_unit"
            ).fetchall()
            for key, *values in rows:
                found[bytes(key)].setdefault(table, []).append(repr(values))
    return {
        key: {name: sorted(rows) for name, rows in tables.items()} for key, tables in found.items()
    }
