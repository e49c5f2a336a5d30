"""A settings file is whole and typed, or the node does not start."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.new_node import new_node, proposed_settings
from gateway.settings import SettingsRefused, load_settings, write_settings


def plain(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "node.json"
    write_settings(path, proposed_settings("a.node", "namespace"))
    return dict(json.loads(path.read_text()))


def loaded(tmp_path: Path, content: object) -> object:
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return load_settings(path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert loaded(tmp_path, plain(tmp_path)) == proposed_settings("a.node", "namespace")


def test_no_field_has_a_default(tmp_path: Path) -> None:
    whole = plain(tmp_path)
    for name in whole:
        with pytest.raises(SettingsRefused, match=rf"`{name}` is missing"):
            loaded(tmp_path, {k: v for k, v in whole.items() if k != name})
    for name in whole["size_classes"]["S"]:
        cut = json.loads(json.dumps(whole))
        del cut["size_classes"]["S"][name]
        with pytest.raises(SettingsRefused, match=rf"size_classes.S.{name}` is missing"):
            loaded(tmp_path, cut)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surprise": 1}, "`surprise` is not a setting"),
        ({"workers_max": "2"}, "`workers_max` is not a whole number"),
        ({"workers_max": True}, "`workers_max` is not a whole number"),
        ({"workers_max": 0}, "at least 1"),
        ({"settle_s": 3.0}, "`settle_s` is above 0 and below half"),
        ({"settle_s": 0.0}, "`settle_s` is above 0"),
        ({"format": 2}, "`format` is 2"),
        ({"twin": 1}, "`twin` is not an object"),
        ({"size_classes": {"S": {}}}, "is missing"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsRefused, match=said):
        loaded(tmp_path, plain(tmp_path) | change)


def test_a_worker_ends_before_its_answer_is_due() -> None:
    settings = proposed_settings("a.node", "namespace")
    for name, size in settings.size_classes.items():
        deadline = settings.query_limits(name).deadline_s
        assert deadline <= size.release_s - 2 * settings.settle_s


def test_a_new_node_is_made_once_and_its_secrets_are_its_own(tmp_path: Path) -> None:
    settings = proposed_settings("a.node", "namespace")
    home = new_node(tmp_path / "node", settings)
    for secret in (*home.keys.iterdir(), home.clients):
        assert secret.stat().st_mode & 0o077 == 0, secret
    assert home.folder.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        new_node(tmp_path / "node", replace(settings, name="b.node"))
