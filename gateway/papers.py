"""The documents an auditor needs beside the log, by the hexadecimal of their digest."""

from gateway.register import Known
from gateway.shelf import Shelf, hexadecimal


def documents_of(known: Known, shelf: Shelf) -> dict[str, bytes]:
    """Return the canonical bytes of every document that is or was under approval or in force here."""
    digests = {
        *known.plans,
        *known.agreements,
        *known.approvals,
        *(policy.digest for policy in known.policies.values()),
    }
    return {hexadecimal(digest): shelf.canonical(digest) for digest in sorted(digests)}
