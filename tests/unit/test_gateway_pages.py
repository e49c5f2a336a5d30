"""The pages say what the code does: every route, setting, exit status and file of the journey."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.app import ROUTES
from gateway.settings import Settings, SizeClass
from keyong.commands.exits import MEANINGS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def routes() -> set[tuple[str, str]]:
    app = FastAPI()
    for module in ROUTES:
        app.include_router(module.router)
    schema = app.openapi()
    return {(method.upper(), path) for path, ways in schema["paths"].items() for method in ways}


def documented() -> set[tuple[str, str]]:
    page = (DOCS / "API.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(GET|POST) ([^`]+)` \|", page, re.MULTILINE))


def test_every_route_is_on_the_page_and_every_line_is_a_route() -> None:
    assert documented() - {("GET", "/v1/openapi.json")} == routes()


def test_every_router_is_served() -> None:
    modules = {p.stem for p in (ROOT / "gateway" / "routes").glob("*.py")} - {"__init__"}
    assert {module.__name__.rsplit(".", 1)[1] for module in ROUTES} == modules
    assert all(isinstance(r, APIRoute) for module in ROUTES for r in module.router.routes)


def test_every_exit_status_is_on_the_page() -> None:
    page = (DOCS / "CLI.md").read_text(encoding="utf-8")
    for status, meaning in MEANINGS.items():
        assert f"| {status.value} | {meaning} |" in page


def test_every_setting_is_on_the_page() -> None:
    page = (DOCS / "OPERATING.md").read_text(encoding="utf-8")
    for field in (*fields(Settings), *fields(SizeClass)):
        assert field.name in page or field.name == "format", field.name


@pytest.mark.parametrize("page", ["docs/JOURNEY.md", "README.md", "README.zh-CN.md", "docs/API.md"])
def test_every_link_leads_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_the_spine_of_the_page_is_the_spine_of_the_code() -> None:
    """Each stage of the journey's table makes the type it says it makes."""
    page = (DOCS / "JOURNEY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| (.*?) \| [^|]*→ (?:\[)?`(\w+)`", page, re.MULTILINE)
    assert len(rows) > 10
    for cell, made in rows:
        named = [ROOT / "docs" / link for link in re.findall(r"\]\(([^)]+)\)", cell)]
        sources = [path.read_text(encoding="utf-8") for path in named if path.is_file()]
        assert any(re.search(rf"\b{made}\b", source) for source in sources), (cell, made)
