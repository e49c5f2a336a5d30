"""The domain that is measured: the demo's generated people and claims, as raw tables and as a snapshot."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from gateway.generate import generate_files
from policies.access.model import AccessPolicy
from policies.catalogue import Catalogue, dataset_to_json, from_json
from policies.documents import load_access_policy, load_dataset
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import Plan
from sandbox.client import Question, ingest, plan
from sandbox.compiler.check import Asker
from sandbox.runtimes.base import Folders, Limits
from sandbox.runtimes.namespace import namespace

DEMO = Path(__file__).parents[1] / "keyong" / "demo"
# Any secret serves: what is kept of whom is no part of a speed.
_SECRET = "5a" * 32
_INGEST = Limits(memory_bytes=2 << 30, cpu_s=1800, deadline_s=1800.0, output_bytes_max=8 << 30)

QUERIES = {
    "people by region": "SELECT region, count(*) AS n FROM persons GROUP BY region",
    "income by region and sex": "SELECT region, sex, avg(income) AS income FROM persons GROUP BY ALL",
    "paid by diagnosis": "SELECT icd, count(*) AS n, sum(amount) AS paid FROM claims GROUP BY icd",
    "claims by day": "SELECT day, count(*) AS n FROM claims GROUP BY day",
    "one diagnosis, one month": "SELECT hospital, sum(amount) AS paid FROM claims WHERE icd = 'J18' "
    "AND day BETWEEN DATE '2024-01-01' AND DATE '2024-01-31' GROUP BY hospital",
    "claims in the rain": "SELECT CASE WHEN w.rain_mm > 10 THEN 'wet' ELSE 'dry' END AS weather, "
    "count(*) AS n, sum(c.amount) AS paid FROM persons p JOIN claims c USING (person_id) "
    "JOIN weather w ON w.region = p.region AND w.day = c.day GROUP BY weather",
}


@dataclass(frozen=True, slots=True)
class Domain:
    """Both forms of the same data. `raw` holds the tables as a data owner without Keyong would load them."""

    raw: Path
    snapshot: Path
    catalogue: Catalogue
    policy: AccessPolicy

    def planned(self, sql: str) -> Plan:
        """Compile a question at epsilon 1."""
        asker = Asker("op-xinyi", "public_health", datetime.now(UTC), suspended=False)
        loss = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
        return plan(Question(sql, self.policy, self.catalogue, asker, loss)).plan


def domain(folder: Path, persons: int) -> Domain:
    """Return the domain of so many people, making it if it is not there yet."""
    home = folder / str(persons)
    snapshot, raw = home / "snapshot", home / "raw.duckdb"
    if not (snapshot / "snapshot.duckdb").exists():
        sources = home / "sources"
        generate_files(DEMO / "health.sql", sources, persons)
        _bring_in(sources, snapshot)
        _load_raw(sources, raw)
    return Domain(
        raw,
        snapshot / "snapshot.duckdb",
        from_json((snapshot / "catalogue.json").read_bytes()),
        load_access_policy((DEMO / "policy.yaml").read_bytes(), "policy.yaml"),
    )


def _bring_in(sources: Path, snapshot: Path) -> None:
    snapshot.mkdir(parents=True, exist_ok=True)
    declared = load_dataset((DEMO / "dataset.yaml").read_bytes(), "dataset.yaml")
    request = {"dataset": dataset_to_json(declared).decode(), "secret": _SECRET}
    reply = ingest(request, Folders(sources.resolve(), snapshot.resolve()), namespace(), _INGEST)
    if reply.get("ok") is not True:
        raise SystemExit(f"ingest: {json.dumps(dict(reply))}")


def _load_raw(sources: Path, raw: Path) -> None:
    declared = load_dataset((DEMO / "dataset.yaml").read_bytes(), "dataset.yaml")
    raw.unlink(missing_ok=True)
    with duckdb.connect(str(raw)) as connection:
        for table in declared.tables:
            columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
            connection.execute(f"CREATE TABLE {table.name} ({columns})")
            connection.execute(f"COPY {table.name} FROM '{sources}/{table.name}.csv' (HEADER)")
