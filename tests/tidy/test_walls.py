"""The import walls have power: each forbidden import, planted in a copy of the house, is seen."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import tree

# (module that breaks the wall, what it imports, words of the contract that must break)
BREACHES = (
    ("policies/breach.py", "audit", "The house has floors"),
    ("sandbox/privacy/breach.py", "audit", "The house has floors"),
    ("audit/breach.py", "sandbox.boundary", "The house has floors"),
    ("sandbox/runtimes/breach.py", "sandbox.worker", "runtimes, compiler and worker are strangers"),
    ("sandbox/stray.py", "math", "runtimes, compiler and worker are strangers"),
    ("keyong/breach.py", "sandbox.boundary", "A guest carries httpx"),
    ("gateway/breach.py", "sqlglot", "sqlglot lives in sandbox/compiler"),
    ("sandbox/worker/breach.py", "opendp.prelude", "OpenDP lives in sandbox/privacy"),
    ("gateway/breach.py", "duckdb", "DuckDB lives in sandbox/worker"),
    ("audit/breach.py", "fastapi", "FastAPI and its kin live in gateway"),
    ("gateway/breach.py", "cryptography.hazmat", "Keys are held in three places"),
    ("sandbox/worker/breach.py", "urllib.request", "Beside raw data there is no parser"),
    ("sandbox/worker/breach.py", "policies.signing", "Beside raw data there is no parser"),
    ("audit/verify.py", "audit.store", "An auditor's verifier needs no store"),
    ("audit/verify.py", "time", "An auditor's verifier needs no store"),
    ("sandbox/compiler/breach.py", "time", "The core is pure"),
    ("sandbox/wire.py", "random", "The core is pure"),
    ("sandbox/boundary.py", "socket", "The core is pure"),
    ("policies/terms.py", "pathlib", "The core is pure"),
    ("sandbox/privacy/breach.py", "os", "The core is pure"),
    ("sandbox/client.py", "docker", "Only runtimes may speak to docker"),
)


def broken(house: Path) -> str:
    """Return the names of the broken contracts, as the linter prints them."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"],
        cwd=house,
        env={"COLUMNS": "300", "PYTHONPATH": str(house)},  # wide, or long names are broken in two
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    return "\n".join(line for line in lines if " BROKEN" in line)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of the packages and their walls."""
    for module in (tree.ROOT / n for n, _ in tree.shipped()):
        copy = tmp_path / tree.name(module)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module, copy)
    shutil.copy(tree.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_as_it_stands_breaks_no_wall(house: Path) -> None:
    assert broken(house) == ""


@pytest.mark.parametrize(("module", "imported", "contract"), BREACHES)
def test_a_breach_is_seen(house: Path, module: str, imported: str, contract: str) -> None:
    path = house / module
    if path.with_suffix("").is_dir():
        path = path.with_suffix("") / "breach.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\nimport {imported}\n")
    assert contract in broken(house)
