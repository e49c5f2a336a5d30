"""The family's secret as the node keeps it; made once, and never lost while the family lives."""

from pathlib import Path

from sandbox.worker.ingest.family_secret import family_secret as made_or_read


def family_secret(path: Path) -> bytes:
    """Return the 32 bytes that fix every keyed choice of a family.

    Reason  A new secret would draw everybody's choices again, and answers over two draws tell more than either.
    """
    return made_or_read(path)
