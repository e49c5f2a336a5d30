"""A stage's type is made by its stage only, so a stage cannot be skipped.

`PermittedQuery` is evidence that `check` ran. Whoever can write `PermittedQuery(...)` elsewhere has
gone round the policy; whoever can write `NoisyAggregates(...)` elsewhere can release exact values.
"""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.tidy import tree

MAKERS: dict[str, tuple[str, ...]] = {
    "ParsedQuery": ("sandbox/compiler/parse",),
    "ResolvedQuery": ("sandbox/compiler/resolve",),
    "PermittedQuery": ("sandbox/compiler/check",),
    "BoundedQuery": ("sandbox/compiler/bound",),
    "Plan": ("sandbox/compiler/plan", "sandbox/wire"),
    "ExactAggregates": ("sandbox/worker/execute",),
    "NoisyAggregates": ("sandbox/worker/add_noise", "sandbox/wire"),
    "Release": ("sandbox/worker/post_process", "sandbox/wire"),
}
# `audit` and `policies` cannot import the sandbox (a wall), so the same word there is another type.
WITHIN_REACH = ("sandbox/", "gateway/", "keyong/")
# Naming a type is harmless here: these look at it and make nothing.
LOOKERS = frozenset({"isinstance", "issubclass", "cast", "get_type_hints", "fields", "assert_type"})


def called(node: ast.Call) -> str:
    """Return the last name of what is called: `b.Plan(...)` calls `Plan`."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def named(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def makers_of(path: str) -> frozenset[str]:
    """Return the stage types that the module at `path` may make."""
    stem = path.removesuffix(".py")
    return frozenset(
        stage
        for stage, homes in MAKERS.items()
        if any(stem == home or stem.startswith(home + "/") for home in homes)
    )


def made(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each stage type the module makes, hands on as a value, or gives another name."""
    for node in ast.walk(module):
        match node:
            case ast.Call():
                name = called(node)
                if name in MAKERS:
                    yield name, node.lineno
                if name not in LOOKERS:
                    arguments = [*node.args, *(k.value for k in node.keywords)]
                    yield from ((n, node.lineno) for a in arguments if (n := named(a)) in MAKERS)
            case ast.alias(name=name, asname=str() as other) if name in MAKERS and other != name:
                yield name, node.lineno
            case ast.Assign(value=value) if named(value) in MAKERS:
                yield named(value), node.lineno


def strays(modules: Iterable[tuple[str, ast.Module]]) -> list[str]:
    return [
        f"{path}:{line} makes {stage}"
        for path, module in modules
        for stage, line in made(module)
        if stage not in makers_of(path)
    ]


def test_a_stage_type_is_made_by_its_stage_only() -> None:
    assert strays(m for m in tree.shipped() if m[0].startswith(WITHIN_REACH)) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = PermittedQuery(1)",
        "x = check.PermittedQuery(1)",
        "x = object.__new__(PermittedQuery)",
        "make = PermittedQuery",
        "from sandbox.compiler.check import PermittedQuery as P",
        "x = decode(kind=PermittedQuery)",
    ],
)
def test_a_skipped_stage_is_seen(source: str) -> None:
    assert strays([("gateway/operation.py", ast.parse(source))])
    assert not strays([("sandbox/compiler/check.py", ast.parse(source))])


def test_looking_at_a_stage_type_is_free() -> None:
    source = "def f(x: PermittedQuery) -> Plan:\n    assert isinstance(x, PermittedQuery)\n"
    assert strays([("gateway/operation.py", ast.parse(source))]) == []


def test_every_stage_type_exists_in_its_home() -> None:
    """A renamed type would leave its line in the table guarding nothing."""
    defined = {
        node.name
        for _, module in tree.shipped()
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
    }
    assert sorted(set(MAKERS) - defined) == []
