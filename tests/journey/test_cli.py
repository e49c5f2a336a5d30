"""The command line as its user meets it: what it prints, how it ends, and that no traceback ever shows."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import duckdb
import pytest

from gateway.background import served
from keyong.cli import main
from keyong.commands.exits import Exit
from keyong.demo import domain as demo
from tests.journey.world import AUDITOR, AUTHOR, COUNT, DATASET, FREE, OPERATOR, World, policy_text

pytestmark = pytest.mark.isolation
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with served(world.folder, world.start) as address:
        yield address


@pytest.fixture
def credentials(world: World, url: str, tmp_path: Path) -> Path:
    """Write a credentials file for each person."""
    for name, secret in world.secrets.items():
        path = tmp_path / f"{name}.json"
        path.touch(0o600)
        path.write_text(json.dumps({"url": url, "client_id": name, "client_secret": secret}))
    return tmp_path


def run(*arguments: object) -> tuple[int, str, str]:
    """Run one command in this process; return its status and what it said."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
    assert "Traceback" not in err.getvalue()
    return status, out.getvalue(), err.getvalue()


def test_check_query_budget_usage_and_the_audit_of_it(credentials: Path, tmp_path: Path) -> None:
    operator = ("--credentials", credentials / f"{OPERATOR}.json")
    question = (DATASET, COUNT, "--purpose", FREE, "--epsilon", "0.3", *operator)
    status, out, _ = run("check", *question)
    assert status == Exit.OK and "about" in out and "nothing was spent" in out
    status, out, _ = run("check", *question, "--json")
    assert json.loads(out)["groups"] == 14
    receipt = tmp_path / "receipt.json"
    status, out, _ = run("query", *question, "--receipt-to", receipt)
    assert status == Exit.OK and "±" in out and "长沙" in out
    status, out, _ = run("query", *question, "--json")
    assert json.loads(out)["reused"] is True
    assert "█" in run("budget", *operator)[1]
    assert "op-xinyi" in run("usage", *operator)[1]
    assert "长沙" in run("datasets", DATASET, *operator)[1]
    auditor = ("--credentials", credentials / f"{AUDITOR}.json")
    assert run("audit", "fetch", "--to", tmp_path / "export", *auditor)[0] == Exit.OK
    log = tmp_path / "export" / "log"
    key = ("--key", log / "log.vkey")
    verify = ("audit", "verify", *key)
    status, out, _ = run(*verify, "--log", log, "--held", receipt)
    assert status == Exit.OK and out.endswith("verified\n")
    assert run(*verify, "--receipt", receipt)[0] == Exit.OK
    plain = json.loads(receipt.read_text())
    receipt.write_text(json.dumps(plain | {"content": plain["content"].replace("1", "2")}))
    status, out, _ = run(*verify, "--receipt", receipt)
    assert status == Exit.NOT_VERIFIED and "release_differs" in out
    (log / "checkpoint").write_text("nothing\n")
    assert run(*verify, "--log", log)[0] == Exit.NOT_VERIFIED


def test_refusals_end_with_one_and_say_why(credentials: Path) -> None:
    operator = ("--credentials", credentials / f"{OPERATOR}.json")
    sql = "SELECT name, count(*) FROM persons GROUP BY name"
    status, out, err = run("query", DATASET, sql, "--purpose", FREE, "--epsilon", "0.1", *operator)
    assert (status, out) == (Exit.REFUSED, "")
    assert "column_use_not_granted at 1:" in err and "needs: persons.name as group" in err
    status, _, err = run(
        "--lang", "zh", "check", DATASET, COUNT, "--purpose", "x", "--epsilon", "1", *operator
    )
    assert status == Exit.REFUSED and "用途" in err


def test_wrong_credentials_and_addresses_end_with_four(credentials: Path, url: str) -> None:
    question = ("check", DATASET, COUNT, "--purpose", FREE, "--epsilon", "0.1")
    wrong = ("--url", url, "--client-id", OPERATOR, "--client-secret", "wrong")
    assert run(*question, *wrong)[0] == Exit.NOT_REACHED
    nobody = ("--url", "http://127.0.0.1:9", "--client-id", "x", "--client-secret", "y")
    status, _, err = run(*question, *nobody)
    assert status == Exit.NOT_REACHED and "no answer from" in err


