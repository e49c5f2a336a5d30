"""Ask a mapping of a document for its fields by type, and note every problem with its place.

A field that cannot be read gives a placeholder and a finding; `close` then abandons the object
before anything is built from placeholders. So one reading shows all problems, not only the first.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar, cast

from policies.reading.nodes import Mapping, Node, Scalar, Sequence
from policies.reading.report import Abandoned, Report
from policies.reading.values import ID, SHA256, decimal_of, instant_of, name_fault
from policies.refusals import Position

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)

_TEXT_CHARACTERS_MAX = 20_000
_NO_DEFAULT = "it has no default"


class Reader:
    """One mapping of a document with its known fields."""

    def __init__(self, report: Report, node: Node, pointer: tuple[str, ...], shape: str) -> None:
        self.report = report
        self.pointer = pointer
        self.shape = shape
        self._found = len(report.findings)
        if not isinstance(node, Mapping):
            self._add("document_field_invalid", node.at, pointer, "is not a mapping of fields")
            raise Abandoned
        self.node = node
        for name in sorted(node.entries):
            if name not in report.fields[shape]:
                known = report.fields[shape]
                near = difflib.get_close_matches(name, known, n=1) or known
                suggestion = ", ".join(f"`{word}`" for word in near)
                full = ".".join((*pointer, name))
                at = node.keys_at[name]
                report.add("document_field_unknown", at, field=full, suggestion=suggestion)

    def close(self) -> None:
        """Abandon the object if anything in it was wrong."""
        if len(self.report.findings) > self._found:
            raise Abandoned

    def has(self, name: str) -> bool:
        """Tell whether the field is written."""
        return name in self.node.entries

    def invalid(self, name: str, problem: str) -> None:
        """Note that a field is wrong; `problem` continues a sentence that starts with its name."""
        node = self.node.entries.get(name, self.node)
        self._add("document_field_invalid", node.at, (*self.pointer, name), problem)

    def invalid_at(self, at: Position, name: str, problem: str) -> None:
        """Note that a value inside a field is wrong, at its own place."""
        self._add("document_field_invalid", at, (*self.pointer, name), problem)

    def refuse(self, code: str, name: str, **params: str) -> None:
        """Note a refusal of its own code at a field."""
        node = self.node.entries.get(name, self.node)
        self.report.add(code, node.at, **params)

    def missing(self, name: str, why: str) -> None:
        """Note that a required field is not written."""
        full = ".".join((*self.pointer, name))
        self.report.add("document_field_missing", self.node.at, field=full, why=why)

    # ---- single values

    def text(self, name: str, why: str = _NO_DEFAULT) -> str:
        """Read words; a bare number or boolean is refused, for the holder may have meant either."""
        scalar = self._scalar(name, why)
        if scalar is None:
            return ""
        value = scalar.value()
        if not isinstance(value, str):
            self.invalid(name, "must be text; put it in quotes")
        elif not value.strip() or len(value) > _TEXT_CHARACTERS_MAX:
            self.invalid(name, f"must have 1 to {_TEXT_CHARACTERS_MAX} characters")
        else:
            return value
        return ""

    def matching(self, name: str, pattern: re.Pattern[str], form: str) -> str:
        """Read text of a fixed form."""
        found = len(self.report.findings)
        value = self.text(name)
        if len(self.report.findings) == found and not pattern.fullmatch(value):
            self.invalid(name, f"must be {form}, not `{value[:80]}`")
        return value

    def id(self, name: str) -> str:
        """Read an identifier of a document or party."""
        return self.matching(name, ID, "1 to 64 letters, digits, dots, dashes or underscores")

    def digest(self, name: str) -> str:
        """Read the digest of another document."""
        return self.matching(name, SHA256, "`sha256:` and 64 hexadecimal digits")

    def name(self, name: str) -> str:
        """Read the name of a table or column."""
        value = self.text(name)
        if value and (fault := name_fault(value)):
            self.invalid(name, fault)
        return value

    def label(self, name: str) -> str:
        """Read a short word as written, so that `2024` and `"2024"` are the same."""
        scalar = self._scalar(name, _NO_DEFAULT)
        return scalar.text if scalar else ""

    def whole(self, name: str, low: int, high: int) -> int:
        """Read a whole number in a stated range."""
        scalar = self._scalar(name, _NO_DEFAULT)
        if scalar is None:
            return low
        value = scalar.value()
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.invalid(name, f"must be a whole number from {low} to {high}")
            return low
        return value

    def number(self, name: str) -> Decimal:
        """Read a decimal exactly, quoted or not."""
        scalar = self._scalar(name, _NO_DEFAULT)
        if scalar is None:
            return Decimal(0)
        number = decimal_of(scalar)
        if number is None:
            self.invalid(name, "must be a decimal number")
        return number or Decimal(0)

    def units(self, name: str, per_one: int) -> int:
        """Read a decimal above 0 as a whole number of its smallest unit.

        Refuses  what the smallest unit cannot hold: rounding a loss would be a silent change.
        """
        found = len(self.report.findings)
        value = Fraction(self.number(name)) * per_one
        if len(self.report.findings) > found:
            return 1
        if value <= 0 or value.denominator != 1:
            self.invalid(name, f"must be above 0 and a multiple of 1/{per_one}")
            return 1
        return int(value)

    def truth(self, name: str, why: str = _NO_DEFAULT) -> bool:
        """Read `true` or `false`."""
        scalar = self._scalar(name, why)
        value = scalar.value() if scalar else False
        if not isinstance(value, bool):
            self.invalid(name, "must be true or false")
            return False
        return value

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        """Read one word of a closed set."""
        scalar = self._scalar(name, f"it is one of {', '.join(kind)}")
        return self._chosen(name, scalar, kind) if scalar else next(iter(kind))

    def instant(self, name: str) -> datetime:
        """Read a moment with its offset; a moment without one means another in every place."""
        scalar = self._scalar(name, _NO_DEFAULT)
        if scalar is None:
            return datetime.min.replace(tzinfo=UTC)
        moment = instant_of(scalar.text)
        if moment is None or moment.tzinfo is None:
            self.invalid(name, "must be an instant with an offset, as 2026-07-01T00:00:00+08:00")
        return moment if moment and moment.tzinfo else datetime.min.replace(tzinfo=UTC)

    # ---- several values

    def scalars(self, name: str) -> tuple[Scalar, ...]:
        """Read a list of plain values with at least one entry."""
        node = self._node(name, _NO_DEFAULT)
        if node is None:
            return ()
        if not isinstance(node, Sequence) or not node.items:
            self.invalid(name, "must be a list with at least one entry")
            return ()
        scalars = tuple(item for item in node.items if isinstance(item, Scalar))
        if len(scalars) != len(node.items):
            self.invalid(name, "must be a list of plain values")
        return scalars

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of different words."""
        values = tuple(scalar.value() for scalar in self.scalars(name))
        words = tuple(value for value in values if isinstance(value, str) and value.strip())
        if len(words) != len(values) or len(set(words)) != len(words):
            self.invalid(name, "must be a list of different words")
        return words

    def choices(self, name: str, kind: type[Choice]) -> tuple[Choice, ...]:
        """Read a set of words of a closed set, in the order of the set."""
        chosen = [self._chosen(name, scalar, kind) for scalar in self.scalars(name)]
        if len(set(chosen)) != len(chosen):
            self.invalid(name, "names something twice; keep one")
        return tuple(member for member in kind if member in chosen)

    def named_scalars(self, name: str) -> tuple[tuple[str, Scalar], ...]:
        """Read a mapping of names to plain values."""
        entries = tuple(self._entries(name))
        pairs = tuple((key, node) for key, node in entries if isinstance(node, Scalar))
        if len(pairs) != len(entries):
            self.invalid(name, "must map each name to a plain value")
        return pairs

    # ---- objects

    def section(self, name: str, read: Callable[["Reader"], T], why: str = _NO_DEFAULT) -> T:
        """Read a required object; after a problem the result must not outlive `close`."""
        node = self._node(name, why)
        if node is None:
            return cast("T", None)
        return self._read(node, (name,), self._shape(name), read)

    def optional(self, name: str, read: Callable[["Reader"], T]) -> T | None:
        """Read an object that may be left out."""
        return self.section(name, read) if self.has(name) else None

    def each(self, name: str, read: Callable[[str, "Reader"], T]) -> tuple[T, ...]:
        """Read a mapping of names to objects."""
        done = []
        for key, node in self._entries(name):
            shape = self._shape(name) + ".*"
            named = cast("Callable[[Reader], T]", lambda reader, key=key: read(key, reader))
            done.append(self._read(node, (name, key), shape, named))
        return tuple(done)

    def items(self, name: str, read: Callable[["Reader"], T]) -> tuple[T, ...]:
        """Read a list of objects with at least one entry."""
        node = self._node(name, _NO_DEFAULT)
        if node is None:
            return ()
        if not isinstance(node, Sequence) or not node.items:
            self.invalid(name, "must be a list with at least one entry")
            return ()
        shape = self._shape(name) + "[]"
        return tuple(
            self._read(item, (name, str(index)), shape, read)
            for index, item in enumerate(node.items)
        )

    def raw(self, name: str) -> Node | None:
        """Return the field as a node, for fields that take more than one form."""
        return self._node(name, _NO_DEFAULT)

    # ---- inside

    def _read(
        self, node: Node, step: tuple[str, ...], shape: str, read: Callable[["Reader"], T]
    ) -> T:
        try:
            return read(Reader(self.report, node, (*self.pointer, *step), shape))
        except Abandoned:
            return cast("T", None)

    def _shape(self, name: str) -> str:
        return f"{self.shape}.{name}" if self.shape else name

    def _node(self, name: str, why: str) -> Node | None:
        node = self.node.entries.get(name)
        if node is None or (isinstance(node, Scalar) and node.value() is None):
            self.missing(name, why)
            return None
        return node

    def _scalar(self, name: str, why: str) -> Scalar | None:
        node = self._node(name, why)
        if node is None or isinstance(node, Scalar):
            return node
        self.invalid(name, "must be a single value")
        return None

    def _entries(self, name: str) -> Iterator[tuple[str, Node]]:
        node = self._node(name, _NO_DEFAULT)
        if isinstance(node, Mapping) and node.entries:
            yield from node.entries.items()
        elif node is not None:
            self.invalid(name, "must be a mapping with at least one entry")

    def _chosen(self, name: str, scalar: Scalar, kind: type[Choice]) -> Choice:
        for member in kind:
            if member.value == scalar.text:
                return member
        words = ", ".join(kind)
        self.invalid(name, f"must be one of {words}, not `{scalar.text[:80]}`")
        return next(iter(kind))

    def _add(self, code: str, at: Position, pointer: tuple[str, ...], problem: str) -> None:
        full = ".".join(pointer) or "the document"
        self.report.add(code, at, field=full, problem=problem)
