"""`--accuracy` and `--expect`: what is wanted of an answer, instead of a loss."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from keyong.commands.exits import Exit, Stop

# A column's name ends at the `=` before the ± of its accuracy.
_BY_COLUMN = re.compile(r"(?P<column>.+?)\s*=\s*(?P<text>(?:±|\+/?-).*)", re.DOTALL)


def accuracy(flags: Sequence[str] | None) -> str | Mapping[str, str] | None:
    """Return one accuracy for all columns, or one for each column that is named."""
    if not flags:
        return None
    found = [(_BY_COLUMN.fullmatch(flag), flag) for flag in flags]
    if len(flags) == 1 and found[0][0] is None:
        return flags[0]
    named: dict[str, str] = {}
    for match, flag in found:
        if match is None or match["column"] in named:
            raise Stop(
                Exit.USAGE, f"`{flag}`: give one accuracy, or one `COLUMN=±…` for each column"
            )
        named[match["column"]] = match["text"]
    return named


def expected(flags: Sequence[str]) -> Mapping[str, Decimal] | None:
    """Return the guesses by column."""
    guesses: dict[str, Decimal] = {}
    for flag in flags:
        column, equals, text = flag.rpartition("=")
        try:
            guesses[column.strip()] = Decimal(text)
        except InvalidOperation:
            equals = ""
        if not equals or not column.strip() or not guesses[column.strip()].is_finite():
            raise Stop(Exit.USAGE, f"`{flag}` is not of the form COLUMN=NUMBER")
    return guesses or None
