"""A document as a tree of nodes that remember their place.

Scalars stay text until a reader asks for a type: `0.1` is never a float, `on` is never a boolean,
and `2024-01-01` is a date only where a date is expected. The module needs no parser, so that code
beside raw data may read declarations that come as JSON.
"""

import re
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from decimal import Decimal

from policies.refusals import Position

INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,40})")
NUMBER = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,2})?")
# Beyond this a double no longer holds every whole number, and JSON readers may round.
EXACT_INTEGER_MAX = 2**53 - 1
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf as written; without quotes (`plain`) it may stand for a number, a boolean or nothing.

    Source  YAML 1.2.2 section 10.3, the core schema, without octal, hexadecimal and infinities.
    """

    text: str
    plain: bool
    at: Position

    def value(self) -> bool | int | Decimal | str | None:
        """Read the text by the core schema, numbers exactly."""
        if not self.plain:
            return self.text
        if self.text in _NULL:
            return None
        if self.text in _TRUE or self.text in _FALSE:
            return self.text in _TRUE
        if INTEGER.fullmatch(self.text):
            return int(self.text)
        return Decimal(self.text) if NUMBER.fullmatch(self.text) else self.text


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple["Node", ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Mapping:
    """Named nodes in the order they were written; each name once."""

    entries: MappingABC[str, "Node"]
    keys_at: MappingABC[str, Position]
    at: Position


Node = Scalar | Sequence | Mapping


def to_plain(node: Node) -> object:
    """Return the node as JSON values.

    Units  Whole numbers up to 2**53 stay numbers; every other number becomes a decimal string, so
           that no reader of the canonical form ever rounds.
    """
    if isinstance(node, Mapping):
        return {name: to_plain(child) for name, child in node.entries.items()}
    if isinstance(node, Sequence):
        return [to_plain(child) for child in node.items]
    value = node.value()
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT_INTEGER_MAX else str(value)
    return plain_decimal(value)


def from_plain(value: object) -> Node:
    """Return JSON values as a node without places; numbers with a fraction must come as strings."""
    nowhere = Position(1, 1)
    if isinstance(value, dict):
        entries = {str(name): from_plain(child) for name, child in value.items()}
        return Mapping(entries, dict.fromkeys(entries, nowhere), nowhere)
    if isinstance(value, list | tuple):
        return Sequence(tuple(from_plain(child) for child in value), nowhere)
    if value is None or isinstance(value, bool):
        return Scalar({None: "null", True: "true", False: "false"}[value], True, nowhere)
    if isinstance(value, int):
        return Scalar(str(value), True, nowhere)
    if isinstance(value, str):
        return Scalar(value, False, nowhere)
    raise TypeError(f"no JSON value: {type(value).__name__}")


def plain_decimal(value: Decimal) -> str:
    """Write a decimal without exponent or trailing zeros, so that 0.50 and 5e-1 are one text."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
