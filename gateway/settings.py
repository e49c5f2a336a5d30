"""The settings of a node: one JSON file, every field written out, none guessed.

Units  seconds, bytes, minutes. `release_s` is the instant an answer leaves, counted from its acceptance; it is the same
       for every plan of a size class, so that it tells nothing about rows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from audit.log.durable import replace_file
from sandbox.runtimes.base import Limits

FORMAT = 1
SIZE_CLASSES = ("S", "M", "L")

_T = TypeVar("_T")


class SettingsRefused(ValueError):
    """The settings file is not one that a node can start from."""


@dataclass(frozen=True, slots=True)
class SizeClass:
    """What a query on a dataset of this declared size may take, and when its answer leaves."""

    release_s: float
    memory_bytes: int
    cpu_s: int


@dataclass(frozen=True, slots=True)
class TwinLimits:
    """What a rehearsal may take; there is no data in it."""

    deadline_s: float
    memory_bytes: int
    cpu_s: int


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """What bringing in a dataset may take; `file_bytes_max` bounds the snapshot."""

    deadline_s: float
    memory_bytes: int
    cpu_s: int
    file_bytes_max: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a node is told.

    settle_s      how long before its release an answer is posted: the log shows the moment of posting, so this too is
                  fixed, and no run may last into it
    workers_max   answers in the making at once; each keeps its place until its release
    waiting_max   further questions that may wait for a place; one more is turned away
    calendar_offset_minutes   where a day begins for the windows of allowances, east of UTC
    """

    format: int
    name: str
    runtime: str
    calendar_offset_minutes: int
    size_classes: Mapping[str, SizeClass]
    settle_s: float
    workers_max: int
    waiting_max: int
    answer_bytes_max: int
    twin: TwinLimits
    ingest: IngestLimits

    def __post_init__(self) -> None:
        if tuple(self.size_classes) != SIZE_CLASSES:
            raise SettingsRefused("`size_classes` names S, M and L, in this order")
        if self.format != FORMAT:
            raise SettingsRefused(f"`format` is {self.format}, this release reads {FORMAT}")
        if min(self.workers_max, self.waiting_max, self.answer_bytes_max) < 1:
            raise SettingsRefused(
                "`workers_max`, `waiting_max` and `answer_bytes_max` are at least 1"
            )
        for name, size in self.size_classes.items():
            if not 0 < self.settle_s < size.release_s / 2:
                raise SettingsRefused(f"`settle_s` is above 0 and below half of `{name}.release_s`")

    def query_limits(self, size_class: str) -> Limits:
        """Return what one query worker may take; it ends before the answer is due."""
        size = self.size_classes[size_class]
        return Limits(
            memory_bytes=size.memory_bytes,
            cpu_s=size.cpu_s,
            deadline_s=size.release_s - 2 * self.settle_s,
            output_bytes_max=self.answer_bytes_max,
        )

    def twin_limits(self) -> Limits:
        """Return what one rehearsal may take."""
        return Limits(
            memory_bytes=self.twin.memory_bytes,
            cpu_s=self.twin.cpu_s,
            deadline_s=self.twin.deadline_s,
            output_bytes_max=self.answer_bytes_max,
        )

    def ingest_limits(self) -> Limits:
        """Return what one ingest may take."""
        return Limits(
            memory_bytes=self.ingest.memory_bytes,
            cpu_s=self.ingest.cpu_s,
            deadline_s=self.ingest.deadline_s,
            output_bytes_max=self.ingest.file_bytes_max,
        )


def write_settings(path: Path, settings: Settings) -> None:
    """Write the settings for people to read and change."""
    replace_file(path, (json.dumps(asdict(settings), indent=2, ensure_ascii=False) + "\n").encode())


def load_settings(path: Path) -> Settings:
    """Read the settings.

    Refuses  a missing, an unknown or an ill-typed field: nothing about time or size has a default.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsRefused(
            f"`{path}` cannot be read; make a node with `keyong node init`"
        ) from None
    except ValueError as error:
        raise SettingsRefused(f"`{path}` is not JSON: {error}") from None
    built = _fields(Settings, plain, "")
    sizes = built["size_classes"]
    if not isinstance(sizes, dict):
        raise SettingsRefused("`size_classes` is not an object")
    built["size_classes"] = {
        name: SizeClass(**_fields(SizeClass, size, f"size_classes.{name}."))
        for name, size in sizes.items()
    }
    built["twin"] = TwinLimits(**_fields(TwinLimits, built["twin"], "twin."))
    built["ingest"] = IngestLimits(**_fields(IngestLimits, built["ingest"], "ingest."))
    return Settings(**built)


def _fields(kind: type[Any], plain: object, path: str) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise SettingsRefused(f"`{path.rstrip('.') or 'the file'}` is not an object")
    names = {field.name for field in fields(kind)}
    for name in sorted(plain.keys() ^ names):
        said = "is not a setting" if name in plain else "is missing"
        raise SettingsRefused(f"`{path}{name}` {said}")
    hints = get_type_hints(kind)
    for name, value in plain.items():
        wanted = hints[name]
        if wanted in (int, str) and type(value) is not wanted:
            raise SettingsRefused(
                f"`{path}{name}` is not {'text' if wanted is str else 'a whole number'}"
            )
        if wanted is float and type(value) not in (int, float):
            raise SettingsRefused(f"`{path}{name}` is not a number")
    return dict(plain)
