"""What starts beside raw data loads only what it needs, and a guest loads no server.

Every library loaded into a worker is code that an attacker may steer with data. So the parser, the
keys, the door and the network stay outside even as modules, not only by rule.
"""

import json
import subprocess
import sys

import pytest

from tests.tidy import tree

OUTSIDE = (
    "sqlglot fastapi starlette uvicorn pydantic joserfc cryptography httpx httpcore requests "
    "docker ruamel rfc8785 http.client http.server urllib.request ftplib smtplib xmlrpc "
    "sandbox.compiler sandbox.runtimes sandbox.client policies.signing gateway audit keyong"
).split()
NETWORK = ("socket", "ssl", "asyncio", "socketserver", "http", "urllib")
SERVER = (
    "duckdb opendp fastapi starlette uvicorn pydantic sqlglot joserfc ruamel numpy pandas pyarrow "
    "polars gateway sandbox"
).split()

WALK = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
TELL = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))\n"


def loaded(code: str, *arguments: str) -> frozenset[str]:
    """Return the names of the modules a fresh interpreter holds after `code`."""
    command = [sys.executable, "-c", code + TELL, *arguments]
    done = subprocess.run(  # the test's own interpreter
        command, cwd=tree.ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def within(modules: frozenset[str], names: list[str] | tuple[str, ...]) -> list[str]:
    return sorted(m for m in modules if any(m == n or m.startswith(n + ".") for n in names))


def test_the_worker_loads_nothing_from_outside() -> None:
    assert within(loaded(WALK, "sandbox.worker"), OUTSIDE) == []


def test_our_worker_adds_no_network_module() -> None:
    """DuckDB and OpenDP load some by themselves; the worker's own code adds none to that."""
    theirs = loaded("import duckdb, opendp.prelude")
    assert within(loaded(WALK, "sandbox.worker") - theirs, NETWORK) == []


def test_a_guest_loads_no_server() -> None:
    assert within(loaded("import keyong"), SERVER) == []


def test_an_auditor_loads_no_server() -> None:
    assert within(loaded("import audit.verify"), [*SERVER, "audit.store", "sqlite3"]) == []


def test_the_command_line_starts_without_the_server() -> None:
    assert within(loaded("import keyong.cli"), SERVER) == []


@pytest.mark.parametrize("intruder", ["sqlglot", "http.client", "policies.terms"])
def test_an_intruder_is_seen(intruder: str) -> None:
    assert within(loaded(f"import {intruder}"), [intruder])
