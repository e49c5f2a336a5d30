"""The shelf of documents: each text under its own digest, so that no text can be changed behind the log's back."""

import rfc8785

from audit.log.durable import replace_file
from gateway.home import Home
from policies.documents import document_digest
from policies.reading.nodes import to_plain
from policies.reading.parse import load_yaml


class ShelfRefused(Exception):
    """A document of the node is missing or is not what its name says."""


class Shelf:
    """Keeps and finds documents by digest."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def put(self, text: bytes, path: str) -> str:
        """Keep a document durably and return its digest."""
        digest = document_digest(text, path)
        place = self._home.document(digest)
        if not place.exists():
            replace_file(place, text)
        return digest

    def text(self, digest: str) -> bytes:
        """Return the text of a document, refusing one that was changed on disk."""
        place = self._home.document(digest)
        try:
            text = place.read_bytes()
        except OSError:
            raise ShelfRefused(
                f"document `{digest}` is missing from `documents`; restore it"
            ) from None
        if document_digest(text, place.name) != digest:
            raise ShelfRefused(f"document `{digest}` was changed on disk; restore it")
        return text

    def canonical(self, digest: str) -> bytes:
        """Return the bytes that the digest is the hash of, as an auditor wants them."""
        plain = to_plain(load_yaml(self.text(digest), digest))
        return rfc8785.dumps(plain)  # type: ignore[arg-type]


def hexadecimal(digest: str) -> str:
    """Return a digest as an export names files by it."""
    return digest.removeprefix("sha256:")
