"""The whole way from a holder's files to a snapshot. The only function here that knows it.

Crash       Everything half done lies in a private folder. The four files are moved into place one by one, each already
            durable, the snapshot last: where there is a snapshot, all that belongs to it is there.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from policies.catalogue import FORMAT_VERSION, Catalogue, to_json
from policies.dataset import Dataset, Table
from policies.epochs import declared_epochs
from sandbox.worker.ingest import commitment, report
from sandbox.worker.ingest.canonical import pads
from sandbox.worker.ingest.declaration import hold_declaration
from sandbox.worker.ingest.domains import public_domains
from sandbox.worker.ingest.load import Loaded, load
from sandbox.worker.ingest.refused import Code, IngestRefused
from sandbox.worker.ingest.report import IngestReport, TableReport
from sandbox.worker.ingest.settle import (
    Settled,
    parents_first,
    settle_private,
    settle_public,
    settled_rows,
    unresolved,
)
from sandbox.worker.ingest.snapshot import (
    attach_snapshot,
    close_snapshot,
    number_units,
    write_meta,
    write_tables,
)
from sandbox.worker.ingest.sources import close_source, open_source
from sandbox.worker.ingest.workshop import open_engine, private_folder, sync_file, sync_folder

SNAPSHOT = "snapshot.duckdb"
CATALOGUE = "catalogue.json"
COMMITMENT = "commitment.json"
REPORT = "report.json"
# The order of moving into place. Who may read: the gateway the first two, the holder alone the others.
_MODES = {REPORT: 0o400, COMMITMENT: 0o400, CATALOGUE: 0o444, SNAPSHOT: 0o444}
_ATTACHED = "made"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What was published, and the holder's account of it."""

    catalogue: Catalogue
    report: IngestReport


def ingest(dataset: Dataset, sources: Path, output: Path, secret: bytes) -> IngestResult:
    """Publish a snapshot of the declared tables in `output`; the files in `sources` are only read.

    Refuses  an output folder that already holds a snapshot: it is what answers were computed from. Every other code of
             `Code`, with the places in the report, which stays in the output folder.
    """
    pads(secret)  # a secret of another length is the caller's bug, found before any file is opened
    sources, output = sources.resolve(), output.resolve()
    if (output / SNAPSHOT).exists():
        raise IngestRefused(Code.SNAPSHOT_EXISTS)
    with private_folder(output) as folder:
        try:
            hold_declaration(dataset)
            with closing(open_engine(folder, sources)) as connection:
                result = _make(connection, dataset, (sources, folder), secret)
            (folder / REPORT).write_bytes(report.written(result.report))
            (folder / CATALOGUE).write_bytes(to_json(result.catalogue))
        except IngestRefused as refusal:
            _leave_report(folder, output, report.written_refusal(refusal))
            raise
        except Exception as error:
            _leave_report(folder, output, report.written_failure(error))
            raise
        _publish(folder, output)
    return result


def _make(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    folders: tuple[Path, Path],
    secret: bytes,
) -> IngestResult:
    loads: dict[str, Loaded] = {}
    settles: dict[str, Settled] = {}
    for table in parents_first(dataset):
        loads[table.name] = _load(connection, dataset, table, folders)
        if table.private:
            settles[table.name] = settle_private(connection, dataset, table, secret)
        else:
            settle_public(connection, dataset, table)
    tables = tuple(
        _table_report(connection, dataset, table, (loads[table.name], settles.get(table.name)))
        for table in dataset.tables
    )
    units = number_units(connection, dataset)
    snapshot_id = _write_snapshot(connection, dataset, folders[1], secret)
    domains = public_domains(connection, dataset)
    epochs = declared_epochs(dataset)
    catalogue = Catalogue(FORMAT_VERSION, dataset, snapshot_id, domains, epochs)
    account = IngestReport(dataset.id, dataset.version, snapshot_id, units, tables)
    return IngestResult(catalogue, account)


def _load(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    table: Table,
    folders: tuple[Path, Path],
) -> Loaded:
    opened = open_source(connection, table, *folders)
    try:
        return load(connection, table, opened, dataset.tables.index(table))
    finally:
        close_source(connection, opened)


def _write_snapshot(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, folder: Path, secret: bytes
) -> str:
    path = folder / SNAPSHOT
    attach_snapshot(connection, path, _ATTACHED)
    write_tables(connection, dataset, _ATTACHED)
    made = commitment.commit(commitment.content_hash(connection, dataset, _ATTACHED))
    write_meta(connection, dataset, _ATTACHED, made.snapshot_id, secret)
    close_snapshot(connection, path, _ATTACHED)
    (folder / COMMITMENT).write_bytes(commitment.written(made))
    return made.snapshot_id


def _table_report(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    table: Table,
    fared: tuple[Loaded, Settled | None],
) -> TableReport:
    loaded, settled = fared
    return TableReport(
        table=table.name,
        read=loaded.read,
        kept=settled_rows(connection, dataset, table),
        dropped=loaded.dropped + (settled.dropped if settled else ()),
        wrong_values=loaded.wrong_values,
        unresolved=unresolved(connection, dataset, table),
    )


def _publish(folder: Path, output: Path) -> None:
    for name, mode in _MODES.items():
        (folder / name).chmod(mode)
        sync_file(folder / name)
    for name in _MODES:
        (folder / name).rename(output / name)
        # Were the renames made durable together, a power cut could keep the snapshot and lose its catalogue.
        sync_folder(output)


def _leave_report(folder: Path, output: Path, content: bytes) -> None:
    path = folder / REPORT
    path.write_bytes(content)
    path.chmod(_MODES[REPORT])
    sync_file(path)
    path.rename(output / REPORT)
    sync_folder(output)
