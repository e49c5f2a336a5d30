"""Read and write golden files: a comment, then sections under `----` headings, as in sqllogictest."""

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_CASE = re.compile(r"(?:^# .*\n)+(?:^(?!# ).*\n)+", re.MULTILINE)
_SECTION = re.compile(r"^---- (.*)\n((?:(?!---- ).*\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One question with everything that follows from it. `sections` keep the order of the file."""

    comment: str
    sections: tuple[tuple[str, str], ...]

    @property
    def ask(self) -> tuple[str, str]:
        """Return the heading and the SQL of the question."""
        return self.sections[0]


def read_cases(file: Path) -> tuple[Case, ...]:
    """Return the cases of a file."""
    cases = []
    for block in _CASE.findall(file.read_text(encoding="utf-8")):
        comment = "".join(line + "\n" for line in block.splitlines() if line.startswith("# "))
        sections = tuple((head, body.strip()) for head, body in _SECTION.findall(block))
        cases.append(Case(comment, sections))
    return tuple(cases)


def write_cases(file: Path, cases: tuple[Case, ...]) -> None:
    """Write the cases of a file in the one form `read_cases` reads."""
    blocks = [
        case.comment + "".join(f"---- {head}\n{body}\n" for head, body in case.sections)
        for case in cases
    ]
    file.write_text("\n".join(blocks), encoding="utf-8")


def golden_files() -> tuple[Path, ...]:
    """Return every golden file."""
    return tuple(sorted(HERE.glob("*.golden")))
