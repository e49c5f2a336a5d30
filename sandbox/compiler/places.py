"""Where in the user's text a node stands, and how to quote it back."""

from sqlglot import exp

from policies.refusals import Position

QUOTED_MAX = 80


def position(node: exp.Expr, text: str) -> Position | None:
    """Return the place of the first token of `node`, or None where the parser kept none."""
    starts = [start for part in node.walk() if isinstance(start := part.meta.get("start"), int)]
    if not starts:
        return None
    before = text[: min(starts)]
    return Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def quoted(node: exp.Expr) -> str:
    """Return the user's own words for `node`, shortened; it is the user's text, so it reveals nothing."""
    words = node.sql(dialect="duckdb")
    return words if len(words) <= QUOTED_MAX else words[: QUOTED_MAX - 1] + "…"
