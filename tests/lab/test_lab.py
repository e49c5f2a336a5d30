"""The lab as a tester meets it: a raw database, a policy, questions in, one JSON line each out."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.corpus.world import drafted_policy, sound_database
from tests.tidy import tree

QUESTIONS = (
    {"id": "count", "sql": "SELECT region, count(*) AS n FROM persons GROUP BY region"},
    {"id": "avg", "sql": "SELECT avg(income) AS m FROM persons", "epsilon": 0.5},
    {"id": "cents", "sql": "SELECT sum(amount) AS s, sum(1) AS one FROM claims"},
    {"id": "days", "sql": "SELECT date_trunc('month', day) AS m, count(*) FROM claims GROUP BY m"},
    {"id": "units", "sql": "SELECT count(DISTINCT person_id) AS n FROM claims"},
    {"id": "rows", "sql": "SELECT name FROM persons"},
    {"id": "dear", "sql": "SELECT count(*) FROM persons", "epsilon": 50},
    {"id": "purpose", "sql": "SELECT count(*) FROM persons", "purpose": "gossip"},
)


def ask(
    raw: Path, policy: Path, mode: str, *lines: object, more: tuple[str, ...] = ()
) -> list[dict]:
    queries = policy.with_name("q.jsonl")
    queries.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n",
        encoding="utf-8",
    )
    files = ("--db", str(raw), "--policy", str(policy), "--queries", str(queries))
    command = [sys.executable, "-m", "tests.lab", *files, "--mode", mode, *more]
    done = subprocess.run(
        command, cwd=tree.ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("lab")
    raw, policy = folder / "raw.duckdb", folder / "policy.yaml"
    sound_database(raw)
    policy.write_text(drafted_policy(raw), encoding="utf-8")
    return raw, policy


def by_id(answers: list[dict]) -> dict[str, Any]:
    return {answer["id"]: answer for answer in answers}


def test_exact_is_plain_sql_and_the_raw_file_stays_as_it_is(files: tuple[Path, Path]) -> None:
    raw, policy = files
    before = hashlib.sha256(raw.read_bytes()).digest()
    found = by_id(ask(raw, policy, "exact", *QUESTIONS))
    assert hashlib.sha256(raw.read_bytes()).digest() == before
    assert list(found) == [q["id"] for q in QUESTIONS]
    assert found["count"]["columns"] == ["region", "n"]
    assert found["count"]["rows"] == [["east", 100], ["north", 100], ["south", 100], ["west", 100]]
    with duckdb.connect(str(raw), read_only=True) as connection:
        ((total, rows),) = connection.execute("SELECT sum(amount), count(*) FROM claims").fetchall()
    assert found["cents"]["rows"] == [[str(total), rows]]
    assert found["days"]["rows"][0][0] == "2024-01-01 00:00:00"
    assert found["avg"]["loss"] == 0.5 and found["count"]["loss"] == 1.0
    told = {
        name: (found[name]["verdict"], found[name]["code"]) for name in ("rows", "dear", "purpose")
    }
    assert told == {
        "rows": ("refused", "not_aggregated"),
        "dear": ("refused", "loss_per_query_exceeded"),
        "purpose": ("refused", "purpose_not_granted"),
    }


def test_bounded_gives_the_moments_in_the_units_of_their_claims(files: tuple[Path, Path]) -> None:
    found = by_id(ask(*files, "bounded", *QUESTIONS[:5]))
    assert found["count"]["columns"] == ["k0", "m0_count"]
    assert found["count"]["moments"] == [
        {"name": "m0_count", "key_columns": ["k0"], "sensitivity_l1": 1, "sensitivity_l2": 1.0}
    ]
    assert found["avg"]["columns"] == ["m0_sum", "m1_count"]
    assert found["cents"]["moments"][0]["sensitivity_l1"] == 20 * 5000 * 100  # rows, bound, cents
    assert found["units"]["columns"] == ["m0_units"]
    assert all(isinstance(cell, int) for cell in found["cents"]["rows"][0])


def test_check_has_a_verdict_and_no_rows(files: tuple[Path, Path]) -> None:
    found = by_id(ask(*files, "check", *QUESTIONS))
    assert all(answer["rows"] == [] for answer in found.values())
    assert found["days"]["verdict"] == "accepted" and found["rows"]["message"]


@pytest.mark.isolation
def test_run_is_what_an_operator_gets(files: tuple[Path, Path]) -> None:
    found = by_id(ask(*files, "run", QUESTIONS[0], QUESTIONS[5]))
    if found["count"]["code"] == "query_does_not_prepare":
        pytest.skip("this machine cannot isolate a worker")
    counts = [row[1] for row in found["count"]["rows"]]
    assert all(abs(count - 100) < 60 for count in counts)  # e**-60 a false alarm
    assert found["rows"]["verdict"] == "refused"


def test_a_bad_line_does_not_end_the_lab(files: tuple[Path, Path]) -> None:
    bad = ("no json", '{"id": "a"}', '{"sql": "SELECT 1"}', "[]", json.dumps({"id": 7, "sql": 7}))
    deep = {"id": "deep", "sql": "SELECT " + "(" * 5000 + "1" + ")" * 5000}
    odd = {"id": "odd", "sql": "SELECT count(*) FROM persons", "epsilon": "much"}
    found = ask(*files, "exact", *bad, deep, odd, QUESTIONS[0])
    assert [answer["verdict"] for answer in found[:-1]] == ["failed"] * 4 + ["refused"] * 3
    assert found[-1]["verdict"] == "accepted"


def test_engine_types_a_domain_does_not_know_are_held_or_left_out(tmp_path: Path) -> None:
    """A tester's database has small whole numbers, enumerations, views and lists; none of it stops the lab."""
    raw, policy = tmp_path / "raw.duckdb", tmp_path / "policy.yaml"
    sound_database(raw)
    policy.write_text(drafted_policy(raw), encoding="utf-8")
    with duckdb.connect(str(raw)) as connection:
        connection.execute("ALTER TABLE persons RENAME TO people")
        connection.execute("CREATE TYPE sexes AS ENUM ('F', 'M')")
        connection.execute(
            "CREATE VIEW persons AS SELECT person_id::INTEGER AS person_id, name, id_card, region, birth, "
            "sex::sexes AS sex, income::FLOAT AS income, [1, 2] AS list, now() AS zoned FROM people"
        )
    (found,) = ask(
        raw, policy, "exact", {"id": 1, "sql": "SELECT sex, count(*) FROM persons GROUP BY sex"}
    )
    assert found["rows"] == [["F", 200], ["M", 200]]
    joined = {"id": 2, "sql": "SELECT count(*) FROM persons JOIN claims USING (person_id)"}
    (found,) = ask(raw, policy, "exact", joined)
    assert found["rows"] == [[900]]


