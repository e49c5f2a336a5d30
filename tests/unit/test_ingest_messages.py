"""Every refusal of ingest has its words, and the words ask for exactly what the code that refuses gives."""

import ast
from string import Formatter

from policies.messages_of_ingest import INGEST
from sandbox.worker.ingest.refused import Code
from tests.tidy import tree


def slots(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


def given() -> dict[str, set[frozenset[str]]]:
    """Return, by code, the names of the parameters of each `IngestRefused(Code.X, ...)` written out."""
    found: dict[str, set[frozenset[str]]] = {}
    for path, module in tree.shipped():
        if not path.startswith("sandbox/worker/ingest/"):
            continue
        for node in ast.walk(module):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "IngestRefused"):
                continue
            names = frozenset(k.arg for k in node.keywords if k.arg and k.arg != "places")
            code = node.args[0]
            assert isinstance(code, ast.Attribute), f"{path}:{node.lineno} hides its code"
            found.setdefault(Code[code.attr].value, set()).add(names)
    return found


def test_every_code_has_its_words_and_no_words_are_left() -> None:
    assert set(INGEST) == {code.value for code in Code}


def test_the_words_ask_for_what_is_given() -> None:
    written = given()
    assert set(written) == {code.value for code in Code} - {"ingest_failed"}
    for code, all_names in written.items():
        for names in all_names:
            assert names == slots(INGEST[code].en) == slots(INGEST[code].zh), code
