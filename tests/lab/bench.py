"""A snapshot on the bench: ingested by the real ingest, opened by the real engine, asked in this process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import duckdb

from policies.access.model import AccessPolicy
from policies.catalogue import Catalogue
from policies.dataset import Dataset, Source, SourceFormat, Table
from policies.reading.dataset import COUNT_MAX
from policies.terms import ContributionBound, PrivacyLoss
from sandbox.boundary import Failure, Plan, Release
from sandbox.channel import Limits
from sandbox.client import Planned, Question, judge
from sandbox.client import plan as compile_question
from sandbox.compiler.check import Asker
from sandbox.worker.accept import accept
from sandbox.worker.add_noise import NoisyAggregates
from sandbox.worker.engine import EngineLimits, open_empty, open_snapshot
from sandbox.worker.execute import ExactAggregates, execute
from sandbox.worker.ingest.ingest import SNAPSHOT, ingest
from sandbox.worker.post_process import post_process
from sandbox.worker.query import read_columns, read_meta
from sandbox.worker.twin import diagnose
from tests.lab.inert import inert
from tests.lab.order import without_noise

# One fixed family secret, so that keyed choices in two databases can be compared.
SECRET = bytes(range(32))
SOURCE = "source.duckdb"
# Snapshots are made by the hundred and thrown away: in memory, where the machine has a place for that.
SCRATCH = next((name for name in ("/dev/shm",) if Path(name).is_dir()), None)
LIMITS = EngineLimits(memory_bytes=4 << 30, threads=1)
RUN_LIMITS = Limits(memory_bytes=1 << 30, cpu_s=60, deadline_s=60.0, output_bytes_max=64 << 20)


class NotAccepted(Exception):
    """The worker's own derivation disagrees with the compiler's plan."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.value)


@dataclass(frozen=True, slots=True)
class Bench:
    """One ingested database. `connection` holds the snapshot, `empty` nothing: post-processing never sees a row."""

    policy: AccessPolicy
    catalogue: Catalogue
    snapshot: Path
    connection: duckdb.DuckDBPyConnection
    empty: duckdb.DuckDBPyConnection

    def plan(self, sql: str, purpose: str, loss: PrivacyLoss) -> Planned:
        """Compile as the gateway would."""
        policy = self.policy
        asker = Asker(policy.operator.id, purpose, policy.effective.start, suspended=False)
        return compile_question(Question(sql, policy, self.catalogue, asker, loss))

    def rehearse(self, plan: Plan) -> None:
        """Run the twin here. Refuses what the gateway would refuse after its twin."""
        with open_empty(LIMITS) as rows, open_empty(LIMITS) as released:
            judge(diagnose(plan, rows, released), plan, self.policy)

    def bounded(self, plan: Plan) -> ExactAggregates:
        """Return the clipped moments of an accepted plan, before any noise."""
        failure = accept(plan, read_meta(self.connection), read_columns(self.connection))
        if failure is not None:
            raise NotAccepted(failure)
        return execute(plan.measurement, self.connection)

    def exact(self, plan: Plan) -> Release:
        """Return the answer without noise and with inert bounds."""
        wide = inert(plan)
        found = execute(wide.measurement, self.connection)
        return post_process(
            wide, NoisyAggregates(found.keys, without_noise(wide, found), found.sizes), self.empty
        )


@contextmanager
def bench(dataset: Dataset, policy: AccessPolicy, sources: Path) -> Iterator[Bench]:
    """Ingest the tables of the one database file in `sources` and open what came out."""
    with scratch() as output:
        result = ingest(from_one_file(dataset), sources, output, SECRET)
        snapshot = output / SNAPSHOT
        with open_snapshot(str(snapshot), LIMITS) as connection:
            yield Bench(policy, result.catalogue, snapshot, connection, engine_without_rows())


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder to throw away."""
    with tempfile.TemporaryDirectory(prefix="lab-", dir=SCRATCH) as name:
        yield Path(name)


@cache
def engine_without_rows() -> duckdb.DuckDBPyConnection:
    """Open the one engine of this process that finishes answers; what it holds is overwritten by each answer."""
    return open_empty(LIMITS)


def from_one_file(dataset: Dataset) -> Dataset:
    """Return the declaration with every table read from the lab's one database file."""
    tables = tuple(
        replace(table, source=Source(SourceFormat.DUCKDB, SOURCE, table.name))
        for table in dataset.tables
    )
    return replace(dataset, tables=tables)


def uncapped(dataset: Dataset) -> Dataset:
    """Return the declaration with caps that no unit reaches: ingest then drops no surplus row."""
    return replace(dataset, tables=tuple(_uncapped(table) for table in dataset.tables))


def _uncapped(table: Table) -> Table:
    if table.contribution is None:
        return table
    return replace(table, contribution=ContributionBound(COUNT_MAX, COUNT_MAX, COUNT_MAX))