def test_a_way_to_the_unit_through_a_foreign_key_is_followed(tmp_path: Path) -> None:
    raw, policy = tmp_path / "raw.duckdb", tmp_path / "policy.yaml"
    with duckdb.connect(str(raw)) as connection:
        connection.execute("CREATE TABLE claims (claim_id BIGINT PRIMARY KEY, person_id BIGINT)")
        connection.execute(
            "CREATE TABLE items (claim_ref BIGINT REFERENCES claims (claim_id), price INTEGER)"
        )
        connection.execute("INSERT INTO claims VALUES (1, 7), (2, 7), (3, 8), (4, NULL)")
        connection.execute("INSERT INTO items VALUES (1, 5), (2, 5), (3, 6), (4, 100), (NULL, 100)")
    policy.write_text(VIA, encoding="utf-8")
    sql = "SELECT sum(price) FROM items"
    (exact,) = ask(raw, policy, "exact", {"id": 1, "sql": sql})
    assert exact["rows"] == [[16]]
    (bounded,) = ask(raw, policy, "bounded", {"id": 1, "sql": sql})
    assert bounded["rows"] == [[9 + 6]]  # person 7 has 5 + 5, clipped to one row's worth of 9


def test_a_granted_table_that_is_not_there_is_an_unknown_name(tmp_path: Path) -> None:
    raw, policy = tmp_path / "raw.duckdb", tmp_path / "policy.yaml"
    with duckdb.connect(str(raw)) as connection:
        connection.execute(
            "CREATE TABLE claims AS SELECT range AS claim_id, 1::BIGINT AS person_id FROM range(3)"
        )
    policy.write_text(VIA, encoding="utf-8")
    lines = [{"id": n, "sql": f"SELECT count(*) FROM {n}"} for n in ("claims", "items")]
    here, gone = ask(raw, policy, "exact", *lines)
    assert here["rows"] == [[3]] and gone["code"] == "unknown_table"


def test_a_database_whose_owner_died_is_read_and_not_touched(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    """A log beside the file holds its last rows; replaying it in place would write."""
    raw, log = tmp_path / "raw.duckdb", tmp_path / "raw.duckdb.wal"
    sound_database(raw)
    die = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); "
        "c.execute('DELETE FROM claims WHERE claim_id >= 10'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", die, str(raw)], check=True, timeout=60)
    before = [hashlib.sha256(path.read_bytes()).digest() for path in (raw, log)]
    (found,) = ask(raw, files[1], "exact", {"id": 1, "sql": "SELECT count(*) FROM claims"})
    assert found["rows"] == [[10]]
    assert [hashlib.sha256(path.read_bytes()).digest() for path in (raw, log)] == before


VIA = """
apiVersion: keyong/v1
kind: AccessPolicy
metadata: {id: via, jurisdiction: CN, version: 1}
parties: {holder: {id: h, type: admin_unit}, operator: {id: o, licence: L}}
effective: {from: "2020-01-01T00:00:00+00:00", to: "2099-12-31T23:59:59+00:00"}
classification: {level: 一般, personal_info: true, sensitive_personal_info: false, state_secret: false}
purposes: [{code: research, class: public_good, fee: free}]
tables:
  claims:
    privacy_unit: {column: person_id, max_rows_per_unit: 9, max_rows_per_group: 1, max_groups_per_unit: 1, overflow: sample}
    columns: {claim_id: {use: [join_key]}, person_id: {use: [count_distinct]}}
  items:
    privacy_unit: {column: claim_ref, max_rows_per_unit: 9, max_rows_per_group: 1, max_groups_per_unit: 1, overflow: sample}
    columns: {price: {use: [aggregate], bounds: [0, 9]}}
query: {aggregates: [count, sum], max_groups: 10, max_literals: 10, failures_max: 3}
output: {mode: dp}
budget:
  unit: person
  accountant: approx_zcdp
  per_query_max: "0.5"
  lifetime_per_epoch: 5
  delta_total: "0.000000000001"
  allowances: [{purpose: research, window: year, rho: 5}]
"""
