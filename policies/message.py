"""One sentence in both languages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One text in both languages; `status` is the HTTP status of the problem it becomes (RFC 9457)."""

    status: int
    en: str
    zh: str
