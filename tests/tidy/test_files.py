"""The house is small, named and free of leftovers. Each rule has a twin that breaks it."""

import re
import tomllib
from pathlib import Path, PurePath

import pytest

from tests.tidy import tree

LINES_MAX = 400
NAMES_REFUSED = frozenset({"utils", "util", "common", "helpers", "core", "manager", "service"})
DECISION = re.compile(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md")

# Written in halves, or this file would find itself.
LEFTOVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
PLACE = re.compile(
    r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me|tmp/k" + r"y|opt/whe" + r"els|opt/py" + r"pi)/"
    r"|\.\./sha" + r"red\b|\.py" + r"env\b"
    r"|\b(?:files\.)?(?:pypi|python" + r"hosted)\.org\b|registry\.npm" + r"js|deb\.deb" + r"ian"
)


def too_long(path: Path) -> bool:
    return len(path.read_text(encoding="utf-8").splitlines()) > LINES_MAX


def badly_named(name: str) -> bool:
    return any(part.removesuffix(".py") in NAMES_REFUSED for part in name.split("/"))


def found(pattern: re.Pattern[str], text: str) -> list[str]:
    return [
        f"{number}: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_knows_everything() -> None:
    assert [tree.name(f) for f in tree.python_files() if too_long(f)] == []


def test_a_file_one_line_over_is_seen(tmp_path: Path) -> None:
    at_limit, over = tmp_path / "at.py", tmp_path / "over.py"
    at_limit.write_text("x = 1\n" * LINES_MAX, encoding="utf-8")
    over.write_text("x = 1\n" * (LINES_MAX + 1), encoding="utf-8")
    assert [too_long(at_limit), too_long(over)] == [False, True]


def test_names_say_what_a_thing_is() -> None:
    assert [n for f in tree.python_files() if badly_named(n := tree.name(f))] == []


@pytest.mark.parametrize(
    "name", ["audit/utils.py", "sandbox/core/__init__.py", "gateway/service.py"]
)
def test_a_name_that_says_nothing_is_seen(name: str) -> None:
    assert badly_named(name)


def test_docker_holds_no_python() -> None:
    """With a module inside, `import docker` would give the folder, not the library."""
    assert [tree.name(f) for f in tree.python_files() if tree.name(f).startswith("docker/")] == []


def test_the_sandbox_package_is_empty() -> None:
    """Anything here is loaded beside raw data whenever a worker starts."""
    assert (tree.ROOT / "sandbox" / "__init__.py").read_bytes() == b""


def test_every_folder_of_python_is_a_package() -> None:
    """A folder without `__init__.py` is skipped by mypy and by the import walls without a word."""
    folders = {
        f.parent
        for f in tree.python_files()
        if tree.name(f).split("/", 1)[0] in (*tree.SHIPPED, "tests")
    }
    assert [tree.name(d) for d in sorted(folders) if not (d / "__init__.py").exists()] == []


def left_behind(names: list[str]) -> list[str]:
    """Return the files of the packages that a wheel would not carry."""
    settings = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    globs = settings["tool"]["setuptools"]["package-data"]["*"]
    endings = tuple(PurePath(g).name.removeprefix("*") for g in globs)
    return [n for n in names if not n.endswith((".py", ".md", *endings))]


def test_a_wheel_carries_every_file() -> None:
    names = [tree.name(f) for f in tree.files()]
    assert left_behind([n for n in names if n.split("/", 1)[0] in tree.SHIPPED]) == []


def test_a_file_left_behind_is_seen() -> None:
    assert left_behind(["gateway/page.html", "gateway/logo.xcf"]) == ["gateway/logo.xcf"]


def test_no_leftovers() -> None:
    seen = {
        tree.name(f): found(LEFTOVER, f.read_text(encoding="utf-8")) for f in tree.python_files()
    }
    assert {name: lines for name, lines in seen.items() if lines} == {}


def test_no_place_or_machine_is_named() -> None:
    seen = {tree.name(f): found(PLACE, f.read_text(encoding="utf-8")) for f in tree.text_files()}
    assert {name: lines for name, lines in seen.items() if lines} == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (LEFTOVER, "# TO" + "DO later"),
        (LEFTOVER, "raise NotImplemented" + "Error"),
        (PLACE, "see /wo" + "rk/main/notes"),
        (PLACE, "in /ho" + "me/someone/x"),
        (PLACE, "../sha" + "red/vectors"),
        (PLACE, "https://py" + "pi.org/simple"),
    ],
)
def test_a_leftover_or_a_place_is_seen(pattern: re.Pattern[str], text: str) -> None:
    assert found(pattern, text)


def test_paths_inside_the_project_are_not_places() -> None:
    inside = ("docs/wo" + "rk/x", "audit/ro" + "ot/y", "/usr/bin/env", "https://host/a/ho" + "me/b")
    assert found(PLACE, ", ".join(inside)) == []


def test_decisions_are_numbered_and_named() -> None:
    folder = tree.ROOT / "docs" / "decisions"
    names = sorted(f.name for f in folder.iterdir())
    assert [n for n in names if not DECISION.fullmatch(n)] == []
    numbers = [n[:4] for n in names]
    assert len(numbers) == len(set(numbers)), "two decisions share a number"


@pytest.mark.parametrize("name", ["9-short.md", "0001_under.md", "0001-Big.md", "0001-x.txt"])
def test_a_badly_named_decision_is_seen(name: str) -> None:
    assert not DECISION.fullmatch(name)
