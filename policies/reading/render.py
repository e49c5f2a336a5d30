"""Write a document as YAML that `load_yaml` reads back, with remarks for the person who signs it.

Text is quoted unless it is a plain word to every reader: no word may turn into a number, a boolean
or a date on its way back, not even in a reader of YAML 1.1, where `no` is a boolean.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from policies.reading.nodes import Scalar, plain_decimal
from policies.refusals import Position

_FLOW_CHARACTERS_MAX = 90
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_BOOLEANS_OF_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off"})
_FOLDED = re.compile("[\\x7f-\\xa0\\u2028\\u2029\\ufeff]")
Pointer = tuple[str, ...]


def render(document: Mapping[str, object], remarks: Mapping[Pointer, str]) -> str:
    """Return the document as text; a remark is written above the field it is about."""
    lines = [f"# {line}" for line in remarks.get((), "").splitlines()]
    _mapping(document, (), remarks, lines)
    return "\n".join(lines) + "\n"


def _mapping(
    mapping: Mapping[str, object], at: Pointer, remarks: Mapping[Pointer, str], lines: list[str]
) -> None:
    indent = "  " * len(at)
    for name, value in mapping.items():
        here = (*at, name)
        lines.extend(f"{indent}# {line}" for line in remarks.get(here, "").splitlines())
        key = name if name.isascii() and name.isidentifier() else _quoted(name)
        noted = any(pointer[: len(here)] == here and pointer != here for pointer in remarks)
        flow = _flow(value)
        fits = len(indent) + len(key) + len(flow) <= _FLOW_CHARACTERS_MAX
        if isinstance(value, Mapping) and (noted or not fits or _deep(value)):
            lines.append(f"{indent}{key}:")
            _mapping(value, here, remarks, lines)
        elif isinstance(value, list) and value and not fits:
            lines.append(f"{indent}{key}:")
            lines.extend(f"{indent}  - {_flow(item)}" for item in value)
        else:
            lines.append(f"{indent}{key}: {flow}")


def _deep(value: Mapping[str, object]) -> bool:
    return any(isinstance(child, Mapping) for child in value.values())


def _flow(value: object) -> str:
    match value:
        case Mapping():
            inner = ", ".join(f"{_text(name)}: {_flow(child)}" for name, child in value.items())
            return f"{{{inner}}}"
        case list() | tuple():
            return f"[{', '.join(_flow(item) for item in value)}]"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return plain_decimal(value)
        case datetime():
            return json.dumps(value.isoformat())
        case date():
            return value.isoformat()
        case str():
            return _text(value)
    raise TypeError(f"no value of a document: {type(value).__name__}")


def _text(text: str) -> str:
    plain = _WORD.fullmatch(text) and text.lower() not in _BOOLEANS_OF_YAML_1_1
    if plain and Scalar(text, True, Position(1, 1)).value() == text:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """Quote text as JSON does, and spell out what YAML takes for the end of a line or for nothing."""
    return _FOLDED.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False)
    )
