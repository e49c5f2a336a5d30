"""What the gateway knows about a published snapshot: declarations, public domains, a commitment."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.dataset import Dataset
from policies.terms import Scalar


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The public face of one snapshot; ingest writes it, the compiler plans by it.

    `public_domains` maps `table.column` of a PUBLIC table to its distinct values; a private table
    never appears here. `snapshot_id` is a hiding commitment in hex: a plain hash would confirm a
    guess at the data.
    """

    format_version: int
    dataset: Dataset
    snapshot_id: str
    public_domains: Mapping[str, tuple[Scalar, ...]]
    epochs: tuple[str, ...]
