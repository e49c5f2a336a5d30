"""The folder of a node: what lies where. Nothing outside it belongs to the node, so a copy of it is a backup.

node.json                       settings
clients.json                    who may come in, with hashed secrets (0600)
keys/                           the log's key, the tokens' key, the shapes' key, the families' secrets (0600)
guard/                          the last head signed; better on another volume
ledger.sqlite                   log, accounts, stored answers
asked.sqlite                    names of columns and receipts of each answer
datasets/<id>/<version>/        what ingest wrote, read-only
documents/<digest>.yaml         policies, price plans, agreements and declarations, as their authors wrote them
errors.log                      details of our own errors; never SQL text, never data
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Names every place inside one node's folder."""

    folder: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "node.json"

    @property
    def clients(self) -> Path:
        """The register of clients."""
        return self.folder / "clients.json"

    @property
    def keys(self) -> Path:
        """The folder of secrets."""
        return self.folder / "keys"

    @property
    def guard(self) -> Path:
        """The guard file of the log's key."""
        return self.folder / "guard" / "head"

    @property
    def ledger(self) -> Path:
        """The database of log and ledger."""
        return self.folder / "ledger.sqlite"

    @property
    def asked(self) -> Path:
        """The database of what stands around an answer."""
        return self.folder / "asked.sqlite"

    @property
    def datasets(self) -> Path:
        """The folder of snapshots."""
        return self.folder / "datasets"

    @property
    def documents(self) -> Path:
        """The folder of signed documents."""
        return self.folder / "documents"

    @property
    def errors(self) -> Path:
        """The domain's own log of errors."""
        return self.folder / "errors.log"

    def dataset(self, dataset: str, version: int) -> Path:
        """Return the folder of one version of a dataset."""
        return self.datasets / dataset / str(version)

    def document(self, digest: str) -> Path:
        """Return the file of a document by its digest."""
        return self.documents / f"{digest.removeprefix('sha256:')}.yaml"

    def create(self) -> None:
        """Make the folders; only the node's own account may look inside."""
        for path in (self.folder, self.keys, self.guard.parent, self.datasets, self.documents):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
