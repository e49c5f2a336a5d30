"""Write the log as static files: tiles, entry bundles, checkpoint, and beside them the documents and statements it
names.

A copy of an earlier export only grows: full tiles never change, so a mirror needs to fetch new files alone. The
checkpoint is written last: a reader who sees it finds every file it needs.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.log import tiles, tree
from audit.log.durable import replace_file, sync_directory

CHECKPOINT = "checkpoint"
DOCUMENTS = "documents"
STATEMENTS = "statements"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}")


def write(
    folder: Path,
    leaves: Sequence[bytes],
    checkpoint: str,
    *,
    documents: Mapping[str, bytes],
    statements: Mapping[str, bytes],
) -> None:
    """Write an export. `documents` are canonical bytes by the hexadecimal of their digest, `statements` by their id."""
    node = tree.nodes_over([tree.leaf_hash(leaf) for leaf in leaves])
    for path, content in (*tiles.hash_tiles(len(leaves), node), *tiles.bundles(leaves)):
        _write(folder / path, content)
    for name, contents in ((DOCUMENTS, documents), (STATEMENTS, statements)):
        for key, content in contents.items():
            if _NAME.fullmatch(key) is None:
                raise ValueError(f"`{key}` cannot name a file of an export")
            _write(folder / name / f"{key}.json", content)
    for directory, _, _ in os.walk(folder):
        sync_directory(Path(directory))
    replace_file(folder / CHECKPOINT, checkpoint.encode())


def read(folder: Path, name: str, bytes_max: int) -> bytes | None:
    """Return a file of an export, None where it is missing or larger than any that was written."""
    path = folder / name
    if not path.is_file() or path.stat().st_size > bytes_max:
        return None
    return path.read_bytes()


def read_all(folder: Path, name: str, bytes_max: int) -> dict[str, bytes]:
    """Return the `.json` files of one folder of an export by their stem."""
    found = {
        path.stem: read(folder / name, path.name, bytes_max)
        for path in (folder / name).glob("*.json")
    }
    return {stem: content if content is not None else b"" for stem, content in found.items()}


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
