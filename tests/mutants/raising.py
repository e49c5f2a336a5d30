"""Seeded bugs in totality: one guard less, and some row raises."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sandbox.worker import execute, steps
from sandbox.worker.scalars import dates, numbers, rendering, text
from tests.mutants.mutant import Mutant, instead


@contextmanager
def casts_raise() -> Iterator[None]:
    """A cast is a cast."""

    def plain(original: Any) -> Any:
        return lambda *arguments: str(original(*arguments)).replace("TRY_CAST", "CAST")

    homes = (rendering, numbers, text, dates)
    with instead(homes[0], "cast_text", plain), instead(homes[1], "cast_text", plain):
        with instead(homes[2], "cast_text", plain), instead(homes[3], "cast_text", plain):
            yield


def rows_not_clamped() -> AbstractContextManager[None]:
    """The value becomes a whole number before it is clamped: infinity has none."""

    def bare(_: Any) -> Any:
        def row_steps(value: str, moment: Any, rendered: Any) -> str:
            unit = (
                2**moment.step_exponent if moment.step_base == "two" else 10**moment.step_exponent
            )
            return f"CAST({value} * {unit} AS BIGINT)"

        return row_steps

    return instead(execute, "row_steps", bare)


def _whole_sum(value: str, moment: Any, rendered: Any) -> str:
    return f"CAST({value} AS BIGINT)"


def whole_numbers_not_widened() -> AbstractContextManager[None]:
    """A whole number is clamped as BIGINT, where the largest HUGEINT does not fit."""
    return instead(steps, "_from_whole", lambda _: _whole_sum)


RAISING: tuple[Mutant, ...] = (casts_raise, rows_not_clamped, whole_numbers_not_widened)
