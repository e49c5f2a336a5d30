"""Change records deep inside a plan."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

_T = TypeVar("_T")


def rewritten(value: _T, change: Callable[[Any], Any]) -> _T:
    """Return a tree of records with `change` applied to each record, innermost first."""
    found: Any = value
    if isinstance(value, tuple):
        return tuple(rewritten(item, change) for item in value)  # type: ignore[return-value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    new = {f.name: rewritten(getattr(value, f.name), change) for f in fields(value)}
    if any(new[name] is not getattr(value, name) for name in new):
        found = replace(found, **new)
    return change(found)  # type: ignore[no-any-return]
