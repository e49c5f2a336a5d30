"""Our proof verifier gives the verdict that the outside vectors ask for, the rejections included."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from audit.log import tree

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "vectors"
VECTORS = Path(os.environ.get("KEYONG_VECTORS", _BESIDE)) / "merkle"

present = pytest.mark.skipif(
    not VECTORS.is_dir(),
    reason="no Merkle vectors here: set KEYONG_VECTORS to a folder that has merkle/*.json",
)


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return found


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def consistent(case: dict[str, Any]) -> bool:
    proof = [raw(item) for item in case["proof"] or []]
    roots = raw(case["root1"]), raw(case["root2"])
    return tree.verify_consistency(case["size1"], case["size2"], proof, *roots)


def included(case: dict[str, Any]) -> bool:
    proof = [raw(item) for item in case["proof"] or []]
    hashes = raw(case["leafHash"]), raw(case["root"])
    return tree.verify_inclusion(case["leafIdx"], case["treeSize"], proof, *hashes)


@present
@pytest.mark.parametrize(
    ("name", "verdict"), [("consistency.json", consistent), ("inclusion.json", included)]
)
def test_every_vector_gets_its_verdict(name: str, verdict: Any) -> None:
    found = cases(name)
    wrong = [case["file"] for case in found if verdict(case) == case["wantErr"]]
    assert wrong == []
    # Power: a verifier that says yes, or no, to everything must fail this test.
    assert {case["wantErr"] for case in found} == {True, False}
