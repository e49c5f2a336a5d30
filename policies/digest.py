"""Name a document by its content. rfc8785's home in policies."""

import hashlib

import rfc8785

from policies.reading.nodes import Node, to_plain


def digest(document: Node) -> str:
    """Return `sha256:` and the hash of the canonical document.

    Neither comments nor the order of names nor the spelling of a number (0.50, 5e-1) change it.

    Source  RFC 8785 over `to_plain`, then SHA-256 (FIPS 180-4).
    """
    canonical = rfc8785.dumps(to_plain(document))  # type: ignore[arg-type]
    return "sha256:" + hashlib.sha256(canonical).hexdigest()
