"""The database that the corpora speak of: a sound one, and one made of everything that breaks queries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from policies.drafting.schema import SchemaTable
from policies.infer import infer
from policies.reading.facts import load_public_facts
from tests.lab.declared import read_catalogue

HERE = Path(__file__).parent
PERSONS = 400
_SCHEMA = (
    "CREATE TABLE persons (person_id BIGINT PRIMARY KEY, name VARCHAR, id_card VARCHAR, region VARCHAR, birth DATE, "
    "sex VARCHAR, income DOUBLE)",
    "CREATE TABLE claims (claim_id BIGINT, person_id BIGINT, hospital VARCHAR, icd VARCHAR, amount DECIMAL(12,2), "
    "day DATE)",
    "CREATE TABLE weather (region VARCHAR, day DATE, rain_mm DOUBLE)",
)
_WEATHER = (
    "INSERT INTO weather SELECT ['north', 'south', 'east', 'west'][1 + d % 4], DATE '2024-01-01' + d::INTEGER, "
    "(d * 7 % 40)::DOUBLE FROM range(366) days(d)"
)
# Every value is a function of the person's number, so that the file is the same on every machine.
_SOUND = (
    f"INSERT INTO persons SELECT i, CASE WHEN i = 17 THEN 'Alice' ELSE 'Name' || i END, "
    f"'3100001970' || lpad(i::VARCHAR, 8, '0'), ['north', 'south', 'east', 'west'][1 + i % 4], "
    f"DATE '1935-03-01' + ((i * 67) % 27000)::INTEGER, ['F', 'M'][1 + (i // 4) % 2], "
    f"CASE WHEN i % 13 = 0 THEN NULL ELSE ((i * 7919) % 120000)::DOUBLE + 0.25 END FROM range(1, {PERSONS + 1}) r(i)",
    f"INSERT INTO claims SELECT c, 1 + (c * c) % {PERSONS}, 'h' || (1 + c % 4), "
    "['C50', 'C61', 'E11', 'I10', 'J18'][1 + c % 5], ((c * 37) % 400000)::DECIMAL(12, 2) / 100, "
    "DATE '2024-01-01' + ((c * 11) % 366)::INTEGER FROM range(900) r(c)",
)
# The same people with every field at an extreme of its type.
_NASTY = (
    "INSERT INTO persons SELECT i, [NULL, '', 'Alice', '💀' || i, repeat('x', 5000), '%_\\', '-1', '1e999'][1 + i % 8], "
    "[NULL, '', '99999999999999999999999999', '310000000000000017', 'nan'][1 + i % 5], "
    "['north', 'south', NULL, 'elsewhere', ''][1 + i % 5], "
    "[NULL, DATE 'infinity', DATE '-infinity', DATE '0001-01-01', DATE '9999-12-31', DATE '5881580-07-10', "
    "DATE '1980-02-29'][1 + i % 7], ['F', NULL, 'X'][1 + i % 3], "
    "[NULL, 'nan'::DOUBLE, 'inf'::DOUBLE, '-inf'::DOUBLE, 1e308, -1e308, 5e-324, -0.0, 1000.0][1 + i % 9] "
    "FROM (VALUES (17), (0), (-1), (9223372036854775807), (-9223372036854775808)) v(i) "
    "UNION ALL SELECT i, 'n' || i, NULL, 'north', DATE '1980-01-01', 'M', 5e4 FROM range(100, 260) r(i)",
    "INSERT INTO claims SELECT c, [17, 0, 9223372036854775807, NULL, 555][1 + c % 5], [NULL, 'h1', 'h9'][1 + c % 3], "
    "['C50', NULL, ''][1 + c % 3], [NULL, 9999999999.99, -9999999999.99, 0.01][1 + c % 4]::DECIMAL(12, 2), "
    "[NULL, DATE 'infinity', DATE '2024-02-29', DATE '-infinity'][1 + c % 4] FROM range(400) r(c)",
)


@dataclass(frozen=True, slots=True)
class Question:
    """A line of a corpus; `must` is empty for what is benign."""

    name: str
    sql: str
    must: str


def questions(file: str) -> tuple[Question, ...]:
    """Read a corpus."""
    lines = (HERE / file).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return tuple(Question(each["id"], each["sql"], each.get("must", "")) for each in found)


def not_yet() -> tuple[str, ...]:
    """Return the benign questions that are refused so far; a line here is a debt."""
    lines = (HERE / "not_yet.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))


def sound_database(path: Path) -> None:
    """Make the database of ordinary people."""
    _make(path, _SOUND)


def nasty_database(path: Path) -> None:
    """Make the database of extremes."""
    _make(path, _NASTY)


def drafted_policy(raw: Path) -> str:
    """Draft the policy as a holder would: from the schema, and from what is publicly known of it."""
    facts = load_public_facts((HERE / "public_facts.json").read_bytes(), "public_facts.json")
    schema = tuple(
        SchemaTable(table.name, table.columns, table.primary_key, (), None)
        for table in read_catalogue(raw)
    )
    return infer(schema, "persons.person_id", ("weather",), facts).policy


def _make(path: Path, statements: Sequence[str]) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in (*_SCHEMA, _WEATHER, *statements):
            connection.execute(statement)
