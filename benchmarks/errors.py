"""How far answers lie from the truth: every cell of every run, pooled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

# The noisy columns of each group, by its keys as text.
Table = Mapping[tuple[str, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """One system on one workload. Errors are parts of the true value, not percent; None where there is no answer.

    `lost` is the part of the true groups that an answer lacks; `bias` the error without any noise.
    """

    workload: str
    system: str
    account: str
    runs: int
    median: float | None
    p95: float | None
    bias: float | None
    lost: float
    note: str


def table_of(rows: Iterable[Sequence[object]], keys: int) -> Table:
    """Return rows of an answer by their keys; a missing number is NaN and counts as lost."""
    found = {}
    for row in rows:
        values = tuple(float("nan") if value is None else float(str(value)) for value in row[keys:])
        found[tuple(_written(key) for key in row[:keys])] = values
    return found


def relative(truth: Table, answer: Table) -> tuple[list[float], float]:
    """Return the relative error of each cell that is there, and the part of the groups that is not.

    Groups without a row have no relative error and are left out.
    """
    errors, lost = [], 0
    for key, exact in truth.items():
        given = answer.get(key)
        if given is None or any(value != value for value in given):
            lost += 1
            continue
        errors += [abs(a - t) / abs(t) for a, t in zip(given, exact, strict=True) if t]
    return errors, lost / len(truth)


def line(
    names: tuple[str, str, str],
    truth: Table,
    answers: Sequence[Table],
    bias: float | None,
    note: str,
) -> Line:
    """Pool the errors of all cells over all runs. `names` are workload, system and account."""
    errors, lost = [], 0.0
    for answer in answers:
        found, missing = relative(truth, answer)
        errors += found
        lost += missing / len(answers)
    ordered = sorted(errors)
    if not ordered:
        return Line(*names, len(answers), None, None, bias, lost, note or "every group lost")
    upper = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return Line(*names, len(answers), median(ordered), upper, bias, lost, note)


def unanswered(names: tuple[str, str, str], reason: str) -> Line:
    """Return the line of a system that has no answer, with the reason."""
    return Line(*names, 0, None, None, None, 0.0, reason)


def _written(key: object) -> str:
    """Write a key; a day as a day, also where a library made an instant of it."""
    text = str(key)
    return text[:10] if text[4:5] == text[7:8] == "-" else text
