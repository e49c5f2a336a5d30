"""No mode, flag or variable in shipped code turns noise off.

An attacker who can set one variable of a worker, or reach one branch that skips the noise, needs no
other hole.
"""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from tests.tidy import tree

SWITCH = re.compile(
    r"noise[-_]?off|no[-_]noise|noiseless|(?:disable|skip|without|bypass|drop)[-_]noise"
    r"|exact[-_]mode|infinite[-_](?:budget|loss|epsilon)|debug[-_]exact",
    re.IGNORECASE,
)
# Between SQL and the release nothing may depend on the machine's mood.
DEAF_TO_ENVIRONMENT = (
    "sandbox/worker/",
    "sandbox/privacy/",
    "sandbox/compiler/",
    "sandbox/wire",
    "sandbox/boundary",
    "sandbox/algebra",
    "sandbox/operators",
    "sandbox/spelled",
)
ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb"})


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.alias(name=name):
            yield name
        case ast.keyword(arg=str() as name):
            yield name
        case ast.Constant(value=str() as name):
            yield name


def _docstrings(module: ast.Module) -> frozenset[int]:
    """Return the ids of texts that stand alone: they explain and switch nothing."""
    return frozenset(
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def switches(modules: Iterable[tuple[str, ast.Module]]) -> list[str]:
    found = []
    for path, module in modules:
        explained = _docstrings(module)
        for node in ast.walk(module):
            if id(node) not in explained:
                found += [f"{path}: {name[:60]}" for name in _names(node) if SWITCH.search(name)]
    return found


def listeners(modules: Iterable[tuple[str, ast.Module]]) -> list[str]:
    return [
        f"{path}: {name}"
        for path, module in modules
        if path.startswith(DEAF_TO_ENVIRONMENT)
        for node in ast.walk(module)
        for name in _names(node)
        if name in ENVIRONMENT
    ]


def test_nothing_turns_noise_off() -> None:
    assert switches(tree.shipped()) == []


def test_nothing_beside_the_data_reads_the_environment() -> None:
    assert listeners(tree.shipped()) == []


@pytest.mark.parametrize(
    "source",
    [
        "def run(plan, no_noise): ...",
        "run(plan, exact_mode=True)",
        "parser.add_argument('--disable-noise')",
        "NOISE_OFF = True",
        "class NoiselessRuntime: ...",
    ],
)
def test_a_switch_is_seen(source: str) -> None:
    assert switches([("gateway/app.py", ast.parse(source))])


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['X']", "from os import getenv", "from os import environ as e"]
)
def test_a_listener_is_seen(source: str) -> None:
    assert listeners([("sandbox/worker/engine.py", ast.parse(source))])
