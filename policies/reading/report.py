"""What is wrong with a document: every problem with its place, and the first one as the refusal."""

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field

from policies.findings import Finding
from policies.reading.nodes import Mapping, Node, Sequence
from policies.refusals import Position, Stage

# Known fields of each object, by its shape: `tables.*` is each table, `purposes[]` each purpose.
Fields = MappingABC[str, tuple[str, ...]]


class Abandoned(Exception):
    """An object cannot be built; what is wrong with it is already in the report."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault that a check found in built values, by the path of the field it is about."""

    code: str
    pointer: tuple[str, ...]
    params: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Report:
    """The findings on one document so far, and the names of fields it may have."""

    path: str
    fields: Fields
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, at: Position, **params: str) -> None:
        """Note one problem."""
        named = (("path", self.path), *params.items())
        self.findings.append(Finding(code, Stage.DOCUMENT, at, named, ()))

    def add_problems(self, problems: tuple[Problem, ...], root: Node) -> None:
        """Note problems of built values at the places their fields were written."""
        for problem in problems:
            self.add(problem.code, locate(root, problem.pointer), **dict(problem.params))

    def in_order(self) -> tuple[Finding, ...]:
        """Return the findings from top to bottom."""

        def place(finding: Finding) -> tuple[int, int]:
            return (finding.at.line, finding.at.column) if finding.at else (0, 0)

        return tuple(sorted(self.findings, key=place))

    def raise_first(self) -> None:
        """Refuse the document if anything is wrong with it."""
        if self.findings:
            raise self.in_order()[0].refused()


def locate(root: Node, pointer: tuple[str, ...]) -> Position:
    """Return the place of the deepest node on the path that was written."""
    node = root
    for name in pointer:
        match node:
            case Mapping() if name in node.entries:
                node = node.entries[name]
            case Sequence() if name.isdecimal() and int(name) < len(node.items):
                node = node.items[int(name)]
            case _:
                break
    return node.at
