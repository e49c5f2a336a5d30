"""docs/POLICY.md names every field, no other, and tells the truth about which are needed."""

import copy
import json
import re
from collections.abc import Iterator

import pytest

from policies.documents import KINDS, lint
from policies.reading.nodes import to_plain
from policies.reading.parse import load_yaml
from tests.unit.policies_world import ROOT

PAGE = (ROOT / "docs" / "POLICY.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| (yes|no|if) \| (.+) \|$", re.MULTILINE)
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(kind: str) -> str:
    start = PAGE.index(f"\n## {kind}\n")
    end = PAGE.find("\n## ", start + 1)
    return PAGE[start:end] if end > 0 else PAGE[start:]


def accepted(kind: str) -> list[str]:
    return [
        f"{shape}.{name}" if shape else name
        for shape, names in KINDS[kind].fields.items()
        for name in names
    ]


def example(kind: str) -> dict[str, object]:
    (text,) = YAML.findall(section(kind))
    plain = to_plain(load_yaml(text, kind))
    assert isinstance(plain, dict)
    return plain


def documented(needed: str) -> list[tuple[str, str]]:
    return [
        (kind, row[0]) for kind in KINDS for row in ROW.findall(section(kind)) if row[1] == needed
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_field_is_documented_once(kind: str) -> None:
    rows = [row[0] for row in ROW.findall(section(kind))]
    assert sorted(rows) == sorted(accepted(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_loads(kind: str) -> None:
    (text,) = YAML.findall(section(kind))
    assert lint(text, kind) == ()


def removals(node: object, path: list[str]) -> Iterator[None]:
    """Remove the field everywhere it is written, one place at a time, while the caller looks."""
    if not path:
        return
    head, rest = path[0], path[1:]
    if head.endswith("[]"):
        listed = node.get(head[:-2]) if isinstance(node, dict) else None
        for item in listed if isinstance(listed, list) else []:
            yield from removals(item, rest)
    elif head == "*" and isinstance(node, dict):
        for child in node.values():
            yield from removals(child, rest)
    elif isinstance(node, dict) and head in node:
        if rest:
            yield from removals(node[head], rest)
        else:
            kept = dict(node)
            del node[head]
            yield None
            node.clear()
            node.update(kept)


def findings_without(kind: str, field: str) -> list[bool]:
    whole = example(kind)
    before = copy.deepcopy(whole)
    found = [bool(lint(json.dumps(whole), kind)) for _ in removals(whole, field.split("."))]
    assert whole == before
    return found


@pytest.mark.parametrize(("kind", "field"), documented("yes"))
def test_a_needed_field_is_missed(kind: str, field: str) -> None:
    found = findings_without(kind, field)
    assert found, "the example does not show this field"
    assert all(found)


@pytest.mark.parametrize(("kind", "field"), documented("no"))
def test_an_optional_field_is_not_missed(kind: str, field: str) -> None:
    found = findings_without(kind, field)
    assert found, "the example does not show this field"
    assert not all(found)


def test_lint_is_not_blind_to_the_examples() -> None:
    """The negative twin: a field of another name is seen in every kind."""
    for kind in KINDS:
        assert lint(json.dumps({**example(kind), "extra": 1}), kind)
