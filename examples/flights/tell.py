"""An answer beside the exact ones, as lines of text: every noisy value with its ±, then what it stands for."""

from collections.abc import Sequence
from decimal import Decimal

from examples.flights.questions import Question
from examples.flights.same_sql import Beside, Row
from keyong.answer import Answer, Interval
from keyong.table import cell, grid, plain

_NOTHING = "–"


def heading(title: str, *asked: Question) -> str:
    """Write the title and what was asked."""
    lines = [f"\n{title}"]
    for question in asked:
        lines += [f"    {line}" for line in question.sql.splitlines()]
        values = "".join(f", ${name} = {value}" for name, value in question.parameters.items())
        lines.append(f"    purpose {question.purpose}, rho {question.rho}{values}")
    return "\n".join(lines)


def beside(answer: Answer, exact: Beside, drowned_above: Sequence[float] = ()) -> str:
    """Write an answer with both exact ones; an error above its limit is written as no number at all.

    `drowned_above` has a limit for each noisy column, or is empty: then everything is written.
    """
    keys = [at for at, column in enumerate(answer.columns) if not column.noisy]
    noisy = [at for at, column in enumerate(answer.columns) if column.noisy]
    limits = dict(zip(noisy, drowned_above, strict=True)) if drowned_above else {}
    every, declared = _by_key(exact.every, keys), _by_key(exact.declared, keys)
    body = []
    for row, bars in zip(answer.rows, answer.intervals, strict=True):
        key = tuple(row[at] for at in keys)
        line = ["all" if row[at] is None else plain(row[at]) for at in keys]
        for at in noisy:
            shown = cell(row[at], bars[at], answer.columns[at])
            line.append(_NOTHING if _is_drowned(bars[at], limits.get(at)) else shown)
            line += [_exact(declared.get(key), at), _exact(every.get(key), at)]
        body.append(line)
    head = [answer.columns[at].name for at in keys]
    for at in noisy:
        head += [answer.columns[at].name, "declared", "exact"]
    return grid(head, body, [False] * len(keys) + [True] * (3 * len(noisy)))


def held(answer: Answer, exact: Beside) -> tuple[int, int]:
    """Count the intervals that hold what the noise was centred on, and all intervals."""
    keys = [at for at, column in enumerate(answer.columns) if not column.noisy]
    declared = _by_key(exact.declared, keys)
    inside = together = 0
    for row, bars in zip(answer.rows, answer.intervals, strict=True):
        truth = declared.get(tuple(row[at] for at in keys))
        for at, bar in enumerate(bars):
            if bar is not None and truth is not None and truth[at] is not None:
                together += 1
                inside += _float(bar.lower) <= _float(truth[at]) <= _float(bar.upper)
    return inside, together


def _by_key(rows: Sequence[Row], keys: Sequence[int]) -> dict[Row, Row]:
    return {tuple(row[at] for at in keys): row for row in rows}


def _is_drowned(bar: Interval | None, limit: float | None) -> bool:
    return limit is not None and (bar is None or bar.half_width > limit)


def _exact(row: Row | None, at: int) -> str:
    if row is None or row[at] is None:
        return _NOTHING
    value = row[at]
    return f"{value:,}" if isinstance(value, int) else f"{_float(value):,.1f}"


def _float(value: object) -> float:
    if not isinstance(value, int | float | Decimal):
        raise TypeError(f"{value!r} is no number")
    return float(value)
