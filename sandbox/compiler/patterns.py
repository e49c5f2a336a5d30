"""LIKE patterns whose matching takes time in proportion to the text.

With `_` the engine backtracks: k runs of `%` cost the k-th power of the text's length, and one long text could then push a
run over its deadline, which is an answer about one person.
"""

PATTERN_RUNS_MAX = 16
_RUNS_BESIDE_ANY_CHARACTER = 2


def is_cheap_pattern(pattern: str) -> bool:
    """Tell whether a pattern is matched without deep backtracking."""
    runs = pattern.count("%")
    return runs <= (_RUNS_BESIDE_ANY_CHARACTER if "_" in pattern else PATTERN_RUNS_MAX)
