"""What a seeded bug is: a context inside which the shipped code is wrong in exactly one place."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def instead(target: Any, name: str, made: Callable[[Any], Any]) -> Iterator[None]:
    """Put what `made` makes of the original in its place."""
    with patch.object(target, name, made(getattr(target, name))):
        yield