def test_bad_usage_ends_with_two(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KEYONG_URL", "KEYONG_CLIENT_ID", "KEYONG_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "empty"))
    question = ("check", DATASET, COUNT, "--purpose", FREE, "--epsilon", "0.1")
    status, _, err = run(*question)
    assert status == Exit.USAGE and "KEYONG_URL" in err
    operator = ("--credentials", credentials / f"{OPERATOR}.json")
    missing = (
        "query",
        DATASET,
        "@/no/such/file.sql",
        "--purpose",
        FREE,
        "--epsilon",
        "1",
        *operator,
    )
    assert run(*missing)[0] == Exit.USAGE
    assert run("query", DATASET)[0] == Exit.USAGE
    assert run("check", DATASET, COUNT, "--purpose", FREE, *operator)[0] == Exit.USAGE
    open_to_all = tmp_path / "open.json"
    open_to_all.write_text("{}")
    open_to_all.chmod(0o644)
    assert run(*question, "--credentials", open_to_all)[0] == Exit.USAGE


def test_a_policy_is_linted_with_line_and_column(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(policy_text(), encoding="utf-8")
    bad.write_text(policy_text().replace("unit: person", "unit: [", 1), encoding="utf-8")
    assert run("policy", "lint", good)[0] == Exit.OK
    status, out, _ = run("policy", "lint", bad)
    assert status == Exit.REFUSED and f"{bad}:" in out and "document_syntax" in out
    assert run("policy", "lint", tmp_path / "none.yaml")[0] == Exit.USAGE


def test_a_policy_is_drafted_from_a_schema_and_no_value(tmp_path: Path) -> None:
    database, output = tmp_path / "raw.duckdb", tmp_path / "draft.yaml"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE people (id BIGINT PRIMARY KEY, town VARCHAR, wage DOUBLE)")
        connection.execute("INSERT INTO people VALUES (1, 'Zweibrücken', 12345.678)")
        connection.execute("CREATE TABLE towns (town VARCHAR PRIMARY KEY)")
    infer = (
        "policy",
        "infer",
        "--db",
        database,
        "--unit",
        "people.id",
        "--public",
        "towns",
        "--output",
        output,
    )
    status, _, err = run(*infer)
    assert status == Exit.OK, err
    written = output.read_text(encoding="utf-8") + (tmp_path / "draft-dataset.yaml").read_text(
        encoding="utf-8"
    )
    assert "REVIEW" in written and "Zweibr" not in written and "12345" not in written
    assert run("policy", "lint", output)[0] == Exit.OK
    database.write_bytes(b"not a database")
    assert run(*infer)[0] == Exit.REFUSED


def test_the_commands_of_the_holder(credentials: Path, tmp_path: Path) -> None:
    author = ("--credentials", credentials / f"{AUTHOR}.json")
    next_version = tmp_path / "policy.yaml"
    next_version.write_text(policy_text().replace("version: 1", "version: 5", 1), encoding="utf-8")
    status, out, _ = run("policy", "submit", next_version, *author)
    assert status == Exit.OK
    _, _, _, name, digest = out.splitlines()[-1].split()
    status, _, err = run("policy", "approve", name, digest, *author)
    assert status == Exit.REFUSED and "four_eyes_required" in err
    approver = ("--credentials", credentials / "wang.json")
    assert run("policy", "approve", name, digest, *approver)[0] == Exit.OK
    assert "hn_health" in run("hold", "suspend", DATASET, *author)[1]
    assert "nothing" in run("hold", "resume", DATASET, *author)[1]


def test_a_node_is_made_served_and_stopped_by_commands(isolated: None, tmp_path: Path) -> None:
    home = tmp_path / "node"
    assert run("node", "init", "--home", home, "--name", "made.keyong")[0] == Exit.OK
    assert run("node", "init", "--home", home, "--name", "made.keyong")[0] == Exit.USAGE
    who = ("--id", "op1", "--party", "op-one", "--role", "operator", "--credit-yuan", "10")
    status, out, _ = run("node", "client", "--home", home, *who)
    secrets = dict(line.split("=", 1) for line in out.splitlines())
    both = ("--id", "x", "--party", "y", "--role", "operator", "--role", "auditor")
    assert run("node", "client", "--home", home, *both)[0] == Exit.USAGE
    command = [sys.executable, "-m", "keyong", "serve", "--home", str(home), "--port", "18471"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and "18471" in process.stdout.readline()
        path = tmp_path / "op1.json"
        path.touch(0o600)
        made = {name.removeprefix("KEYONG_").lower(): value for name, value in secrets.items()}
        path.write_text(json.dumps(made | {"url": "http://127.0.0.1:18471"}))
        flags = ("--credentials", path)
        for _ in range(100):
            status, out, _ = run("datasets", "--json", *flags)
            if status == Exit.OK:
                break
        assert json.loads(out) == []
    finally:
        process.terminate()
        assert process.wait(20) == 0
        if process.stdout is not None:
            process.stdout.close()


def test_a_damaged_node_says_what_to_restore(world: World, tmp_path: Path) -> None:
    assert run("serve", "--home", tmp_path / "none")[0] == Exit.CANNOT_START
    settings = tmp_path / "node.json"
    plain = json.loads((world.folder / "node.json").read_text())
    settings.write_text(json.dumps(plain | {"workers_max": "two"}))
    status, _, err = run("serve", "--home", tmp_path)
    assert status == Exit.CANNOT_START and "`workers_max` is not a whole number" in err


def test_ingest_says_what_is_wrong_with_the_files(world: World, tmp_path: Path) -> None:
    declaration = tmp_path / "dataset.yaml"
    declaration.write_text(
        demo.document("dataset.yaml").replace("version: 1", "version: 2"), encoding="utf-8"
    )
    ingest = ("ingest", "--home", world.folder, "--dataset", declaration, "--sources", tmp_path)
    status, _, err = run(*ingest)
    assert status == Exit.REFUSED and "ingest_source_missing" in err
    declaration.write_text("kind: Dataset\nmetadata: {id: [\n", encoding="utf-8")
    status, _, err = run(*ingest)
    assert status == Exit.REFUSED and "document_syntax:3:1" in err
    assert run(*ingest[:-1], tmp_path / "none")[0] == Exit.USAGE


def test_a_new_snapshot_is_served_at_once_and_inherits_what_was_spent(
    world: World, credentials: Path, tmp_path: Path
) -> None:
    operator = ("--credentials", credentials / f"{OPERATOR}.json")
    question = (DATASET, COUNT, "--purpose", FREE, "--epsilon", "0.25", "--json", *operator)
    first = json.loads(run("query", *question)[1])
    demo.generate(tmp_path / "raw", 1_000)
    declaration = tmp_path / "dataset.yaml"
    text = demo.document("dataset.yaml").replace("version: 1", "version: 7")
    declaration.write_text(text, encoding="utf-8")
    files = ("--dataset", declaration, "--sources", tmp_path / "raw")
    status, out, err = run("ingest", "--home", world.folder, *files)
    assert status == Exit.OK and "version 7" in out, err
    before = json.loads(run("budget", "--json", *operator)[1])
    second = json.loads(run("query", *question)[1])
    assert second["dataset"]["version"] == 7 and not second["reused"]
    assert second["dataset"]["snapshot"] != first["dataset"]["snapshot"]
    after = json.loads(run("budget", "--json", *operator)[1])
    lifetime = [
        float(a["spent"].split()[1])
        for accounts in (before, after)
        for a in accounts
        if a["account"] == "family/hn_person/lifetime"
    ]
    assert lifetime[0] >= 0.25 and round(lifetime[1] - lifetime[0], 9) == 0.25


def test_every_ending_is_in_the_help() -> None:
    _, out, _ = run("--help")
    for status in Exit:
        assert f"  {status.value}  " in out
    assert os.environ.get("KEYONG_TRACEBACK") is None
