"""Write the orders for one worker from what the caller wants mounted."""

from pathlib import Path

from sandbox.channel import Isolation, Limits, Orders, Role
from sandbox.runtimes.base import Folders, Mounts, Snapshot


def orders_for(isolation: Isolation, role: Role, mounts: Mounts, limits: Limits) -> Orders:
    """Name every mount by its real absolute path. Refuses: mounts that are not those of the role, by ValueError."""
    return Orders(
        isolation=isolation,
        role=role,
        snapshot=_absolute(mounts.file) if isinstance(mounts, Snapshot) else "",
        source=_absolute(mounts.source) if isinstance(mounts, Folders) else "",
        output=_absolute(mounts.output) if isinstance(mounts, Folders) else "",
        limits=limits,
    )


def _absolute(path: Path) -> str:
    return str(path.resolve(strict=False))
