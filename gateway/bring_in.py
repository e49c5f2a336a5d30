"""Bring a dataset in: a confined worker reads the holder's files, the log gets the commitment, the accounts are opened.

Runs on the node, by the holder's hand, in a process of its own; a node that is serving sees the new snapshot at the next
question.
"""

from dataclasses import dataclass
from pathlib import Path

from audit.ledger import Ledger
from audit.store.sqlite import Store
from gateway.accounts import family_accounts, open_accounts
from gateway.family_key import family_secret
from gateway.home import Home
from gateway.node import Start, stand
from gateway.register import snapshot_commitment
from gateway.settings import load_settings
from policies.catalogue import Catalogue, dataset_to_json, from_json
from policies.dataset import Dataset
from policies.documents import load_dataset
from policies.findings import Finding
from policies.messages import MESSAGES
from policies.refusals import Refused, Stage
from sandbox import client
from sandbox.runtimes.base import Folders


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """A registered snapshot. `report` is for the holder alone: it counts what was dropped."""

    catalogue: Catalogue
    commitment: str
    index: int
    report: Path


def bring_in(folder: Path, chosen: Start, declaration: Path, sources: Path) -> BroughtIn:
    """Ingest, register, open accounts.

    Refuses  a declaration with a fault, files that are not as declared, a version that is registered already.
    """
    home = Home(folder)
    settings = load_settings(home.settings)
    stand(chosen.isolation)
    dataset = load_dataset(_read(declaration), declaration.name)
    output = home.dataset(dataset.id, dataset.version)
    output.mkdir(mode=0o700, parents=True, exist_ok=True)
    request = {
        "dataset": dataset_to_json(dataset).decode("utf-8"),
        "secret": family_secret(home.keys / f"family-{dataset.family.id}.secret").hex(),
    }
    folders = Folders(sources.resolve(), output.resolve())
    # A crash in the worker leaves a private folder inside `output`, and no snapshot; the next try starts anew.
    if not (output / "catalogue.json").exists() or not (output / "snapshot.duckdb").exists():
        reply = client.ingest(request, folders, chosen.isolation.runtime, settings.ingest_limits())
        _refuse_failed(reply)
    catalogue = from_json((output / "catalogue.json").read_bytes())
    # A crash before the log entry leaves a snapshot that nothing refers to; the same command registers it.
    return _registered(home, settings.name, chosen, (dataset, catalogue, output))


def _registered(
    home: Home, name: str, chosen: Start, made: tuple[Dataset, Catalogue, Path]
) -> BroughtIn:
    dataset, catalogue, output = made
    store = Store(home.ledger)
    try:
        ledger = Ledger(store, f"{name}.ingest", chosen.clock, chosen.ledger_fault)
        open_accounts(ledger, family_accounts(dataset))
        commitment = snapshot_commitment(catalogue)
        data = {
            "dataset": dataset.id,
            "version": dataset.version,
            "digest": catalogue.dataset.digest,
            "family": dataset.family.id,
            "holder": dataset.holder.id,
            "commitment": commitment,
        }
        event = f"dataset.registered.{dataset.id}.{dataset.version}"
        index = ledger.record("dataset.registered", event, dataset.holder.id, data)
    finally:
        store.close()
    return BroughtIn(catalogue, commitment, index, output / "report.json")


def _refuse_failed(reply: object) -> None:
    if not isinstance(reply, dict) or reply.get("ok") is True:
        return
    code, params = str(reply.get("code")), reply.get("params")
    told = {str(k): str(v) for k, v in params.items()} if isinstance(params, dict) else {}
    if code not in MESSAGES:
        code, told = (
            "request_invalid",
            {"pointer": "sources", "problem": f"{code} {told or ''}".strip()},
        )
    raise Finding(code, Stage.DOCUMENT, None, tuple(told.items()), ()).refused()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Refused("document_not_found", Stage.DOCUMENT, path=path.name) from None
