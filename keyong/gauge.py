"""A budget as a line of text."""

_CELLS = 30


def gauge(part_spent: float) -> str:
    """Draw how much is spent: `███░░░ 12.5 %`. Anything spent shows at least one block."""
    filled = min(_CELLS, max(round(part_spent * _CELLS), 1 if part_spent > 0 else 0))
    return "█" * filled + "░" * (_CELLS - filled) + f" {part_spent * 100:5.1f} %"
