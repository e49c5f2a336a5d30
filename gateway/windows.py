"""Calendar windows of allowances, named so that two windows never share an account."""

from datetime import datetime, timedelta, timezone

from policies.access.model import Window


def window_label(window: Window, now: datetime, offset_minutes: int) -> str:
    """Name the window that `now` lies in: `2026-11-21`, `2026-W47`, `2026-11`, `2026-Q4` or `2026`.

    A window paces spending and lifts nothing: the caps of epoch and lifetime hold across all windows.
    """
    local = now.astimezone(timezone(timedelta(minutes=offset_minutes)))
    match window:
        case Window.DAY:
            return local.strftime("%Y-%m-%d")
        case Window.WEEK:
            year, week, _ = local.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case Window.MONTH:
            return local.strftime("%Y-%m")
        case Window.QUARTER:
            return f"{local.year:04d}-Q{(local.month + 2) // 3}"
        case Window.YEAR:
            return f"{local.year:04d}"
