"""The project's own files, as a reader of the repository sees them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("keyong", "sandbox", "policies", "gateway", "audit")
TEXT = frozenset(
    ".py .pyi .md .toml .yaml .yml .json .lock .cedar .sql .golden .csv .txt .html .css .js .cfg "
    ".ini .sh .service .Dockerfile".split()
)
TEXT_NAMES = frozenset({"Makefile", "LICENSE", "Dockerfile", "run", ".gitignore", ".dockerignore"})
MADE = frozenset({"build", "dist", "__pycache__", "node_modules"})
HIDDEN_BUT_OURS = frozenset({".ci", ".gitignore", ".dockerignore"})


def _ours(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not any(
        part in MADE
        or part.endswith(".egg-info")
        or (part.startswith(".") and part not in HIDDEN_BUT_OURS)
        for part in parts
    )


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project, without what tools made."""
    found = (path for path in ROOT.rglob("*") if _ours(path) and path.is_file())
    return tuple(sorted(found))


@cache
def text_files() -> tuple[Path, ...]:
    """Return the files a person reads."""
    return tuple(f for f in files() if f.suffix in TEXT or f.name in TEXT_NAMES)


@cache
def python_files() -> tuple[Path, ...]:
    """Return every Python file, tests and examples included."""
    return tuple(f for f in files() if f.suffix == ".py")


@cache
def shipped() -> tuple[tuple[str, ast.Module], ...]:
    """Return the parsed modules of the five packages, named by their path from the root."""
    named = ((name(f), f) for f in python_files())
    return tuple(
        (path, ast.parse(f.read_text(encoding="utf-8"), filename=path))
        for path, f in named
        if path.split("/", 1)[0] in SHIPPED
    )


def name(path: Path) -> str:
    """Return the path from the root, with forward slashes."""
    return path.relative_to(ROOT).as_posix()
